//! `offgate audit`: whether the log is as it was written, and what of it can be kept outside.
//!
//! Nothing here opens the store for writing: what is wrong with a log must not keep anybody from
//! looking at it.

mod proof;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use offgate_core::checkpoint::Checkpoint;
use offgate_core::parameters::Revision;
use offgate_link::join_token::RootFingerprint;
use offgate_link::log_proof::signed_below;
use offgate_server::Keys;
use offgate_store::{Audit, DATABASE_FILE, Finding, Reader};

use crate::exit::Failure;
use crate::moment::{shown, utc};
use crate::record::{Format, Record};
use crate::settings::Config;
use crate::store_keys;
use crate::system::{SystemClock, SystemRandomness};
use crate::terminal::talk;

/// What to do with the log.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Compute the whole log again, and name the first entry that is not as it was written
    Verify(VerifyArguments),
    /// Give the newest signed checkpoint, to be kept outside
    Checkpoint(OutputArguments),
    /// Prove that an entry is in the log, or that the log continues from an earlier checkpoint
    Prove(ProveArguments),
    /// Check a file of `checkpoint` or `prove`; needs no store
    Check(CheckArguments),
}

/// `offgate audit verify`
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The fingerprint of the store's root, as it was kept outside [default: the one that is found
    /// in the data directory]
    #[arg(long, value_name = "FINGERPRINT")]
    root: Option<RootFingerprint>,
}

/// Where a file goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArguments {
    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `offgate audit prove`
#[derive(Clone, Debug, Args)]
pub(crate) struct ProveArguments {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    output: OutputArguments,
}

/// What is proven.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct What {
    /// The entry, by its number in the log
    #[arg(value_name = "REVISION")]
    entry: Option<u64>,
    /// A file with the earlier checkpoint
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

/// `offgate audit check`
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArguments {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The fingerprint of the store's root, as it was kept outside; without it who signed is not
    /// known
    #[arg(long, value_name = "FINGERPRINT")]
    root: Option<RootFingerprint>,
    /// A file with a checkpoint that was kept outside, from which the log must continue
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

pub(crate) fn run(
    config: impl FnOnce() -> Result<Config, Failure>,
    command: &AuditCommand,
    format: Format,
) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(arguments) => verify(&config()?, arguments.root, format),
        AuditCommand::Checkpoint(to) => proof::checkpoint(&config()?, to, format),
        AuditCommand::Prove(arguments) => proof::prove(&config()?, arguments, format),
        AuditCommand::Check(arguments) => proof::check(arguments, format),
    }
}

/// Reads the store in the data directory.
fn reader(config: &Config) -> Result<Reader, Failure> {
    let data = &config.data.value;
    if !data.join(DATABASE_FILE).exists() {
        return Err(Failure::Unavailable(format!(
            "there is no Offgate data in {} ({}); --data DIR names others",
            data.display(),
            config.data.source,
        )));
    }
    let (clock, randomness) = (Arc::new(SystemClock), Arc::new(SystemRandomness));
    Ok(Reader::of(data, clock, randomness)?)
}

/// The fingerprint of the root, as the data directory has it. Makes no keys.
fn own_root(config: &Config) -> Result<RootFingerprint, Failure> {
    let data = &config.data.value;
    if !Keys::exist(data) {
        return Err(Failure::Unavailable(format!(
            "there are no keys in {}; --root names the root",
            data.display()
        )));
    }
    let randomness = SystemRandomness;
    Ok(store_keys::open(data, &SystemClock, &randomness, talk)?.fingerprint())
}

fn verify(config: &Config, root: Option<RootFingerprint>, format: Format) -> Result<(), Failure> {
    let reader = reader(config)?;
    let (root, known) = match root {
        Some(root) => (root, "given"),
        None => (own_root(config)?, "in the data directory"),
    };
    let audit = reader.audit()?;
    let found = wrong(&audit, root);
    let newest = audit
        .checkpoints
        .last()
        .and_then(|newest| Checkpoint::read(&newest.statement).ok());
    let zone = utc()?;
    let erased_for_nobody: Vec<u64> = audit
        .erased_for_nobody
        .iter()
        .map(|revision| revision.number())
        .collect();
    Record::default()
        .with("adds_up", found.is_none())
        .with("found", found.as_ref().map(|(_, words)| words.as_str()))
        .with(
            "first_bad_entry",
            found.as_ref().map(|(revision, _)| revision.number()),
        )
        .with("entries", audit.entries)
        .with("details_readable", audit.readable)
        .with("details_erased", audit.erased)
        .with("details_without_key", audit.unreadable)
        .with("erased_people", audit.erasures)
        .with("erased_for_nobody", erased_for_nobody)
        .with("tree", audit.root.to_string())
        .with("checkpoints", audit.checkpoints.len())
        .with("signed_up_to", newest.map(|newest| newest.size))
        .with("signed_at", newest.map(|newest| shown(&zone, newest.at)))
        .with("root", root.to_string())
        .with("root_is", known)
        .show(format);
    match found {
        None => Ok(()),
        Some(_) => Err(Failure::DoesNotAddUp),
    }
}

/// What is wrong first, if anything is, in words.
fn wrong(audit: &Audit, root: RootFingerprint) -> Option<(Revision, String)> {
    // Checkpoints that were met fit the log up to there, so a signature comes before a finding.
    for signed in &audit.checkpoints {
        if let Err(why) = signed_below(signed, root) {
            let size = Checkpoint::read(&signed.statement).map_or(0, |read| read.size);
            let words = format!("the checkpoint after entry {size} is not this store's: {why}");
            return Some((Revision::new(size), words));
        }
    }
    let unlisted = audit.erased_for_nobody.first().copied().map(|revision| {
        let words = format!(
            "details of entry {} are erased, and nobody whom they may be about is on the list of erasures",
            revision.number()
        );
        (revision, words)
    });
    unlisted.or_else(|| audit.finding.map(words))
}

fn words(finding: Finding) -> (Revision, String) {
    let (revision, what) = match finding {
        Finding::Missing(revision) => (revision, "is missing"),
        Finding::Entry(revision) => (revision, "is not as it was written"),
        Finding::Subtree(revision) => (
            revision,
            "completes a part of the tree whose hash is not as it was written",
        ),
        Finding::Details(revision) => (
            revision,
            "has details that are not those it was written with",
        ),
        Finding::Checkpoint(revision) => (
            revision,
            "is followed by a checkpoint that does not fit: something between it and the checkpoint before was rewritten, or the checkpoint was",
        ),
        Finding::NotSigned(revision) => (revision, "and what follows is covered by no checkpoint"),
    };
    (revision, format!("entry {} {what}", revision.number()))
}
