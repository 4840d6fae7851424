//! A small organisation, and a store with a clock that stands still.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use offgate_core::actor::Actor;
use offgate_core::agent::{
    Agent, AgentKey, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState,
};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{CardToken, DisplayNumber, NewCredential, NewMeans};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorGroupId, DoorId, GroupId, JoinTokenId, OperatorId,
    PolicyId, ReaderId, ScheduleId, SiteId, UserId,
};
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::{Boot, Clock, Randomness, Revision, Timestamp, Uptime};
use offgate_core::place::{Direction, Door, DoorGroup, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{Group, Policy, PolicyHours, Schedule, Weekday, Window};
use offgate_core::ruling::Seal;
use offgate_core::text::{Email, PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use offgate_store::{LogSignature, Outcome, Receipt, SignerFailed, Store, StoreSigner};

pub(crate) const SERVER: Actor = Actor::ServerCommandLine;
pub(crate) const START: i64 = 1_790_000_000;

/// The time of day, and by how much it was set forward since the start, both in microseconds.
pub(crate) struct FakeClock(pub(crate) AtomicI64, pub(crate) AtomicI64);

impl FakeClock {
    pub(crate) const fn at(seconds: i64) -> Self {
        Self(AtomicI64::new(seconds * 1_000_000), AtomicI64::new(0))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(self.0.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Option<Uptime> {
        Some(Uptime {
            boot: Boot([0; 16]),
            since: self
                .now()
                .since(Timestamp::from_microseconds(self.1.load(Ordering::SeqCst))),
        })
    }
}

pub(crate) struct Counter(pub(crate) AtomicU64);
impl Randomness for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let mut reader = blake3::Hasher::new()
            .update(&self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes())
            .finalize_xof();
        reader.fill(bytes);
    }
}

/// A log key that everybody knows.
pub(crate) struct LogKey(Ed25519KeyPair);
impl LogKey {
    pub(crate) fn new() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        Self(pair)
    }

    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }
}
impl StoreSigner for LogKey {
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed> {
        let signature = self.0.sign(statement);
        Ok(LogSignature {
            signature: signature.as_ref().try_into().map_err(|_| SignerFailed)?,
            chain: vec![b"a certificate".to_vec()],
        })
    }

    fn seal(&self, statement: &[u8]) -> Seal {
        Seal::of(statement, &[7; 32])
    }
}

pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) randomness: Arc<Counter>,
}

pub(crate) fn open(directory: &Path, seed: u64) -> Opened {
    let clock = Arc::new(FakeClock::at(START));
    let randomness = Arc::new(Counter(AtomicU64::new(seed << 32)));
    let store = Store::open(
        directory,
        clock.clone(),
        randomness.clone(),
        Arc::new(LogKey::new()),
    )
    .expect("a store");
    Opened {
        store,
        clock,
        randomness,
    }
}

impl Opened {
    pub(crate) fn execute(&self, command: Command) -> Outcome {
        let id = CommandId::random(&*self.randomness);
        self.store
            .execute_blocking(id, SERVER, command)
            .expect("an answer")
    }

    pub(crate) fn done(&self, command: Command) -> Revision {
        match self.execute(command.clone()) {
            Outcome::Done { revision } => revision,
            Outcome::Refused(refusal) => panic!("{command:?}: {refusal}"),
        }
    }
}

pub(crate) fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}
pub(crate) fn site(number: u8) -> SiteId {
    SiteId::from_bytes([number; 16])
}
pub(crate) fn door(number: u8) -> DoorId {
    DoorId::from_bytes([10 + number; 16])
}
pub(crate) fn policy(number: u8) -> PolicyId {
    PolicyId::from_bytes([20 + number; 16])
}
pub(crate) fn group(number: u8) -> GroupId {
    GroupId::from_bytes([30 + number; 16])
}
pub(crate) fn user(number: u8) -> UserId {
    UserId::from_bytes([40 + number; 16])
}
pub(crate) fn credential(number: u8) -> CredentialId {
    CredentialId::from_bytes([70 + number; 16])
}
pub(crate) fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([90 + number; 16])
}
pub(crate) const SCHEDULE: ScheduleId = ScheduleId::from_bytes([2; 16]);

pub(crate) fn hash_key(number: u8) -> HashKey {
    HashKey::from_bytes([number; 32])
}

/// The one door of a site.
pub(crate) fn front_door(number: u8, fail_mode: FailMode) -> Door {
    Door {
        id: door(number),
        revision: Revision::ZERO,
        site: site(number),
        name: title("Front"),
        agent: None,
        lease: LeaseLength::ORDINARY,
        fail_mode,
        readers: vec![Reader {
            id: ReaderId::from_bytes([50 + number; 16]),
            direction: Direction::In,
        }],
    }
}

