//! The words of letters. They name nobody.

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::LetterId;
use offgate_core::log_proof::{LogProof, Shows};
use offgate_core::mail::{Attachment, HostName, Letter};
use offgate_core::text::Email;
use offgate_link::join_token::RootFingerprint;
use offgate_store::StoreError;

/// The newest checkpoint, as a file that `offgate audit check` reads.
pub(super) fn checkpoint(
    id: LetterId,
    to: &Email,
    from: &HostName,
    root: RootFingerprint,
    signed: SignedCheckpoint,
) -> Result<Letter, StoreError> {
    let log = Checkpoint::read(&signed.statement)
        .map_err(|_| StoreError::Damaged("a checkpoint that is none"))?;
    let (size, from) = (log.size, from.as_str());
    let name = format!("checkpoint-{}-{size}.offgate", log.epoch.counter);
    let proof = LogProof {
        root: root.0,
        checkpoint: signed,
        shows: Shows::Checkpoint,
    };
    Ok(Letter {
        id,
        to: to.clone(),
        subject: format!("Checkpoint of the door log of {from}: {size} entries"),
        text: format!(
            "Attached is the signed checkpoint of the door log of {from}, with {size} entries.\n\
             \n\
             Save the attached file away from that server; with the root fingerprint that was\n\
             deposited when the server was set up you can check whose it is:\n\
             \n    \
             offgate audit check {name} --root FINGERPRINT\n\
             \n\
             Whenever you doubt the log, have the server prove that it still continues from here,\n\
             with the first command there, and check that with the second, on a machine of yours:\n\
             \n    \
             offgate audit prove --since {name} --output later.offgate\n    \
             offgate audit check later.offgate --since {name} --root FINGERPRINT\n",
        ),
        attachment: Some(Attachment {
            name,
            bytes: proof.encode(),
        }),
    })
}

/// A letter that says nothing.
pub(super) fn test(id: LetterId, to: &Email, from: &HostName) -> Letter {
    let from = from.as_str();
    Letter {
        id,
        to: to.clone(),
        subject: format!("Test mail from the door server {from}"),
        text: format!(
            "Somebody asked the door server {from} to send this, to see whether its mail arrives.\n\
             It did. There is nothing to do.\n",
        ),
        attachment: None,
    }
}
