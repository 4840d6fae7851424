//! `offgate doctor`: looks at what the server stands on, and says what is wrong.

mod tables;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use offgate_core::agent::{AgentState, DiskState};
use offgate_core::backup::{Standing, standing};
use offgate_core::confirmation::Contact;
use offgate_core::fault::Fault;
use offgate_core::parameters::{Clock, Randomness, Timestamp};
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::webhook::WebhookState;
use offgate_link::join_token::RootFingerprint;
use offgate_store::Reader;
use offgate_store::activity::{About, ActivityKinds, ActivityQuery};
use offgate_store::backup::Shelf;
use offgate_store::outbox::OutboxState;

use crate::books::{has_data, open_store};
use crate::command::user::ask::alarms;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{Format, List, Record};
use crate::serve::{self, NotLocked};
use crate::settings::Config;
use crate::store_keys;
use crate::system::{SystemClock, SystemRandomness};
use crate::terminal::talk;

/// A clock that shows an earlier day is wrong: this program is younger.
const WRITTEN: Timestamp = Timestamp::from_seconds(1_790_000_000);
/// How far the clock may be behind what was written last.
const BEHIND: Duration = Duration::from_secs(5);
/// A file system with less room than this is full soon.
const ROOM: u64 = 256 << 20;

/// Whoever has fewer days left than this to renew a certificate had better begin.
const SOON_DAYS: u64 = 14;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    /// As it should be.
    Well,
    /// Not wrong yet, or not wrong by itself.
    Note,
    /// Wrong.
    Wrong,
}