/// Two sites with a door and an agent each, a policy for each door, nested groups, an operator.
pub(crate) fn furniture() -> Vec<(Actor, Command)> {
    let mut commands = vec![
        Command::CreateSchedule(Schedule {
            id: SCHEDULE,
            revision: Revision::ZERO,
            name: title("Hours"),
            weekly: vec![(Weekday::Monday, Window::new(480, 1020).expect("a window"))],
            holidays: None,
        }),
        Command::CreateOperator(Operator {
            id: OperatorId::from_bytes([7; 16]),
            revision: Revision::ZERO,
            name: title("Owner"),
            email: Email::parse("Owner@example.com").expect("an address"),
            role: Role::Owner,
            user: None,
            password: Some(PasswordHash::from_phc("$argon2id$".to_owned())),
            state: OperatorState::Open,
        }),
    ];
    for number in [1, 2] {
        commands.extend([
            Command::CreateSite(Site {
                id: site(number),
                revision: Revision::ZERO,
                name: title(&format!("Site {number}")),
                zone: ZoneName::parse("Europe/Berlin").expect("a zone"),
                default_policy: None,
            }),
            Command::CreateDoor(front_door(number, FailMode::RefuseAll)),
            Command::CreateDoorGroup(DoorGroup {
                id: DoorGroupId::from_bytes([60 + number; 16]),
                revision: Revision::ZERO,
                name: title(&format!("Doors {number}")),
                doors: BTreeSet::from([door(number)]),
            }),
            Command::CreatePolicy(Policy {
                id: policy(number),
                revision: Revision::ZERO,
                name: title(&format!("Policy {number}")),
                doors: BTreeSet::new(),
                door_groups: BTreeSet::from([DoorGroupId::from_bytes([60 + number; 16])]),
                hours: if number == 1 {
                    PolicyHours::Always
                } else {
                    PolicyHours::Scheduled(SCHEDULE)
                },
            }),
            Command::CreateGroup(Group {
                id: group(number),
                revision: Revision::ZERO,
                name: title(&format!("Group {number}")),
                parent: (number == 2).then(|| group(1)),
                policies: if number == 1 {
                    BTreeSet::from([policy(1)])
                } else {
                    BTreeSet::new()
                },
            }),
            Command::CreateJoinToken(JoinToken {
                id: JoinTokenId::from_bytes([80 + number; 16]),
                secret: JoinSecretHash([number; 32]),
                name: title(&format!("Agent {number}")),
                doors: BTreeSet::from([door(number)]),
                expires_at: Timestamp::from_seconds(START + 3000),
                state: JoinTokenState::Open,
            }),
        ]);
    }
    let mut all: Vec<_> = commands
        .into_iter()
        .map(|command| (SERVER, command))
        .collect();
    for number in [1, 2] {
        let enrol = Command::EnrolAgent {
            secret: JoinSecretHash([number; 32]),
            agent: Agent {
                id: agent(number),
                revision: Revision::ZERO,
                name: title("ignored"),
                key: AgentKey([number; 32]),
                hash_key: hash_key(number),
                enrolled_at: Timestamp::from_seconds(0),
                state: AgentState::Enrolled,
            },
        };
        all.push((Actor::JoiningAgent(agent(number)), enrol));
    }
    all
}

pub(crate) fn create(
    number: u8,
    groups: BTreeSet<GroupId>,
    policies: BTreeSet<PolicyId>,
    name: &str,
) -> Command {
    let token = CardToken::parse(&format!("CARD{number:04}")).expect("a token");
    Command::CreateUser {
        user: user(number),
        profile: Profile {
            first_name: PersonName::parse(name).expect("a name"),
            last_name: PersonName::parse("Last").expect("a name"),
            preferred_name: None,
            email: Email::parse(&format!("{name}@example.com")).ok(),
            phone: None,
            employee_number: None,
        },
        access: AccessPeriod::default(),
        groups,
        policies: InitialPolicies::Chosen(policies),
        credentials: vec![NewCredential {
            id: credential(number),
            label: None,
            means: NewMeans::NfcCard {
                display_number: DisplayNumber::of_token(&token),
                token,
            },
        }],
    }
}

pub(crate) fn deactivate(number: u8) -> Command {
    Command::DeactivateUser {
        user: user(number),
        reason: DeactivationReason::LeftTheOrganisation,
        note: None,
        employment_ended_at: None,
    }
}

pub(crate) fn furnished(directory: &Path, seed: u64) -> Opened {
    let opened = open(directory, seed);
    for (actor, command) in furniture() {
        let id = CommandId::random(&*opened.randomness);
        let outcome = opened
            .store
            .execute_blocking(id, actor, command.clone())
            .expect("an answer");
        assert!(
            matches!(outcome, Outcome::Done { .. }),
            "{command:?}: {outcome:?}"
        );
    }
    opened
}

pub(crate) fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

/// What an agent says of a revision of its table.
pub(crate) fn receipt(revision: Revision) -> Receipt {
    Receipt {
        revision,
        up_to: revision,
        above: Vec::new(),
        statement: format!("everything up to {}", revision.number()).into_bytes(),
        signature: [9; 64],
    }
}
