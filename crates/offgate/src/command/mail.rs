//! `offgate mail`: by which server mail leaves, to whom checkpoints go, and what became of letters.

use std::io::Read as _;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use offgate_core::command::Command;
use offgate_core::mail::{
    Authorities, CheckpointMail, Every, HostName, MailServer, MailUser, NewPassword, Protection,
};
use offgate_core::records::Records as _;
use offgate_core::text::{Email, TextError};
use offgate_server::{MailPassword, send_test_mail};

use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{List, Record};
use crate::terminal::secret;

/// What to do about mail.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum MailCommand {
    /// Show by which server mail leaves, to whom checkpoints go, and how it goes; never the password
    Show,
    /// Set by which server mail leaves, or change that
    Set(Box<Set>),
    /// Send no mail any more; what waits is given up, and the password is forgotten
    Stop,
    /// Send a letter that says nothing, now, and say what the server answered
    Test(Test),
    /// Mail a signed checkpoint of the log to somebody outside every so often, or no more
    Checkpoint(Checkpoint),
    /// List letters that failed for good, the last first
    Failures(Failures),
}

/// `offgate mail set`
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// The server that takes mail, by name or address
    #[arg(long, value_name = "HOST")]
    server: Option<String>,
    /// Its port [default: 465 for tls, 587 for starttls, 25 for none]
    #[arg(long)]
    port: Option<NonZeroU16>,
    /// How what is said to it is kept from others [default: tls]
    #[arg(long, value_enum)]
    tls: Option<Way>,
    /// Who signs in there; "" for nobody
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Where to read the password: a file, or - for standard input
    #[arg(long, value_name = "FILE|-")]
    password: Option<String>,
    /// The address mail comes from
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// What this server calls itself in its mail, as in doors.example.com
    #[arg(long, value_name = "HOST")]
    name: Option<String>,
    /// A file with the certificate of whoever vouches for the mail server, in PEM, in place of those
    /// whom the operating system trusts; "" for those
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// TLS from the first byte
    Tls,
    /// TLS after STARTTLS, and nothing without it
    Starttls,
    /// No TLS; only for a server on this machine
    None,
}

impl From<Way> for Protection {
    fn from(way: Way) -> Self {
        match way {
            Way::Tls => Self::Tls,
            Way::Starttls => Self::StartTls,
            Way::None => Self::None,
        }
    }
}

/// `offgate mail test`
#[derive(Clone, Debug, Args)]
pub(crate) struct Test {
    /// To whom
    #[arg(long, value_name = "ADDRESS")]
    to: String,
}

