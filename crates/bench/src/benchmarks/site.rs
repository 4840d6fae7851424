//! A store on a real disk: a small site with its doors and agents, and many people.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use offgate_core::actor::Actor;
use offgate_core::agent::{
    Agent, AgentKey, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState,
};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{CardToken, DisplayNumber, NewCredential, NewMeans};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorId, JoinTokenId, PolicyId, ReaderId, SiteId, UserId,
};
use offgate_core::parameters::{Clock, Randomness, Revision, Timestamp};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{Policy, PolicyHours};
use offgate_core::ruling::Seal;
use offgate_core::text::{PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use offgate_link::acknowledgement::SigningKey;
use offgate_store::{LogSignature, Outcome, SignerFailed, Store, StoreSigner};

use super::random::Random;

const START: i64 = 1_790_000_000;
/// Callers that do something for everybody: as many as one transaction takes.
const CALLERS: usize = 256;

struct Ticking(Instant);
impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(START).plus(self.0.elapsed())
    }
}

/// Different every time, and that is all it has to be here.
struct Different(AtomicU64);
impl Randomness for Different {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let random = Random::new(number).next();
            chunk.copy_from_slice(&random.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A key for the log, in place of one with a certificate.
struct LogKey(SigningKey);
impl StoreSigner for LogKey {
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed> {
        Ok(LogSignature {
            signature: self.0.sign(statement),
            chain: Vec::new(),
        })
    }

    fn seal(&self, statement: &[u8]) -> Seal {
        Seal::of(statement, &[7; 32])
    }
}

/// A site in a store of its own, with every door decided by an agent of its own.
pub(crate) struct SiteStore {
    /// The store.
    pub(crate) store: Store,
    /// Everybody: each holds one card and may open every door.
    pub(crate) people: Vec<UserId>,
    randomness: Arc<Different>,
    directory: tempfile::TempDir,
}

impl SiteStore {
    /// A site in the workspace's build folder, which lies on a disk and not in memory.
    pub(crate) fn new(doors: u8, people: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir_in(crate::machine::build_folder())?;
        let clock = Arc::new(Ticking(Instant::now()));
        let randomness = Arc::new(Different(AtomicU64::new(0)));
        let signer = Arc::new(LogKey(SigningKey::from_seed(&[7; 32])?));
        let store = Store::open(directory.path(), clock, randomness.clone(), signer)?;
        let mut random = Random::new(9);
        let site = Self {
            store,
            people: (0..people)
                .map(|_| UserId::from_bytes(random.id()))
                .collect(),
            randomness,
            directory,
        };
        for (actor, command) in furniture(doors)? {
            site.execute(actor, command)?;
        }
        let policy = PolicyId::from_bytes([3; 16]);
        let mut commands = Vec::new();
        for (number, user) in site.people.iter().enumerate() {
            commands.push(create(*user, policy, number)?);
        }
        site.all(commands)?;
        Ok(site)
    }

    /// Carries out a command on the command line's behalf.
    pub(crate) fn execute(&self, actor: Actor, command: Command) -> anyhow::Result<Revision> {
        let id = CommandId::random(&*self.randomness);
        match self.store.execute_blocking(id, actor, command)? {
            Outcome::Done { revision } => Ok(revision),
            Outcome::Refused(refusal) => bail!("refused: {refusal}"),
        }
    }

    /// Deactivates one person.
    pub(crate) fn deactivate(&self, user: UserId) -> anyhow::Result<Revision> {
        self.execute(Actor::ServerCommandLine, deactivation(user))
    }

    /// Deactivates everybody, many at once.
    pub(crate) fn deactivate_all(&self) -> anyhow::Result<()> {
        self.all(self.people.iter().map(|user| deactivation(*user)).collect())
    }

    /// The store's directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Reactivates people, many at once.
    pub(crate) fn reactivate(&self, people: &[UserId]) -> anyhow::Result<()> {
        let command = |user: &UserId| Command::ReactivateUser { user: *user };
        self.all(people.iter().map(command).collect())
    }

    fn all(&self, commands: Vec<Command>) -> anyhow::Result<()> {
        let share = commands.len().div_ceil(CALLERS).max(1);
        std::thread::scope(|scope| {
            let callers: Vec<_> = commands
                .chunks(share)
                .map(|share| {
                    scope.spawn(|| {
                        share.iter().try_for_each(|command| {
                            self.execute(Actor::ServerCommandLine, command.clone())
                                .map(drop)
                        })
                    })
                })
                .collect();
            callers
                .into_iter()
                .try_for_each(|caller| caller.join().unwrap_or_else(|_| bail!("a caller panicked")))
        })
    }
}

fn furniture(doors: u8) -> anyhow::Result<Vec<(Actor, Command)>> {
    let site = SiteId::from_bytes([1; 16]);
    let door = |number| DoorId::from_bytes([100 + number; 16]);
    let mut commands = vec![(
        Actor::ServerCommandLine,
        Command::CreateSite(Site {
            id: site,
            revision: Revision::ZERO,
            name: title("Site")?,
            zone: ZoneName::parse("Europe/Berlin").ok().context("a zone")?,
            default_policy: None,
        }),
    )];
    for number in 0..doors {
        let agent = AgentId::from_bytes([200 + number; 16]);
        let secret = JoinSecretHash([number; 32]);
        let name = title(&format!("Door {number}"))?;
        commands.extend([
            (
                Actor::ServerCommandLine,
                Command::CreateDoor(Door {
                    id: door(number),
                    revision: Revision::ZERO,
                    site,
                    name: name.clone(),
                    agent: None,
                    lease: LeaseLength::ORDINARY,
                    fail_mode: FailMode::RefuseAll,
                    readers: vec![Reader {
                        id: ReaderId::from_bytes([50 + number; 16]),
                        direction: Direction::In,
                    }],
                }),
            ),
            (
                Actor::ServerCommandLine,
                Command::CreateJoinToken(JoinToken {
                    id: JoinTokenId::from_bytes([150 + number; 16]),
                    secret,
                    name: name.clone(),
                    doors: BTreeSet::from([door(number)]),
                    expires_at: Timestamp::from_seconds(START + 3_000),
                    state: JoinTokenState::Open,
                }),
            ),
            (
                Actor::JoiningAgent(agent),
                Command::EnrolAgent {
                    secret,
                    agent: Agent {
                        id: agent,
                        revision: Revision::ZERO,
                        name,
                        key: AgentKey([number; 32]),
                        hash_key: HashKey::from_bytes([number; 32]),
                        enrolled_at: Timestamp::from_seconds(0),
                        state: AgentState::Enrolled,
                    },
                },
            ),
        ]);
    }
    commands.push((
        Actor::ServerCommandLine,
        Command::CreatePolicy(Policy {
            id: PolicyId::from_bytes([3; 16]),
            revision: Revision::ZERO,
            name: title("Every door")?,
            doors: (0..doors).map(door).collect(),
            door_groups: BTreeSet::new(),
            hours: PolicyHours::Always,
        }),
    ));
    Ok(commands)
}

fn create(user: UserId, policy: PolicyId, number: usize) -> anyhow::Result<Command> {
    let token = CardToken::parse(&format!("{number:016X}"))?;
    let mut credential = *user.as_bytes();
    credential[0] ^= 1;
    Ok(Command::CreateUser {
        user,
        profile: Profile {
            first_name: PersonName::parse("Ada")?,
            last_name: PersonName::parse(&format!("Lovelace {number}"))?,
            preferred_name: None,
            email: None,
            phone: None,
            employee_number: None,
        },
        access: AccessPeriod::default(),
        groups: BTreeSet::new(),
        policies: InitialPolicies::Chosen(BTreeSet::from([policy])),
        credentials: vec![NewCredential {
            id: CredentialId::from_bytes(credential),
            label: None,
            means: NewMeans::NfcCard {
                display_number: DisplayNumber::of_token(&token),
                token,
            },
        }],
    })
}

fn title(text: &str) -> anyhow::Result<Title> {
    Ok(Title::parse(text)?)
}

fn deactivation(user: UserId) -> Command {
    Command::DeactivateUser {
        user,
        reason: DeactivationReason::LeftTheOrganisation,
        note: None,
        employment_ended_at: None,
    }
}