/// What was found.
struct Findings(Vec<(&'static str, Health, String)>);

impl Findings {
    fn add(&mut self, what: &'static str, health: Health, words: impl Into<String>) {
        self.0.push((what, health, words.into()));
    }

    fn show(self, format: Format) -> Result<(), Failure> {
        let row = |(what, health, words): &(&'static str, Health, String)| {
            let health = match health {
                Health::Well => "well",
                Health::Note => "note",
                Health::Wrong => "WRONG",
            };
            Record::default()
                .with("what", *what)
                .with("health", health)
                .with("found", words.as_str())
        };
        let rows = self.0.iter().map(row).collect();
        List {
            columns: &["what", "health", "found"],
            rows,
            next: None,
        }
        .show(format);
        if self.0.iter().any(|(_, health, _)| *health == Health::Wrong) {
            return Err(Failure::Unwell);
        }
        Ok(())
    }
}

pub(crate) fn run(config: &Config, format: Format) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut findings = Findings(Vec::new());
    let data = &config.data.value;
    if !has_data(data)? {
        let words = format!(
            "there is none in {}; `offgate serve` makes it",
            data.display()
        );
        findings.add("database", Health::Wrong, words);
        return findings.show(format);
    }
    disk(&mut findings, data);
    let server = server(&mut findings, config);
    let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
    let keys = store_keys::open(data, &*clock, &*randomness, talk);
    certificate(&mut findings, keys.as_ref().map(|keys| keys.fingerprint()));
    own_certificate(&mut findings, config, clock.now());
    match keys.and_then(|keys| open_store(data, &clock, &randomness, &keys)) {
        Err(error) => {
            findings.add("clock", clock_alone(clock.now()), "compared with nothing");
            findings.add("database", Health::Wrong, error.to_string());
        }
        Ok(store) => {
            let reader = store.read();
            time(&mut findings, &reader, clock.now());
            database(&mut findings, &reader);
            history(&mut findings, &reader)?;
            answers(&mut findings, &reader)?;
            tables::look(&mut findings, &reader, clock.now())?;
            backups(&mut findings, &reader, config, clock.now())?;
            mail(&mut findings, &reader, clock.now())?;
            webhook(&mut findings, &reader, clock.now())?;
            restored(&mut findings, &reader)?;
            agents(&mut findings, &reader, server)?;
        }
    }
    findings.show(format)
}

/// Agents keep what they have seen of the log, and say so when it does not go on from there.
fn history(findings: &mut Findings, reader: &Reader) -> Result<(), Failure> {
    let zone = zone(reader)?;
    let doubts = reader.doubts()?;
    for (agent, since) in &doubts {
        let name = reader
            .agent(*agent)?
            .map_or_else(|| agent.to_string(), |agent| agent.name.as_str().to_owned());
        let words = format!(
            "agent {name} says since {} that the log does not continue what it has seen: it was \
             rewritten or cut, or this is a copy of the store",
            shown(&zone, *since)
        );
        findings.add("history", Health::Wrong, words);
    }
    if doubts.is_empty() {
        findings.add("history", Health::Well, "no agent has seen another");
    }
    Ok(())
}

/// Doors are asked about everybody who is refused.
fn answers(findings: &mut Findings, reader: &Reader) -> Result<(), Failure> {
    const WHAT: &str = "doors' answers";
    let alarms = alarms(reader, &zone(reader)?)?;
    if alarms.is_empty() {
        findings.add(
            WHAT,
            Health::Well,
            "no door said that it would admit who must be refused",
        );
    }
    for words in alarms {
        findings.add(WHAT, Health::Wrong, words);
    }
    Ok(())
}

/// What burns with the data directory is no backup.
fn backups(
    findings: &mut Findings,
    reader: &Reader,
    config: &Config,
    now: Timestamp,
) -> Result<(), Failure> {
    let folder = &config.backups.value;
    let zone = zone(reader)?;
    let (health, words) = match Shelf::new(folder).newest() {
        Err(error) => (Health::Wrong, error.to_string()),
        Ok(newest) => {
            let standing = standing(newest, now);
            let health = match standing {
                Standing::Recent { .. } => Health::Well,
                Standing::Never => Health::Note,
                Standing::Old { .. } => Health::Wrong,
            };
            (health, standing.sentence(&zone))
        }
    };
    findings.add("backup", health, words);
    if let (Ok(data), Ok(backups)) = (
        std::fs::metadata(&config.data.value),
        std::fs::metadata(folder),
    ) && data.dev() == backups.dev()
    {
        let words = format!(
            "{} is on the disk of the data: have it mirrored to another machine",
            folder.display()
        );
        findings.add("backup", Health::Note, words);
    }
    Ok(())
}

/// Mail waits and is tried again by itself; what does not go for this long is worth a look.
const MAIL_LATE: Duration = Duration::from_secs(3600);
/// For how long a letter that failed is wrong; then it is only listed.
const MAIL_FAILED: Duration = Duration::from_secs(7 * 24 * 3600);

fn mail(findings: &mut Findings, reader: &Reader, now: Timestamp) -> Result<(), Failure> {
    const WHAT: &str = "mail";
    let zone = zone(reader)?;
    let outbox = reader.outbox()?;
    outgoing(findings, WHAT, &outbox, &zone, now);
    let (health, words) = match (reader.mail_server()?, outbox.last_sent) {
        (None, _) => (
            Health::Note,
            "is not set up; `offgate mail set` does it".to_owned(),
        ),
        (Some(_), None) => (
            Health::Well,
            "is set up; nothing was sent lately".to_owned(),
        ),
        (Some(server), Some(at)) => (
            Health::Well,
            format!(
                "was last taken by {} at {}",
                server.host.as_str(),
                shown(&zone, at)
            ),
        ),
    };
    findings.add(WHAT, health, words);
    Ok(())
}

/// A webhook is nothing that has to be there; one that is there has to take what it is sent.
fn webhook(findings: &mut Findings, reader: &Reader, now: Timestamp) -> Result<(), Failure> {
    const WHAT: &str = "webhook";
    let Some(webhook) = reader.webhook()? else {
        return Ok(());
    };
    let zone = zone(reader)?;
    let outbox = reader.webhook_outbox()?;
    outgoing(findings, WHAT, &outbox, &zone, now);
    let (health, words) = match (webhook.state, outbox.last_sent) {
        (WebhookState::Gone { at }, _) => (
            Health::Wrong,
            format!(
                "nobody listens there any more since {}; `offgate webhook set` or `offgate webhook \
                 stop`",
                shown(&zone, at)
            ),
        ),
        (WebhookState::Open, None) => (
            Health::Well,
            "is set up; nothing was sent lately".to_owned(),
        ),
        (WebhookState::Open, Some(at)) => (
            Health::Well,
            format!("last took something at {}", shown(&zone, at)),
        ),
    };
    findings.add(WHAT, health, words);
    Ok(())
}

/// What waits for longer than it should, and what failed.
fn outgoing(
    findings: &mut Findings,
    what: &'static str,
    outbox: &OutboxState,
    zone: &ZoneName,
    now: Timestamp,
) {
    let why = outbox.problem.as_ref().map(|problem| problem.sentences());
    if let (Some(since), Some(why)) = (outbox.waiting_since, why) {
        let health = if now.since(since) > MAIL_LATE {
            Health::Wrong
        } else {
            Health::Note
        };
        let words = format!(
            "{} waiting since {}. {why}",
            outbox.waiting,
            shown(zone, since)
        );
        findings.add(what, health, words);
    }
    if let Some(last) = outbox.last_failed.filter(|at| now.since(*at) < MAIL_FAILED) {
        let words = format!(
            "{} failed, the last at {}; `offgate mail failures` says why",
            outbox.failed,
            shown(zone, last)
        );
        findings.add(what, Health::Wrong, words);
    }
}

/// What was changed between a backup and the loss of a store is known to doors only.
fn restored(findings: &mut Findings, reader: &Reader) -> Result<(), Failure> {
    const WHAT: &str = "restore";
    const MANY: usize = 1_000;
    let Some(restore) = reader.last_restore()? else {
        return Ok(());
    };
    let zone = zone(reader)?;
    let unheard = reader.not_heard_since(restore.revision, MANY)?.len();
    let shown_by_doors = reader.shown_by_doors(MANY)?.len();
    let health = if unheard > 0 || shown_by_doors > 0 {
        Health::Note
    } else {
        Health::Well
    };
    let words = format!(
        "restored from a backup of {} at {}: {unheard} agents have not been heard since, and \
         {shown_by_doors} people are deactivated because a door showed it",
        shown(&zone, restore.made_at),
        shown(&zone, restore.at),
    );
    findings.add(WHAT, health, words);
    Ok(())
}

fn clock_alone(now: Timestamp) -> Health {
    if now < WRITTEN {
        Health::Wrong
    } else {
        Health::Well
    }
}

/// The clock is compared with the newest line that this machine wrote itself.
fn time(findings: &mut Findings, reader: &Reader, now: Timestamp) {
    let newest = reader.activity(&ActivityQuery {
        about: About::Everything,
        kinds: ActivityKinds::Changes,
        before: None,
        limit: 1,
    });
    let last = newest
        .ok()
        .and_then(|page| page.items.first().map(|item| item.at));
    let (health, words) = match last {
        _ if clock_alone(now) == Health::Wrong => {
            (Health::Wrong, "shows a day before this program was written")
        }
        Some(last) if now < last.minus(BEHIND) => (
            Health::Wrong,
            "is behind what was written to the log last: it was set back",
        ),
        Some(_) | None => (Health::Well, "goes on from what was written last"),
    };
    findings.add("clock", health, words);
}

fn disk(findings: &mut Findings, data: &Path) {
    match rustix::fs::statvfs(data) {
        Err(error) => findings.add("disk space", Health::Wrong, error.to_string()),
        Ok(system) => {
            let free = system.f_bavail.saturating_mul(system.f_frsize);
            let health = if free < ROOM {
                Health::Wrong
            } else {
                Health::Well
            };
            findings.add("disk space", health, format!("{} MiB free", free >> 20));
        }
    }
    match write_and_remove(data) {
        Ok(()) => findings.add(
            "disk writes",
            Health::Well,
            "a file was written and made durable",
        ),
        Err(error) => findings.add("disk writes", Health::Wrong, error.to_string()),
    }
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(data).map(|about| about.permissions().mode() & 0o077) {
        Ok(0) => findings.add("data directory", Health::Well, "nobody else can read it"),
        Ok(_) => findings.add(
            "data directory",
            Health::Wrong,
            "others on this machine can read it",
        ),
        Err(error) => findings.add("data directory", Health::Wrong, error.to_string()),
    }
}

fn write_and_remove(data: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    let path = data.join(format!("doctor-{}.tmp", std::process::id()));
    let written = std::fs::File::create(&path).and_then(|mut file| {
        file.write_all(b"doctor")?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

/// Whether a server works on the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Runs,
    DoesNot,
}

fn server(findings: &mut Findings, config: &Config) -> Server {
    match serve::lock(&config.data.value) {
        Ok(_) => {
            findings.add(
                "server",
                Health::Note,
                "does not run on this data directory",
            );
            Server::DoesNot
        }
        Err(NotLocked::Running) => {
            findings.add("server", Health::Well, "runs");
            Server::Runs
        }
        Err(NotLocked::File(why)) => {
            findings.add("server", Health::Wrong, why.to_string());
            Server::DoesNot
        }
    }
}

/// The certificate for browsers, if somebody gave one; the server renews its own.
fn own_certificate(findings: &mut Findings, config: &Config, now: Timestamp) {
    const WHAT: &str = "browser certificate";
    let (chain, key) = match config.certificate_and_key() {
        Ok(Some(files)) => files,
        Ok(None) => return findings.add(WHAT, Health::Well, "is made and renewed by the server"),
        Err(failure) => return findings.add(WHAT, Health::Wrong, failure.to_string()),
    };
    if let Err(error) = std::fs::File::open(key) {
        let words = format!("its key {} cannot be read: {error}", key.display());
        return findings.add(WHAT, Health::Wrong, words);
    }
    match certificate_ends(chain) {
        Err(why) => findings.add(WHAT, Health::Wrong, format!("{}: {why}", chain.display())),
        Ok(end) if end <= now => findings.add(WHAT, Health::Wrong, "has ended"),
        Ok(end) => {
            let days = end.since(now).as_secs() / (24 * 3600);
            let health = if days < SOON_DAYS {
                Health::Wrong
            } else {
                Health::Well
            };
            findings.add(WHAT, health, format!("ends in {days} days"));
        }
    }
}

/// When the first certificate of a file ends.
fn certificate_ends(chain: &Path) -> Result<Timestamp, String> {
    let bytes = std::fs::read(chain).map_err(|error| error.to_string())?;
    let pem = x509_parser::pem::Pem::iter_from_buffer(&bytes)
        .next()
        .ok_or("holds no certificate")?
        .map_err(|error| error.to_string())?;
    let certificate = pem.parse_x509().map_err(|error| error.to_string())?;
    Ok(Timestamp::from_seconds(
        certificate.validity().not_after.timestamp(),
    ))
}

fn certificate(findings: &mut Findings, root: Result<RootFingerprint, &Failure>) {
    match root {
        Ok(fingerprint) => {
            findings.add(
                "link certificate",
                Health::Well,
                format!("root {fingerprint}"),
            );
        }
        Err(failure) => findings.add("link certificate", Health::Wrong, failure.to_string()),
    }
}

fn database(findings: &mut Findings, reader: &Reader) {
    match reader.damage() {
        Ok(damage) if damage.is_empty() => {
            findings.add("database", Health::Well, "is whole");
        }
        Ok(damage) => findings.add("database", Health::Wrong, damage.join("; ")),
        Err(error) => findings.add("database", Health::Wrong, error.to_string()),
    }
}

fn agents(findings: &mut Findings, reader: &Reader, server: Server) -> Result<(), Failure> {
    let zone = zone(reader)?;
    let doors = reader.doors()?;
    for agent in reader.agents()? {
        let its_doors: Vec<&str> = doors
            .iter()
            .filter(|door| door.agent == Some(agent.id))
            .map(|door| door.name.as_str())
            .collect();
        if agent.state != AgentState::Enrolled || its_doors.is_empty() {
            continue;
        }
        let heard = reader.contact(agent.id)?;
        let disk = heard.map_or(DiskState::Works, |heard| heard.disk);
        let contact = heard.map(|heard| heard.contact);
        // Without a server nobody can be connected, and that is said already.
        let silent = match server {
            Server::Runs => Health::Wrong,
            Server::DoesNot => Health::Note,
        };
        let (health, contact) = match contact {
            Some(Contact::Connected) => (Health::Well, "is connected".to_owned()),
            Some(Contact::Silent { since: Some(since) }) => {
                (silent, format!("was last heard at {}", shown(&zone, since)))
            }
            Some(Contact::Silent { since: None } | Contact::NoAgent) | None => {
                (silent, "was never heard".to_owned())
            }
        };
        let head = reader.table_head(agent.id)?.map(|head| head.revision);
        let (health, table) = match (head, reader.acknowledged(agent.id)?) {
            (Some(head), acknowledged) if acknowledged < Some(head) => {
                (health.max(Health::Note), "has not confirmed everything yet")
            }
            _ => (health, "has confirmed everything"),
        };
        let mut words = format!(
            "{} ({}) {contact} and {table}",
            agent.name.as_str(),
            its_doors.join(", ")
        );
        let health = match disk {
            DiskState::Works => health,
            DiskState::Fails => {
                words = format!("{words}: {}", Fault::DiskFails.with_what_to_do());
                Health::Wrong
            }
        };
        findings.add("agent", health, words);
    }
    for door in doors.iter().filter(|door| door.agent.is_none()) {
        let words = format!("no agent decides for {}", door.name.as_str());
        findings.add("door", Health::Note, words);
    }
    Ok(())
}
