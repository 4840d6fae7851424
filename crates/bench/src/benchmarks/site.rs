//! A store on a real disk: a site with its doors and agents, and many people.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};
use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentState, HashKey, JoinToken, JoinTokenState};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{CardToken, DisplayNumber, NewCredential, NewMeans};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorId, JoinTokenId, PolicyId, ReaderId, SiteId, UserId,
};
use offgate_core::parameters::{Clock, Randomness, Revision, Timestamp};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{Policy, PolicyHours};
use offgate_core::text::{PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use offgate_link::acknowledgement::SigningKey;
use offgate_link::join_token::JoinTokenText;
use offgate_server::{Keys, LogSigner, Making};
use offgate_store::{Outcome, Store};

use super::random::Random;

/// Commands, and who gives each.
pub(crate) type Orders = Vec<(Actor, Command)>;

const START: i64 = 1_790_000_000;
/// Callers that do something for everybody: as many as one transaction takes.
const CALLERS: usize = 256;

/// A clock that began with the site.
pub(crate) struct Ticking(Instant);

impl Ticking {
    /// The instant at which it shows this time.
    pub(crate) fn instant(&self, time: Timestamp) -> Instant {
        self.0 + time.since(Timestamp::from_seconds(START))
    }
}

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(START).plus(self.0.elapsed())
    }
}

/// Different every time, and that is all it has to be here.
pub(crate) struct Different(AtomicU64);

impl Randomness for Different {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let random = Random::new(number).next();
            chunk.copy_from_slice(&random.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Who decides at the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agents {
    /// An agent for each door, which has enrolled with the key that [`agent_key`] says.
    Enrolled,
    /// Nobody yet: there is a join token for each door.
    Joining,
}

/// What a site has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many doors, each with an agent of its own.
    pub(crate) doors: u16,
    /// How many people, who each hold one card and may open every door.
    pub(crate) people: usize,
    /// Who decides.
    pub(crate) agents: Agents,
}

/// A site in a store of its own, with the keys of a server.
pub(crate) struct SiteStore {
    /// The store.
    pub(crate) store: Store,
    /// Everybody: each holds one card and may open every door.
    pub(crate) people: Vec<UserId>,
    /// The server's keys.
    pub(crate) keys: Arc<Keys>,
    /// What the doors' agents join with, if they have not.
    pub(crate) tokens: Vec<JoinTokenText>,
    /// The time of day here.
    pub(crate) clock: Arc<Ticking>,
    /// What is random here.
    pub(crate) randomness: Arc<Different>,
    directory: tempfile::TempDir,
    created: AtomicUsize,
}

impl SiteStore {
    /// A site in the workspace's build folder, which lies on a disk and not in memory.
    pub(crate) fn new(plan: Plan) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir_in(crate::machine::build_folder())?;
        let clock = Arc::new(Ticking(Instant::now()));
        let randomness = Arc::new(Different(AtomicU64::new(0)));
        let making = Making {
            clock: &*clock,
            randomness: &*randomness,
        };
        let keys = Arc::new(Keys::open(directory.path(), making, &|_| ())?);
        let signer = Arc::new(LogSigner::new(Arc::clone(&keys)));
        let store = Store::open(directory.path(), clock.clone(), randomness.clone(), signer)?;
        let tokens: Vec<_> = (0..plan.doors)
            .map(|_| JoinTokenText::random(keys.fingerprint(), &*randomness))
            .collect();
        let mut site = Self {
            store,
            people: Vec::new(),
            keys,
            tokens,
            clock,
            randomness,
            directory,
            created: AtomicUsize::new(0),
        };
        for commands in furniture(plan, &site.tokens)? {
            site.all(commands)?;
        }
        site.people = site.create(plan.people, EVERY_DOOR, CALLERS)?;
        Ok(site)
    }

    /// Creates people with a card and this policy each, so many callers at once.
    pub(crate) fn create(
        &self,
        people: usize,
        policy: PolicyId,
        callers: usize,
    ) -> anyhow::Result<Vec<UserId>> {
        let (made, commands) = self.creations(people, policy)?;
        self.all_by(callers, commands)?;
        Ok(made)
    }

    /// What creates people with a card and this policy each, and who they will be.
    pub(crate) fn creations(
        &self,
        people: usize,
        policy: PolicyId,
    ) -> anyhow::Result<(Vec<UserId>, Orders)> {
        let first = self.created.fetch_add(people, Ordering::Relaxed);
        let mut random = Random::new(9 + first as u64);
        let (mut made, mut commands) = (Vec::new(), Vec::new());
        for number in first..first + people {
            let user = UserId::from_bytes(random.id());
            made.push(user);
            commands.push((Actor::ServerCommandLine, create(user, policy, number)?));
        }
        Ok((made, commands))
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
        let command = |user: &UserId| (Actor::ServerCommandLine, deactivation(*user));
        self.all(self.people.iter().map(command).collect())
    }

