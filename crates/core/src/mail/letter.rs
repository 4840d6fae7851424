//! Letters that wait in the outbox, what keeps one from going, and when it is tried again.

use std::time::Duration;

use crate::alert::AlertKind;
use crate::id::{LetterId, UserId};
use crate::parameters::{Randomness, Timestamp};
use crate::text::{Email, is_forbidden};

/// How often one letter is tried.
pub const ATTEMPTS: u32 = 20;
/// How long one letter is tried.
pub const GIVEN_UP_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);
/// How long after the first attempt the second is.
const FIRST_WAIT: Duration = Duration::from_secs(60);
/// The longest time between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// What a letter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterKind {
    /// A checkpoint of the log.
    Checkpoint,
    /// An alert.
    Alert(AlertKind),
}

impl LetterKind {
    /// The name in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Alert(kind) => kind.name(),
        }
    }

    /// What has this name in rows.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == Self::Checkpoint.name() {
            return Some(Self::Checkpoint);
        }
        AlertKind::from_name(name).map(Self::Alert)
    }

    /// What it is called on a page.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Checkpoint => "Checkpoint",
            Self::Alert(kind) => kind.words(),
        }
    }
}

/// A file that goes with a letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is called.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Something to be sent. One that names anybody has to be about them ([`Posting::about`]): a letter
/// lies about until it is sent, and who is erased must not be found in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Which; a server that is sent it twice can tell by it.
    pub id: LetterId,
    /// To whom.
    pub to: Email,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A file.
    pub attachment: Option<Attachment>,
}

/// A letter for the outbox.
#[derive(Clone, PartialEq, Eq)]
pub struct Posting {
    /// It.
    pub letter: Letter,
    /// What it is for.
    pub kind: LetterKind,
    /// The person it is about: when they go, it goes.
    pub about: Option<UserId>,
}

/// What keeps a letter from going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurdle {
    /// No server is set up.
    NotSetUp,
    /// The server could not be reached, or did not answer in time.
    NotReached,
    /// The connection was cut, or what was heard made no sense.
    CutOff,
    /// The server did not show a certificate that is trusted.
    NotTrusted,
    /// The server offers no STARTTLS; nothing was sent in the clear.
    NoStartTls,
    /// The password is not kept here, or was given for another server.
    NoPassword,
    /// The server did not take user name and password.
    SignInRefused,
    /// The server refused the letter for now.
    RefusedForNow,
    /// The server refused the letter for good.
    RefusedForGood,
    /// Sender or recipient is no address that can be written to.
    NoAddress,
    /// No webhook is set up.
    WebhookNotSetUp,
    /// Whoever listens could not be reached, or did not answer in time.
    WebhookNotReached,
    /// The connection was cut, or what was heard made no sense.
    WebhookCutOff,
    /// Whoever listens did not show a certificate that is trusted.
    WebhookNotTrusted,
    /// The secret for this address is not kept here.
    WebhookNoSecret,
    /// The answer sends to somewhere else, where nothing is sent.
    WebhookRedirects,
    /// The answer was not that it was taken.
    WebhookRefused,
    /// Nobody listens there any more.
    WebhookGone,
}

