//! `offgate proof`: that doors refuse somebody, as a file that can be checked without this server.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use offgate_core::door_position::Position;
use offgate_core::id::{CredentialId, NotAnId, UserId};
use offgate_core::operator::Role;
use offgate_core::question::Verdict;
use offgate_core::records::Records as _;
use offgate_core::refusal::Thing;
use offgate_link::join_token::RootFingerprint;
use offgate_link::proof::{
    FILE_LIMIT, NOT_SHOWN, ProofFile, Shown, ShownDoor, Signer, Standing, check, door_sentence,
    period, shows,
};
use offgate_server::{NoProof, ProofQuery, refusal_proof};
use offgate_store::Reader;
use serde_json::{Value, json};

use super::person::pick_person;
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, utc};
use crate::record::{Format, Record};

/// What to do with proofs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ProofCommand {
    /// Make the proof that doors refuse somebody who was deactivated, or a lost credential, as of
    /// now; also of somebody who was removed
    Make(Make),
    /// Check a proof; needs no store
    Verify(Verify),
    /// Take the names off a proof; what it shows stays the same
    Detach(Detach),
}

/// `offgate proof make`
#[derive(Clone, Debug, Args)]
pub(crate) struct Make {
    #[command(flatten)]
    about: About,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// About whom.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct About {
    /// Full name, e-mail address, employee number or id; of somebody removed, the id
    #[arg(value_name = "USER")]
    user: Option<String>,
    /// A credential that is reported lost, by its id
    #[arg(long, value_name = "ID", value_parser = credential)]
    credential: Option<CredentialId>,
}

fn credential(text: &str) -> Result<CredentialId, NotAnId> {
    text.parse()
}

/// `offgate proof verify`
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The fingerprint of the store's root, as it was kept outside; without it who signed is not
    /// known
    #[arg(long, value_name = "FINGERPRINT")]
    root: Option<RootFingerprint>,
}

/// `offgate proof detach`
#[derive(Clone, Debug, Args)]
pub(crate) struct Detach {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(
    books: impl FnOnce() -> Result<Books, Failure>,
    command: &ProofCommand,
    format: Format,
) -> Result<(), Failure> {
    match command {
        ProofCommand::Make(what) => make(&books()?, what),
        ProofCommand::Verify(what) => verify(what, format),
        ProofCommand::Detach(what) => detach(what, format),
    }
}

fn make(books: &Books, what: &Make) -> Result<(), Failure> {
    let reader = books.reader();
    let user = match (&what.about.user, what.about.credential) {
        (Some(wanted), _) => anybody(&reader, wanted)?,
        (None, Some(credential)) => {
            let found = reader.credential(credential)?;
            found.map(|credential| credential.user).ok_or_else(|| {
                Failure::usage("--credential", "there is no credential with this id")
            })?
        }
        (None, None) => return Err(Failure::usage("USER", "needed, or --credential")),
    };
    let query = ProofQuery {
        user,
        credential: what.about.credential,
        role: Role::Owner,
    };
    let proof = refusal_proof(
        &reader,
        books.store().identity(),
        books.keys(),
        query,
        books.randomness(),
        books.now(),
    )
    .map_err(|why| match why {
        NoProof::NothingRefused => Failure::usage("USER", why),
        NoProof::Store(error) => error.into(),
        NoProof::Signing(_) => Failure::Unavailable(why.to_string()),
    })?;
    give(&proof, what.output.as_deref(), books.format)
}

/// Also somebody who was removed, by their id.
fn anybody(reader: &Reader, wanted: &str) -> Result<UserId, Failure> {
    let Ok(id) = wanted.parse::<UserId>() else {
        return Ok(pick_person(reader, wanted)?.id);
    };
    match reader.user(id)? {
        Some(_) => Ok(id),
        None => Err(Failure::NotFound {
            thing: Thing::User,
            wanted: wanted.to_owned(),
        }),
    }
}

/// Writes a proof, if it holds: what the store has on record may have been altered.
fn give(proof: &ProofFile, to: Option<&Path>, format: Format) -> Result<(), Failure> {
    let bytes = proof.encode();
    let says = check(&bytes, None).map_err(|why| Failure::Disproven(why.to_string()))?;
    let Some(path) = to else {
        let mut output = std::io::stdout().lock();
        if output.is_terminal() {
            return Err(Failure::usage(
                "--output",
                "needed on a terminal: the file is not text",
            ));
        }
        return output
            .write_all(&bytes)
            .and_then(|()| output.flush())
            .map_err(|error| Failure::unavailable("standard output", error));
    };
    std::fs::write(path, bytes).map_err(|error| Failure::unavailable(path.display(), error))?;
    record(&says, format)?.show(format);
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::unavailable(path.display(), error))?;
    Ok(bytes)
}