/// `offgate mail checkpoint`
#[derive(Clone, Debug, Args)]
pub(crate) struct Checkpoint {
    /// To whom: somebody outside, so that whoever takes the server cannot take it back
    #[arg(long, value_name = "ADDRESS", required_unless_present = "every")]
    to: Option<String>,
    /// How often [default: day]
    #[arg(long, value_enum)]
    every: Option<HowOften>,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HowOften {
    /// Every day
    Day,
    /// Every week
    Week,
    /// Not any more
    Never,
}

/// `offgate mail failures`
#[derive(Clone, Debug, Args)]
pub(crate) struct Failures {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Where the last page ended; it said so
    #[arg(long, value_name = "CURSOR")]
    after: Option<i64>,
}

pub(crate) fn run(books: &Books, command: &MailCommand) -> Result<(), Failure> {
    match command {
        MailCommand::Show => show(books),
        MailCommand::Set(set) => change(books, set),
        MailCommand::Stop => {
            books.carry_out(Command::StopMail)?;
            books.keys().forget_mail_password()?;
            show(books)
        }
        MailCommand::Test(to) => test(books, to),
        MailCommand::Checkpoint(mail) => checkpoint(books, mail),
        MailCommand::Failures(which) => failures(books, which),
    }
}

fn show(books: &Books) -> Result<(), Failure> {
    let reader = books.reader();
    let zone = zone(&reader)?;
    let server = reader.mail_server()?;
    let kept = match &server {
        Some(server) => Some(books.keys().keeps_mail_password(server)?),
        None => None,
    };
    let server = server.as_ref();
    let checkpoints = reader.checkpoint_mail_due()?;
    let mail = checkpoints.as_ref().map(|(mail, _)| mail);
    let outbox = reader.outbox()?;
    Record::default()
        .with("server", server.map(|it| it.host.as_str()))
        .with("port", server.map(|it| it.port.get()))
        .with("tls", server.map(|it| it.protection.name()))
        .with(
            "user",
            server.and_then(|it| it.user.as_ref().map(|it| it.as_str())),
        )
        .with("password_kept", kept)
        .with("from", server.map(|it| it.sender.as_str()))
        .with("name", server.map(|it| it.name.as_str()))
        .with(
            "own_authority",
            server.map(|server| server.authorities.is_some()),
        )
        .with("checkpoints_to", mail.map(|it| it.to.as_str()))
        .with("checkpoints_every", mail.map(|it| it.every.name()))
        .with(
            "next_checkpoint_at",
            checkpoints.as_ref().map(|(_, due)| shown(&zone, *due)),
        )
        .with("last_sent_at", outbox.last_sent.map(|at| shown(&zone, at)))
        .with("waiting", outbox.waiting)
        .with(
            "waiting_since",
            outbox.waiting_since.map(|at| shown(&zone, at)),
        )
        .with("problem", outbox.problem.map(|it| it.sentences()))
        .with("failed", outbox.failed)
        .show(books.format);
    Ok(())
}

/// Reads a value that was given, keeps the one there was, or says that one is needed.
fn given<T>(
    argument: &'static str,
    text: Option<&String>,
    parse: fn(&str) -> Result<T, TextError>,
    before: Option<T>,
) -> Result<T, Failure> {
    match (text, before) {
        (Some(text), _) => parse(text).map_err(|error| Failure::usage(argument, error)),
        (None, Some(before)) => Ok(before),
        (None, None) => Err(Failure::usage(argument, "needed the first time")),
    }
}

fn change(books: &Books, set: &Set) -> Result<(), Failure> {
    let before = books.reader().mail_server()?;
    let before = before.as_ref();
    let protection = set
        .tls
        .map(Protection::from)
        .or(before.map(|it| it.protection))
        .unwrap_or(Protection::Tls);
    let usual = match before {
        Some(before) if before.protection == protection => before.port,
        _ => protection.port(),
    };
    let server = MailServer {
        host: given(
            "--server",
            set.server.as_ref(),
            HostName::parse,
            before.map(|it| it.host.clone()),
        )?,
        port: set.port.unwrap_or(usual),
        protection,
        user: match set.user.as_deref() {
            Some("") => None,
            Some(user) => {
                Some(MailUser::parse(user).map_err(|error| Failure::usage("--user", error))?)
            }
            None => before.and_then(|it| it.user.clone()),
        },
        sender: given(
            "--from",
            set.from.as_ref(),
            Email::parse,
            before.map(|it| it.sender.clone()),
        )?,
        name: given(
            "--name",
            set.name.as_ref(),
            HostName::parse,
            before.map(|it| it.name.clone()),
        )?,
        authorities: match &set.authority {
            Some(path) if path.as_os_str().is_empty() => None,
            Some(path) => Some(authorities(path)?),
            None => before.and_then(|it| it.authorities.clone()),
        },
    };
    let password = match (&set.password, &server.user) {
        (Some(_), None) => {
            return Err(Failure::usage("--password", "whose? --user names them"));
        }
        (Some(source), Some(_)) => {
            let text = secret("the password of the mail server", source)?;
            let password = MailPassword::new(&text);
            Some(password.ok_or_else(|| Failure::usage("--password", "too long"))?)
        }
        (None, _) => None,
    };
    let new = match password {
        Some(_) => NewPassword::Given,
        None => NewPassword::Kept,
    };
    books.carry_out(Command::SetUpMail(server.clone(), new))?;
    match password {
        Some(password) => books.keys().keep_mail_password(&server, &password)?,
        None if server.user.is_none() => books.keys().forget_mail_password()?,
        None => {}
    }
    show(books)
}

pub(super) fn authorities(path: &Path) -> Result<Authorities, Failure> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| {
            file.take(Authorities::LIMIT as u64 + 1)
                .read_to_string(&mut text)
        })
        .map_err(|error| Failure::usage("--authority", format!("{}: {error}", path.display())))?;
    Authorities::parse(&text).map_err(|error| Failure::usage("--authority", error))
}

fn address(text: &str) -> Result<Email, Failure> {
    Email::parse(text).map_err(|error| Failure::usage("--to", error))
}

fn test(books: &Books, test: &Test) -> Result<(), Failure> {
    let to = address(&test.to)?;
    books.carry_out(Command::TestMail(to.clone()))?;
    let Some(server) = books.reader().mail_server()? else {
        return Err(Failure::Unavailable("no mail server is set up".to_owned()));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable("threads", error))?;
    let sent = runtime.block_on(send_test_mail(
        &server,
        books.keys(),
        &to,
        books.clock(),
        books.randomness(),
    ));
    let said = sent.map_err(|problem| Failure::Unavailable(problem.sentences()))?;
    Record::default()
        .with("accepted_by", server.host.as_str())
        .with("at", shown(&zone(&books.reader())?, books.now()))
        .with("said", said.as_str())
        .show(books.format);
    Ok(())
}

fn checkpoint(books: &Books, mail: &Checkpoint) -> Result<(), Failure> {
    let before = books.reader().checkpoint_mail()?;
    let every = match mail.every {
        Some(HowOften::Never) => None,
        Some(HowOften::Day) => Some(Every::Day),
        Some(HowOften::Week) => Some(Every::Week),
        None => Some(before.as_ref().map_or(Every::Day, |it| it.every)),
    };
    let after = match every {
        None => None,
        Some(every) => Some(CheckpointMail {
            to: given(
                "--to",
                mail.to.as_ref(),
                Email::parse,
                before.map(|it| it.to),
            )?,
            every,
        }),
    };
    books.carry_out(Command::ChangeCheckpointMail(after))?;
    show(books)
}

fn failures(books: &Books, which: &Failures) -> Result<(), Failure> {
    let reader = books.reader();
    let zone = zone(&reader)?;
    let limit = usize::from(which.limit);
    let mut found = reader.failed_letters(which.after, limit + 1)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|it| it.number.to_string());
    let rows = found.into_iter().map(|letter| {
        Record::default()
            .with("at", shown(&zone, letter.at))
            .with("what", letter.kind.name())
            .with("to", letter.to.as_ref().map_or("webhook", |to| to.as_str()))
            .with("attempts", letter.attempts)
            .with("why", letter.problem.sentences())
            .with("id", letter.id.to_string())
    });
    List {
        columns: &["at", "what", "to", "attempts", "why"],
        rows: rows.collect(),
        next,
    }
    .show(books.format);
    Ok(())
}