impl Hurdle {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::NotSetUp,
        Self::NotReached,
        Self::CutOff,
        Self::NotTrusted,
        Self::NoStartTls,
        Self::NoPassword,
        Self::SignInRefused,
        Self::RefusedForNow,
        Self::RefusedForGood,
        Self::NoAddress,
        Self::WebhookNotSetUp,
        Self::WebhookNotReached,
        Self::WebhookCutOff,
        Self::WebhookNotTrusted,
        Self::WebhookNoSecret,
        Self::WebhookRedirects,
        Self::WebhookRefused,
        Self::WebhookGone,
    ];

    /// The name in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotSetUp => "not-set-up",
            Self::NotReached => "not-reached",
            Self::CutOff => "cut-off",
            Self::NotTrusted => "not-trusted",
            Self::NoStartTls => "no-starttls",
            Self::NoPassword => "no-password",
            Self::SignInRefused => "sign-in-refused",
            Self::RefusedForNow => "refused-for-now",
            Self::RefusedForGood => "refused-for-good",
            Self::NoAddress => "no-address",
            Self::WebhookNotSetUp => "webhook-not-set-up",
            Self::WebhookNotReached => "webhook-not-reached",
            Self::WebhookCutOff => "webhook-cut-off",
            Self::WebhookNotTrusted => "webhook-not-trusted",
            Self::WebhookNoSecret => "webhook-no-secret",
            Self::WebhookRedirects => "webhook-redirects",
            Self::WebhookRefused => "webhook-refused",
            Self::WebhookGone => "webhook-gone",
        }
    }

    /// What has this name in rows.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// What happened, as part of a sentence about the mail server.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotSetUp => "no mail server is set up",
            Self::NotReached => "the mail server could not be reached, or did not answer in time",
            Self::CutOff => "the connection to the mail server was cut, or it made no sense",
            Self::NotTrusted => "the mail server’s certificate is not trusted",
            Self::NoStartTls => {
                "the mail server offers no STARTTLS, and nothing was sent in the clear"
            }
            Self::NoPassword => "the password for this mail server is not kept here",
            Self::SignInRefused => "the mail server did not take user name and password",
            Self::RefusedForNow => "the mail server refused the letter for now",
            Self::RefusedForGood => "the mail server refused the letter",
            Self::NoAddress => "sender or recipient is no address that can be written to",
            Self::WebhookNotSetUp => "no webhook is set up",
            Self::WebhookNotReached => {
                "the webhook could not be reached, or did not answer in time"
            }
            Self::WebhookCutOff => "the connection to the webhook was cut, or it made no sense",
            Self::WebhookNotTrusted => "the webhook’s certificate is not trusted",
            Self::WebhookNoSecret => "the secret for this webhook is not kept here",
            Self::WebhookRedirects => "the webhook sends to another address, where nothing is sent",
            Self::WebhookRefused => "the webhook did not take it",
            Self::WebhookGone => "nobody listens at the webhook any more",
        }
    }

    /// What whoever looks after it can do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::NotSetUp => "Set up a mail server.",
            Self::NotReached => "Check its name and port, and whether a firewall is between.",
            Self::CutOff => "Check the port, and that the way of TLS belongs to it.",
            Self::NotTrusted => {
                "Check its name, which must be the one in its certificate; for a server inside the \
                 house give the certificate of the authority that vouches for it."
            }
            Self::NoStartTls => "Choose TLS from the start, usually at port 465.",
            Self::NoPassword => "Give the password again.",
            Self::SignInRefused => "Check user name and password.",
            Self::RefusedForNow => "It is tried again by itself.",
            Self::RefusedForGood => "Check sender and recipient; what the server said tells more.",
            Self::NoAddress => "Check sender and recipient.",
            Self::WebhookNotSetUp => "Set up a webhook.",
            Self::WebhookNotReached => "Check its address, and whether a firewall is between.",
            Self::WebhookCutOff => "Check its address, and what listens there.",
            Self::WebhookNotTrusted => {
                "Check its address, whose name must be the one in the certificate; for a program \
                 inside the house give the certificate of the authority that vouches for it."
            }
            Self::WebhookNoSecret => "Replace the secret, and give it to whoever listens.",
            Self::WebhookRedirects => "Set up the address where it is to go.",
            Self::WebhookRefused => "It is tried again by itself; its own log says more.",
            Self::WebhookGone => "Set up the webhook anew if somebody listens again.",
        }
    }

    /// Whether it stands in the way of this letter whatever else changes. The others are of the
    /// server or the settings, and end.
    const fn is_for_good(self) -> bool {
        matches!(
            self,
            Self::RefusedForGood | Self::NoAddress | Self::WebhookGone
        )
    }
}

/// What a mail server answered, as it is kept and shown: one line, not too long, with nothing in it
/// that shows as nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerSaid(String);

impl ServerSaid {
    /// The most characters that are kept.
    pub const LIMIT: usize = 200;

    /// What is kept of an answer.
    #[must_use]
    pub fn of(answer: &str) -> Self {
        let words: Vec<&str> = answer.split_whitespace().collect();
        let line = words.join(" ");
        let shown = line.chars().filter(|it| !is_forbidden(*it));
        Self(shown.take(Self::LIMIT).collect())
    }

    /// The line; empty if nothing was said.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a letter did not go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What was in the way.
    pub hurdle: Hurdle,
    /// What the server said, if it said anything.
    pub said: ServerSaid,
}