fn disproven(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::Disproven(format!("{}: {why}", path.display()))
}

fn verify(what: &Verify, format: Format) -> Result<(), Failure> {
    let bytes = read(&what.file)?;
    let says = check(&bytes, what.root).map_err(|why| disproven(&what.file, why))?;
    record(&says, format)?.show(format);
    Ok(())
}

fn detach(what: &Detach, format: Format) -> Result<(), Failure> {
    let bytes = read(&what.file)?;
    check(&bytes, None).map_err(|why| disproven(&what.file, why))?;
    let proof = ProofFile::decode(&bytes).map_err(|why| disproven(&what.file, why))?;
    let detached = proof
        .detached()
        .map_err(|why| Failure::usage("FILE", why))?;
    give(&detached, what.output.as_deref(), format)
}

/// What a proof says.
fn record(says: &Shown, format: Format) -> Result<Record, Failure> {
    let zone = utc()?;
    let time = |at| shown(&zone, at);
    let annex = says.annex.as_ref();
    let text = |text: Option<&String>| text.map(String::as_str).map(str::to_owned);
    let doors: Vec<Value> = says
        .doors
        .iter()
        .map(|door| match format {
            Format::Json => told(says, door, time),
            Format::Text => {
                let words = door_sentence(door, time);
                Value::String(format!("{}: {words}", called(says, door)))
            }
        })
        .collect();
    let signer = match says.signer {
        Signer::Known => "known: signed below the root that was given",
        Signer::Unknown => "unknown: it agrees with itself; --root says whose it is",
    };
    Ok(Record::default()
        .with("holds", true)
        .with("signer", signer)
        .with("root", says.root.to_string())
        .with("store", says.store.to_string())
        .with("epoch", says.epoch.counter)
        .with("made_at", time(says.made_at))
        .with("clock", says.clock.as_str())
        .with(
            "names",
            if annex.is_some() {
                "in the annex"
            } else {
                "taken off"
            },
        )
        .with(
            "person",
            text(annex.and_then(|annex| annex.person.as_ref())),
        )
        .with("user", says.subject.user.to_string())
        .with(
            "credential",
            says.subject
                .credential
                .map(|credential| credential.to_string()),
        )
        .with("decided", says.decided.kind.as_str())
        .with("decided_at", time(says.decided.at))
        .with("revision", says.decided.revision.number())
        .with("by", says.actor.as_str())
        .with("actor", text(annex.and_then(|annex| annex.actor.as_ref())))
        .with(
            "reason",
            text(annex.and_then(|annex| annex.reason.as_ref())),
        )
        .with(
            "removed_unconfirmed_because",
            text(annex.and_then(|annex| annex.override_reason.as_ref())),
        )
        .with("period", period(says, time))
        .with(
            "later",
            says.since
                .iter()
                .map(|later| format!("{} {}", time(later.at), later.kind))
                .collect::<Vec<_>>(),
        )
        .with("state", if says.is_final() { "final" } else { "interim" })
        .with("doors", doors)
        .with("shows", shows(says, time))
        .with("does_not_show", NOT_SHOWN.map(str::to_owned).to_vec()))
}

/// What a door is called; without the annex, its id.
fn called(says: &Shown, door: &ShownDoor) -> String {
    let name = says.annex.as_ref().and_then(|annex| annex.door(door.door));
    name.map_or_else(|| door.door.to_string(), str::to_owned)
}

fn told(
    says: &Shown,
    door: &ShownDoor,
    time: impl Fn(offgate_core::parameters::Timestamp) -> String,
) -> Value {
    let name = says.annex.as_ref().and_then(|annex| annex.door(door.door));
    let (state, revision) = match door.standing {
        Standing::Confirmed { revision, .. } => ("confirmed", Some(revision.number())),
        Standing::EndedByLimit { .. } => ("ended by its time limit", None),
        Standing::NotConfirmed(_) => ("not confirmed", None),
    };
    let answers: Vec<Value> = door
        .answers
        .iter()
        .map(|said| {
            let verdict = said.answer.verdict();
            let reason = match verdict {
                Verdict::Refuses(reason) => Some(reason.name()),
                Verdict::Admits | Verdict::AdmitsAnother => None,
            };
            json!({
                "credential": said.answer.credential.to_string(), "says": verdict.name(),
                "reason": reason, "revision": said.answer.revision.number(),
                "at": time(said.received_at),
            })
        })
        .collect();
    json!({
        "door": { "id": door.door.to_string(), "name": name }, "state": state,
        "table_revision": revision, "words": door_sentence(door, &time), "answers": answers,
        "stood": door.stood.map(Position::name),
    })
}
