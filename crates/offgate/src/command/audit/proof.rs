//! Files about the log that are kept outside: written from the store, checked without it.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use data_encoding::HEXLOWER;
use offgate_core::checkpoint::Checkpoint;
use offgate_core::log_proof::{LogProof, PROOF_FILE_LIMIT, Shown, Shows};
use offgate_core::parameters::Revision;
use offgate_link::log_proof;

use super::{CheckArguments, OutputArguments, ProveArguments, own_root, reader};
use crate::exit::Failure;
use crate::moment::{shown, utc};
use crate::record::{Format, Record};
use crate::settings::Config;

/// Gives the newest checkpoint.
pub(super) fn checkpoint(
    config: &Config,
    to: &OutputArguments,
    format: Format,
) -> Result<(), Failure> {
    let proof = LogProof {
        root: own_root(config)?.0,
        checkpoint: reader(config)?.newest_checkpoint()?,
        shows: Shows::Checkpoint,
    };
    give(&proof, to, format)
}

/// Proves that an entry is in the log, or that the log continues from an earlier checkpoint.
pub(super) fn prove(
    config: &Config,
    arguments: &ProveArguments,
    format: Format,
) -> Result<(), Failure> {
    let reader = reader(config)?;
    let checkpoint = reader.newest_checkpoint()?;
    let log = Checkpoint::read(&checkpoint.statement)
        .map_err(|why| Failure::unavailable("the newest checkpoint", why))?;
    let size = Revision::new(log.size);
    let shows = match (arguments.what.entry, &arguments.what.since) {
        (None, Some(path)) => {
            let older = read(path)?.checkpoint;
            let earlier = Checkpoint::read(&older.statement)
                .map_err(|why| Failure::Disproven(format!("{}: {why}", path.display())))?;
            if earlier.store != log.store {
                return Err(Failure::Disproven(format!(
                    "{} is of another store",
                    path.display()
                )));
            }
            if earlier.size > log.size {
                return Err(Failure::Disproven(format!(
                    "the log had {} entries at {}, and has {} now",
                    earlier.size,
                    shown(&utc()?, earlier.at),
                    log.size
                )));
            }
            let hashes = reader.consistency(Revision::new(earlier.size), size)?;
            Shows::Continuation { older, hashes }
        }
        (entry, _) => {
            let entry = Revision::new(entry.unwrap_or_default());
            let leaf = match reader.leaf(entry)? {
                Some(leaf) if entry <= size => leaf,
                _ => {
                    return Err(Failure::usage(
                        "REVISION",
                        format!("the log has the entries 1 to {}", log.size),
                    ));
                }
            };
            let hashes = reader.inclusion(entry, size)?;
            Shows::Entry { leaf, hashes }
        }
    };
    let proof = LogProof {
        root: own_root(config)?.0,
        checkpoint,
        shows,
    };
    give(&proof, &arguments.output, format)
}

/// Writes a proof, if it is one: what the store holds may have been altered.
fn give(proof: &LogProof, to: &OutputArguments, format: Format) -> Result<(), Failure> {
    let says = log_proof::check(proof, None).map_err(|why| Failure::Disproven(why.to_string()))?;
    let bytes = proof.encode();
    let Some(path) = &to.output else {
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
    record(proof, &says)?.show(format);
    Ok(())
}

/// Checks a file, without a store.
pub(super) fn check(arguments: &CheckArguments, format: Format) -> Result<(), Failure> {
    let proof = read(&arguments.file)?;
    let disproven = |why: &dyn std::fmt::Display| {
        Failure::Disproven(format!("{}: {why}", arguments.file.display()))
    };
    let says = log_proof::check(&proof, arguments.root).map_err(|why| disproven(&why))?;
    if let Some(path) = &arguments.since {
        let kept = read(path)?.checkpoint.statement;
        match &proof.shows {
            _ if kept == proof.checkpoint.statement => {}
            Shows::Continuation { older, .. } if older.statement == kept => {}
            _ => {
                return Err(disproven(&format_args!(
                    "it does not continue from the checkpoint in {}",
                    path.display()
                )));
            }
        }
    }
    let signer = match arguments.root {
        Some(_) => "known: signed below the root that was given",
        None => "unknown: it agrees with itself; --root says whose it is",
    };
    record(&proof, &says)?.with("signer", signer).show(format);
    Ok(())
}

/// Reads a file that should be a proof.
fn read(path: &Path) -> Result<LogProof, Failure> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| {
            file.take(PROOF_FILE_LIMIT as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|error| Failure::unavailable(path.display(), error))?;
    LogProof::decode(&bytes).map_err(|why| Failure::Disproven(format!("{}: {why}", path.display())))
}

/// What a proof says.
fn record(proof: &LogProof, says: &Shown<'_>) -> Result<Record, Failure> {
    let zone = utc()?;
    let mut record = Record::default()
        .with("store", says.log.store.to_string())
        .with("epoch", says.log.epoch.counter)
        .with("entries", says.log.size)
        .with("signed_at", shown(&zone, says.log.at))
        .with("tree", says.log.root.to_string())
        .with(
            "root",
            offgate_link::join_token::RootFingerprint(proof.root).to_string(),
        );
    if let Some(entry) = &says.entry {
        let at = offgate_core::parameters::Timestamp::from_microseconds(entry.at);
        let id = |id: Option<&[u8]>| id.map(|id| HEXLOWER.encode(id));
        record = record
            .with("entry", entry.revision)
            .with("entry_at", shown(&zone, at))
            .with("actor", entry.actor)
            .with("actor_id", id(entry.actor_id))
            .with("kind", entry.kind)
            .with("subject", entry.subject)
            .with("subject_id", id(entry.subject_id))
            .with("details", HEXLOWER.encode(entry.details));
    }
    if let Some(older) = &says.older {
        record = record
            .with("continues_entries", older.size)
            .with("continues_signed_at", shown(&zone, older.at))
            .with("continues_tree", older.root.to_string());
    }
    Ok(record)
}
