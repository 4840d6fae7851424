//! `offgate webhook`: the address at which another program listens for alerts.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use offgate_core::alert::AlertKind;
use offgate_core::command::Command;
use offgate_core::records::Records as _;
use offgate_core::webhook::{Webhook, WebhookAddress, WebhookState};
use offgate_server::{WebhookSecret, send_test_webhook};

use super::alert::Kind;
use super::mail::authorities;
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::Record;

/// What to do about the webhook.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Show where alerts are sent, which, and how it goes; never the secret
    Show,
    /// Set where alerts are sent, or change that; another address gets a secret, shown once
    Set(Set),
    /// Sign with another secret, shown once; the one before signs beside it for a day
    ReplaceSecret,
    /// Send something that says nothing, now, and say what was answered
    Test,
    /// Send nothing any more; what waits is given up, and the secret is forgotten
    Stop,
}

/// `offgate webhook set`
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// Where: https://, or http:// to a program on this machine
    #[arg(long, value_name = "ADDRESS")]
    url: Option<String>,
    /// A kind of alert that is sent there; may be given several times [default: all]
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Vec<Kind>,
    /// A file with the certificate of whoever vouches for it, in PEM, in place of those whom the
    /// operating system trusts; "" for those
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
}

pub(crate) fn run(books: &Books, command: &WebhookCommand) -> Result<(), Failure> {
    match command {
        WebhookCommand::Show => show(books, None),
        WebhookCommand::Set(set) => change(books, set),
        WebhookCommand::ReplaceSecret => {
            books.carry_out(Command::ReplaceWebhookSecret)?;
            let secret = match books.reader().webhook()? {
                Some(webhook) => Some(another_secret(books, &webhook.address)?),
                None => None,
            };
            show(books, secret.as_ref())
        }
        WebhookCommand::Test => test(books),
        WebhookCommand::Stop => {
            books.carry_out(Command::StopWebhook)?;
            books.keys().forget_webhook_secret()?;
            show(books, None)
        }
    }
}

fn another_secret(books: &Books, address: &WebhookAddress) -> Result<WebhookSecret, Failure> {
    Ok(books
        .keys()
        .replace_webhook_secret(address, books.now(), books.randomness())?)
}

fn show(books: &Books, secret: Option<&WebhookSecret>) -> Result<(), Failure> {
    let reader = books.reader();
    let zone = zone(&reader)?;
    let webhook = reader.webhook()?;
    let kept = match &webhook {
        Some(webhook) => Some(books.keys().keeps_webhook_secret(&webhook.address)?),
        None => None,
    };
    let webhook = webhook.as_ref();
    let kinds = webhook.map(|it| {
        let names: Vec<_> = it.kinds.iter().map(|kind| kind.name()).collect();
        names.join(", ")
    });
    let gone_at = webhook.and_then(|it| match it.state {
        WebhookState::Open => None,
        WebhookState::Gone { at } => Some(shown(&zone, at)),
    });
    let outbox = reader.webhook_outbox()?;
    let mut record = Record::default()
        .with("url", webhook.map(|it| it.address.as_str()))
        .with("alerts", kinds)
        .with(
            "own_authority",
            webhook.map(|webhook| webhook.authorities.is_some()),
        )
        .with("secret_kept", kept)
        .with("gone_at", gone_at)
        .with("last_sent_at", outbox.last_sent.map(|at| shown(&zone, at)))
        .with("waiting", outbox.waiting)
        .with(
            "waiting_since",
            outbox.waiting_since.map(|at| shown(&zone, at)),
        )
        .with("problem", outbox.problem.map(|it| it.sentences()))
        .with("failed", outbox.failed);
    if let Some(secret) = secret {
        record = record.with("secret", secret.text());
    }
    record.show(books.format);
    Ok(())
}

fn change(books: &Books, set: &Set) -> Result<(), Failure> {
    let before = books.reader().webhook()?;
    let address = match (&set.url, &before) {
        (Some(url), _) => {
            WebhookAddress::parse(url).map_err(|error| Failure::usage("--url", error))?
        }
        (None, Some(before)) => before.address.clone(),
        (None, None) => return Err(Failure::usage("--url", "needed the first time")),
    };
    let kinds: BTreeSet<AlertKind> = match (set.kind.as_slice(), &before) {
        ([], Some(before)) => before.kinds.clone(),
        ([], None) => AlertKind::ALL.into_iter().collect(),
        (kinds, _) => kinds.iter().copied().map(AlertKind::from).collect(),
    };
    let webhook = Webhook {
        address: address.clone(),
        kinds,
        authorities: match &set.authority {
            Some(path) if path.as_os_str().is_empty() => None,
            Some(path) => Some(authorities(path)?),
            None => before.and_then(|it| it.authorities),
        },
        state: WebhookState::Open,
    };
    books.carry_out(Command::SetUpWebhook(Box::new(webhook)))?;
    let secret = if books.keys().keeps_webhook_secret(&address)? {
        None
    } else {
        Some(another_secret(books, &address)?)
    };
    show(books, secret.as_ref())
}

fn test(books: &Books) -> Result<(), Failure> {
    books.carry_out(Command::TestWebhook)?;
    let Some(webhook) = books.reader().webhook()? else {
        return Err(Failure::Unavailable("no webhook is set up".to_owned()));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable("threads", error))?;
    let sent = runtime.block_on(send_test_webhook(
        &webhook,
        books.keys(),
        books.clock(),
        books.randomness(),
    ));
    let said = sent.map_err(|problem| Failure::Unavailable(problem.sentences()))?;
    Record::default()
        .with("accepted_by", webhook.address.host().as_str())
        .with("at", shown(&zone(&books.reader())?, books.now()))
        .with("said", said.as_str())
        .show(books.format);
    Ok(())
}