impl Problem {
    /// What happened and what can be done, in sentences.
    #[must_use]
    pub fn sentences(&self) -> String {
        let words = self.hurdle.words();
        let mut letters = words.chars();
        let first: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .collect();
        let said = match self.said.as_str() {
            "" => String::new(),
            said => format!(" It said: “{said}”."),
        };
        format!(
            "{first}{}.{said} {}",
            letters.as_str(),
            self.hurdle.advice()
        )
    }
}

/// What becomes of a letter that did not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAttempt {
    /// It is tried again from then on.
    At(Timestamp),
    /// It is not tried again.
    Never,
}

/// Decides when a letter is tried again that did not go at `now`, at its attempt of this number
/// (the first is 1): after a minute, then after twice as long each time, six hours at most, each
/// shortened by up to a quarter at random, so that not all come back at once.
#[must_use]
pub fn after_problem(
    hurdle: Hurdle,
    attempt: u32,
    created: Timestamp,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> NextAttempt {
    if hurdle.is_for_good() || attempt >= ATTEMPTS {
        return NextAttempt::Never;
    }
    let doubled = FIRST_WAIT.saturating_mul(1 << attempt.saturating_sub(1).min(10));
    let longest = doubled.min(LONGEST_WAIT);
    let mut bytes = [0; 2];
    randomness.fill(&mut bytes);
    let shorter = longest / 4 * u32::from(u16::from_be_bytes(bytes)) / u32::from(u16::MAX);
    let next = now.plus(longest.saturating_sub(shorter));
    if next.since(created) > GIVEN_UP_AFTER {
        NextAttempt::Never
    } else {
        NextAttempt::At(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);
    impl Randomness for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    const START: Timestamp = Timestamp::from_seconds(1_795_000_000);

    #[test]
    fn waits_double_up_to_six_hours() {
        let wait = |attempt, random| match after_problem(
            Hurdle::NotReached,
            attempt,
            START,
            START,
            &Always(random),
        ) {
            NextAttempt::At(next) => next.since(START).as_secs(),
            NextAttempt::Never => 0,
        };
        for (attempt, longest) in [
            (1, 60),
            (2, 120),
            (3, 240),
            (8, 7_680),
            (9, 15_360),
            (10, 6 * 3600),
            (19, 6 * 3600),
            (20, 0),
            (u32::MAX, 0),
        ] {
            assert_eq!(wait(attempt, 0), longest, "{attempt}");
            assert_eq!(wait(attempt, 255), longest * 3 / 4, "{attempt}");
        }
    }

    #[test]
    fn it_is_given_up_within_three_days() {
        for random in [0, 100, 255] {
            let (mut now, mut attempt) = (START, 1);
            while let NextAttempt::At(next) =
                after_problem(Hurdle::RefusedForNow, attempt, START, now, &Always(random))
            {
                assert!(next > now);
                (now, attempt) = (next, attempt + 1);
            }
            assert!(now.since(START) <= GIVEN_UP_AFTER);
            // Whoever repairs the server within a weekend finds what was sent meanwhile.
            assert!(now.since(START) > GIVEN_UP_AFTER / 3 * 2, "{now:?}");
            assert!(attempt <= ATTEMPTS);
        }
    }

    #[test]
    fn only_what_is_about_the_letter_ends_it() {
        for hurdle in Hurdle::ALL {
            let next = after_problem(hurdle, 1, START, START, &Always(7));
            let ends = matches!(
                hurdle,
                Hurdle::RefusedForGood | Hurdle::NoAddress | Hurdle::WebhookGone
            );
            assert_eq!(next == NextAttempt::Never, ends, "{hurdle:?}");
            assert_eq!(Hurdle::from_name(hurdle.name()), Some(hurdle));
        }
    }

    #[test]
    fn what_a_server_says_is_one_plain_line() {
        assert_eq!(
            ServerSaid::of("  5.1.1 no\r\nsuch \u{202E}user\u{7} ").as_str(),
            "5.1.1 no such user"
        );
        assert_eq!(ServerSaid::of(&"x".repeat(10_000)).as_str().len(), 200);
        let problem = Problem {
            hurdle: Hurdle::RefusedForGood,
            said: ServerSaid::of("550 no"),
        };
        assert_eq!(
            problem.sentences(),
            "The mail server refused the letter. It said: “550 no”. Check sender and recipient; \
             what the server said tells more."
        );
    }
}