    /// The store's directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Reactivates one person.
    pub(crate) fn reactivate_one(&self, user: UserId) -> anyhow::Result<Revision> {
        let (actor, command) = reactivation(user);
        self.execute(actor, command)
    }

    /// Reactivates people, many at once.
    pub(crate) fn reactivate(&self, people: &[UserId]) -> anyhow::Result<()> {
        self.all(people.iter().map(|user| reactivation(*user)).collect())
    }

    fn all(&self, commands: Orders) -> anyhow::Result<()> {
        self.all_by(CALLERS, commands)
    }

    /// Carries out commands in any order, so many callers at once.
    pub(crate) fn all_by(&self, callers: usize, commands: Orders) -> anyhow::Result<()> {
        let share = commands.len().div_ceil(callers).max(1);
        std::thread::scope(|scope| {
            let callers: Vec<_> = commands
                .chunks(share)
                .map(|share| {
                    scope.spawn(|| {
                        share.iter().try_for_each(|(actor, command)| {
                            self.execute(*actor, command.clone()).map(drop)
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

/// What everybody may open.
pub(crate) const EVERY_DOOR: PolicyId = PolicyId::from_bytes([3; 16]);
/// The first two doors.
pub(crate) const TWO_DOORS: PolicyId = PolicyId::from_bytes([4; 16]);

fn id(kind: u8, number: u16) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[14..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The door with this number.
pub(crate) fn door(number: u16) -> DoorId {
    DoorId::from_bytes(id(100, number))
}

/// The agent with this number, which decides at the door with the same one, if it has enrolled.
pub(crate) fn agent(number: u16) -> AgentId {
    AgentId::from_bytes(id(200, number))
}

/// That agent's key.
pub(crate) fn agent_key(number: u16) -> anyhow::Result<SigningKey> {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    Ok(SigningKey::from_seed(&seed)?)
}

/// That agent's hash key.
pub(crate) fn hash_key(number: u16) -> HashKey {
    let mut bytes = [8; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    HashKey::from_bytes(bytes)
}

/// What makes a site without people: lists to be carried out one after the other, each in any
/// order.
fn furniture(plan: Plan, tokens: &[JoinTokenText]) -> anyhow::Result<Vec<Orders>> {
    let server = |command| (Actor::ServerCommandLine, command);
    let site = SiteId::from_bytes([1; 16]);
    let (mut doors, mut open, mut enrolled) = (Vec::new(), Vec::new(), Vec::new());
    for (number, token) in (0..plan.doors).zip(tokens) {
        let name = title(&format!("Door {number}"))?;
        doors.push(server(Command::CreateDoor(Door {
            id: door(number),
            revision: Revision::ZERO,
            site,
            name: name.clone(),
            agent: None,
            lease: LeaseLength::ORDINARY,
            fail_mode: FailMode::RefuseAll,
            readers: vec![Reader {
                id: ReaderId::from_bytes(id(50, number)),
                direction: Direction::In,
            }],
        })));
        open.push(server(Command::CreateJoinToken(JoinToken {
            id: JoinTokenId::from_bytes(id(150, number)),
            secret: token.secret_hash(),
            name: name.clone(),
            doors: BTreeSet::from([door(number)]),
            expires_at: Timestamp::from_seconds(START + 3_000),
            state: JoinTokenState::Open,
        })));
        let agent = agent(number);
        enrolled.push((
            Actor::JoiningAgent(agent),
            Command::EnrolAgent {
                secret: token.secret_hash(),
                agent: Agent {
                    id: agent,
                    revision: Revision::ZERO,
                    name,
                    key: agent_key(number)?.public(),
                    hash_key: hash_key(number),
                    enrolled_at: Timestamp::from_seconds(0),
                    state: AgentState::Enrolled,
                },
            },
        ));
    }
    let policy = |policy, name, doors: u16| {
        anyhow::Ok(server(Command::CreatePolicy(Policy {
            id: policy,
            revision: Revision::ZERO,
            name: title(name)?,
            doors: (0..doors).map(door).collect(),
            door_groups: BTreeSet::new(),
            hours: PolicyHours::Always,
        })))
    };
    if plan.agents == Agents::Joining {
        enrolled.clear();
    }
    Ok(vec![
        vec![server(Command::CreateSite(Site {
            id: site,
            revision: Revision::ZERO,
            name: title("Site")?,
            zone: ZoneName::parse("Europe/Berlin").ok().context("a zone")?,
            default_policy: None,
        }))],
        doors,
        open,
        enrolled,
        vec![policy(EVERY_DOOR, "Every door", plan.doors)?],
        vec![policy(TWO_DOORS, "Two doors", plan.doors.min(2))?],
    ])
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

const fn reactivation(user: UserId) -> (Actor, Command) {
    (Actor::ServerCommandLine, Command::ReactivateUser { user })
}
