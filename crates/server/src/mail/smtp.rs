//! Hands one letter to the mail server (RFC 5321), over TLS from the first byte or after STARTTLS.
//!
//! Each step is made on its own, so that what went wrong can be told apart: what is wrong with the
//! server or the settings ends some day, what the server says of the letter does not. A password
//! or a letter is only ever sent over what the settings ask for.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use offgate_core::mail::{Hurdle, Letter, MailServer, Problem, Protection, ServerSaid};
use offgate_core::parameters::Timestamp;
use offgate_core::text::Email;

use crate::keys::MailPassword;

/// How long it may take to reach the server.
const REACHED_WITHIN: Duration = Duration::from_secs(15);
/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(60);

/// A hurdle of which the server said nothing.
pub(super) fn problem(hurdle: Hurdle) -> Problem {
    Problem {
        hurdle,
        said: ServerSaid::default(),
    }
}

/// Hands a letter over, and says what the server answered that took it.
pub(super) async fn deliver(
    server: &MailServer,
    password: Option<&MailPassword>,
    letter: &Letter,
    now: Timestamp,
) -> Result<ServerSaid, Problem> {
    let message = message(server, letter, now).ok_or_else(|| problem(Hurdle::NoAddress))?;
    match tokio::time::timeout(WITHIN, hand_over(server, password, &message)).await {
        Ok(answer) => answer,
        Err(_) => Err(problem(Hurdle::NotReached)),
    }
}

async fn hand_over(
    server: &MailServer,
    password: Option<&MailPassword>,
    message: &Message,
) -> Result<ServerSaid, Problem> {
    let credentials = match (&server.user, password) {
        (None, _) => None,
        (Some(user), Some(password)) => Some(Credentials::new(
            user.as_str().to_owned(),
            password.text().to_owned(),
        )),
        (Some(_), None) => return Err(problem(Hurdle::NoPassword)),
    };
    let mut connection = connect(server).await?;
    if let Some(credentials) = credentials {
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        connection
            .auth(&mechanisms, &credentials)
            .await
            // What a server says about a password is kept by its number only.
            .map_err(|error| match error.status() {
                Some(code) => Problem {
                    hurdle: Hurdle::SignInRefused,
                    said: ServerSaid::of(&code.to_string()),
                },
                None if error.is_client() => problem(Hurdle::SignInRefused),
                None => problem(Hurdle::CutOff),
            })?;
    }
    let answer = connection
        .send(message.envelope(), &message.formatted())
        .await
        .map_err(|error| refused(&error))?;
    // The letter is theirs now, whether or not the farewell is heard.
    let _ = connection.quit().await;
    let lines: Vec<&str> = answer.message().collect();
    Ok(ServerSaid::of(&format!(
        "{} {}",
        answer.code(),
        lines.join(" ")
    )))
}

/// A connection on which what comes next may be said.
async fn connect(server: &MailServer) -> Result<AsyncSmtpConnection, Problem> {
    let name = ClientId::Domain(server.name.as_str().to_owned());
    let at = (server.host.as_str(), server.port.get());
    let tls = match server.protection {
        Protection::Tls | Protection::StartTls => Some(trusted(server)?),
        Protection::None if server.host.is_this_machine() => None,
        Protection::None => return Err(problem(Hurdle::NoStartTls)),
    };
    let (from_the_start, after_starttls) = match server.protection {
        Protection::StartTls => (None, tls),
        Protection::Tls | Protection::None => (tls, None),
    };
    let within = Some(REACHED_WITHIN);
    let mut connection =
        AsyncSmtpConnection::connect_tokio1(at, within, &name, from_the_start, None)
            .await
            .map_err(|error| not_connected(&error))?;
    if let Some(tls) = after_starttls {
        if !connection.can_starttls() {
            connection.abort().await;
            return Err(problem(Hurdle::NoStartTls));
        }
        connection
            .starttls(tls, &name)
            .await
            .map_err(|error| not_connected(&error))?;
    }
    Ok(connection)
}

/// Whom the server's certificate must come from.
fn trusted(server: &MailServer) -> Result<TlsParameters, Problem> {
    let not_trusted = |_| problem(Hurdle::NotTrusted);
    let mut builder = TlsParameters::builder(server.host.as_str().to_owned());
    if let Some(authorities) = &server.authorities {
        let certificates =
            Certificate::from_pem(authorities.as_str().as_bytes()).map_err(not_trusted)?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificates);
    }
    builder.build_rustls().map_err(not_trusted)
}

/// Why there is no connection.
fn not_connected(error: &Error) -> Problem {
    if error.status().is_some() {
        return refused_for_now(error);
    }
    let mut cause = error.source();
    while let Some(found) = cause {
        let inner = found
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref())
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .or_else(|| found.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(_)) => return problem(Hurdle::NotTrusted),
            Some(_) => return problem(Hurdle::CutOff),
            None => cause = found.source(),
        }
    }
    if error.is_response() || error.is_client() || is_cut(error) {
        problem(Hurdle::CutOff)
    } else {
        problem(Hurdle::NotReached)
    }
}

/// Whether the other side hung up.
fn is_cut(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let kind = error
        .source()
        .and_then(|cause| cause.downcast_ref::<std::io::Error>())
        .map(std::io::Error::kind);
    matches!(
        kind,
        Some(BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
    )
}

/// Why the letter was not taken.
fn refused(error: &Error) -> Problem {
    if error.is_permanent() {
        return Problem {
            hurdle: Hurdle::RefusedForGood,
            ..refused_for_now(error)
        };
    }
    match error.status() {
        Some(_) => refused_for_now(error),
        None if error.is_client() => problem(Hurdle::NoAddress),
        None => problem(Hurdle::CutOff),
    }
}

/// What was said to a letter, or to nobody yet: a server that takes none today may tomorrow.
fn refused_for_now(error: &Error) -> Problem {
    let code = error.status().map(|code| code.to_string());
    let words = error.source().map(ToString::to_string);
    let said = [code, words].into_iter().flatten().collect::<Vec<_>>();
    Problem {
        hurdle: Hurdle::RefusedForNow,
        said: ServerSaid::of(&said.join(" ")),
    }
}

/// The letter as it goes over the wire; none if an address cannot be written to.
fn message(server: &MailServer, letter: &Letter, now: Timestamp) -> Option<Message> {
    let mailbox = |address: &Email| {
        let address = address.as_str().parse::<Address>().ok()?;
        Some(Mailbox::new(None, address))
    };
    let at = Duration::from_micros(u64::try_from(now.microseconds()).ok()?);
    let builder = Message::builder()
        .from(mailbox(&server.sender)?)
        .to(mailbox(&letter.to)?)
        .subject(letter.subject.as_str())
        .date(SystemTime::UNIX_EPOCH + at)
        // The same each time it is tried: who gets it twice can tell.
        .message_id(Some(format!("<{}@{}>", letter.id, server.name.as_str())));
    let text = SinglePart::plain(letter.text.clone());
    let built = match &letter.attachment {
        None => builder.singlepart(text),
        Some(attachment) => {
            let file = Attachment::new(attachment.name.clone()).body(
                attachment.bytes.clone(),
                ContentType::parse("application/octet-stream").ok()?,
            );
            let boundary = format!("part-{}", letter.id);
            let parts = MultiPart::mixed().boundary(boundary);
            builder.multipart(parts.singlepart(text).singlepart(file))
        }
    };
    built.ok()
}
