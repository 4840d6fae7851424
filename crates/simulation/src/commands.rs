//! What operators do, and who holds what in their hand.

use std::collections::{BTreeMap, BTreeSet};

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent as Enrolled, AgentState, HashKey, JoinToken, JoinTokenState};
use offgate_core::command::{Command, Expected, InitialPolicies, Unconfirmed};
use offgate_core::credential::{
    CardToken, Credential, CredentialState, DisplayNumber, Means, NewCredential, NewMeans,
};
use offgate_core::fail_mode::{EmergencyLimit, EmergencyList, FailMode};
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorId, EmergencyListId, GroupId, JoinTokenId, PolicyId,
    ReaderId, SiteId, UserId,
};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{Group, Policy, PolicyHours};
use offgate_core::table::admission::Presented;
use offgate_core::text::{Note, PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile, Standing, User, UserRecord};
use offgate_link::acknowledgement::SigningKey;
use offgate_link::join_token::secret_hash;
use offgate_store::Outcome;

use crate::agents::{Agent, bytes_of};
use crate::keys::{BEGINNING, keys};
use crate::servers::Crash;
use crate::story::About;
use crate::world::{Event, MILLI, SECOND, STORE, World};

const NAMES: [&str; 14] = [
    "Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ida", "Jon", "Kim", "Leo", "Mia",
    "Ned",
];
const EVERYWHERE: PolicyId = PolicyId::from_bytes([1; 16]);
const SOMEWHERE: PolicyId = PolicyId::from_bytes([2; 16]);
const STAFF: GroupId = GroupId::from_bytes([3; 16]);
const LIST: EmergencyListId = EmergencyListId::from_bytes([4; 16]);
const SITE: SiteId = SiteId::from_bytes([5; 16]);

/// What everybody knows who is not a computer.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// What doors and people are called, in a story.
    pub(crate) doors: BTreeMap<DoorId, String>,
    names: BTreeMap<UserId, String>,
    /// Everything that was ever presented or could be.
    pub(crate) tokens: Vec<Presented>,
    pins: usize,
    cards: u64,
    /// What got no answer.
    unanswered: BTreeMap<CommandId, Command>,
    /// How many are still to be imported.
    importing: u64,
}

#[expect(clippy::expect_used, reason = "these texts are well-formed")]
fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

#[expect(clippy::expect_used, reason = "these texts are well-formed")]
fn profile(name: &str) -> Profile {
    Profile {
        first_name: PersonName::parse(name).expect("a name"),
        last_name: PersonName::parse("Example").expect("a name"),
        preferred_name: None,
        email: None,
        phone: None,
        employee_number: None,
    }
}

#[expect(clippy::expect_used, reason = "these texts are well-formed")]
fn card(number: u64) -> NewMeans {
    let token = CardToken::parse(&format!("04A2{number:08X}")).expect("a card");
    NewMeans::NfcCard {
        display_number: DisplayNumber::of_token(&token),
        token,
    }
}

#[expect(clippy::expect_used, reason = "these lengths are in range")]
fn lease(seconds: u64) -> LeaseLength {
    LeaseLength::from_seconds(u32::try_from(seconds).unwrap_or(60)).expect("a lease")
}

#[expect(clippy::expect_used, reason = "these lengths are in range")]
fn limit(seconds: u64) -> EmergencyLimit {
    EmergencyLimit::from_seconds(u32::try_from(seconds).unwrap_or(90)).expect("a limit")
}

impl World {
    pub(crate) fn name_of(&self, user: UserId) -> String {
        self.people
            .names
            .get(&user)
            .cloned()
            .unwrap_or_else(|| "somebody imported".to_owned())
    }

    pub(crate) fn door_name(&self, door: DoorId) -> String {
        self.people
            .doors
            .get(&door)
            .cloned()
            .unwrap_or_else(|| "a door".to_owned())
    }

    /// Somebody was given something to present.
    pub(crate) fn was_given(
        &mut self,
        presented: &Presented,
        credential: CredentialId,
        user: UserId,
    ) {
        if !self.people.tokens.contains(presented) && self.people.tokens.len() < 80 {
            self.people.tokens.push(presented.clone());
        }
        self.oracle.gave(bytes_of(presented), credential, user);
    }

    fn id<T>(&mut self, from: impl FnOnce([u8; 16]) -> T) -> T {
        from(self.random.bytes())
    }

    fn lease(&mut self) -> LeaseLength {
        let seconds = *self.random.pick(&[10, 10, 12, 15, 20, 30]).unwrap_or(&10);
        lease(seconds)
    }

    /// An organisation with doors, agents and people.
    pub(crate) fn set_up(&mut self) {
        let by = Actor::ServerCommandLine;
        let must = |world: &mut Self, command: Command| {
            let id = world.id(CommandId::from_bytes);
            let carried = world.carry_out(STORE, id, by, &command);
            debug_assert!(
                matches!(carried.outcome, Outcome::Done { .. }),
                "{command:?}: {:?}",
                carried.outcome
            );
        };
        #[expect(clippy::expect_used, reason = "it is in the database")]
        let zone = ZoneName::parse("Europe/Berlin").expect("a zone");
        must(
            self,
            Command::CreateSite(Site {
                id: SITE,
                revision: Revision::ZERO,
                name: title("Site"),
                zone,
                default_policy: None,
            }),
        );
        let agents = self.random.between(2, 8);
        let mut doors = Vec::new();
        for number in 0..agents {
            let count = if self.random.one_in(3) { 2 } else { 1 };
            let mut own = Vec::new();
            for which in 0..count {
                let id = self.id(DoorId::from_bytes);
                let name = format!("door {}{}", number + 1, ["", "b"][which]);
                self.people.doors.insert(id, name.clone());
                let fail_mode = match self.random.below(6) {
                    0 => FailMode::KeepLastTable,
                    _ => FailMode::RefuseAll,
                };
                let lease = self.lease();
                let readers = [Direction::In, Direction::Out].map(|direction| Reader {
                    id: ReaderId::from_bytes(self.random.bytes()),
                    direction,
                });
                must(
                    self,
                    Command::CreateDoor(Door {
                        id,
                        revision: Revision::ZERO,
                        site: SITE,
                        name: title(&name),
                        agent: None,
                        lease,
                        fail_mode,
                        readers: readers.to_vec(),
                    }),
                );
                own.push(id);
            }
            doors.push(own);
        }
        let all: BTreeSet<DoorId> = doors.iter().flatten().copied().collect();
        let some: BTreeSet<DoorId> = all.iter().copied().step_by(2).collect();
        for (id, name, doors) in [(EVERYWHERE, "Everywhere", all), (SOMEWHERE, "Some", some)] {
            must(
                self,
                Command::CreatePolicy(Policy {
                    id,
                    revision: Revision::ZERO,
                    name: title(name),
                    doors,
                    door_groups: BTreeSet::new(),
                    hours: PolicyHours::Always,
                }),
            );
        }
        must(
            self,
            Command::CreateGroup(Group {
                id: STAFF,
                revision: Revision::ZERO,
                name: title("Staff"),
                parent: None,
                policies: BTreeSet::from([EVERYWHERE]),
            }),
        );
        for own in doors {
            self.enrol(own);
        }
        let people = self.random.between(8, NAMES.len() as u64);
        let mut on_list = BTreeSet::new();
        for name in NAMES.iter().take(usize::try_from(people).unwrap_or(8)) {
            let command = self.create(name);
            if let Command::CreateUser { user, .. } = &command
                && on_list.len() < 4
            {
                on_list.insert(*user);
            }
            must(self, command);
        }
        let limit_seconds = self.random.between(60, 90);
        must(
            self,
            Command::CreateEmergencyList(EmergencyList {
                id: LIST,
                revision: Revision::ZERO,
                name: title("Emergency"),
                people: on_list,
                limit: limit(limit_seconds),
            }),
        );
        let known: Vec<Door> = self.nodes[STORE]
            .books
            .memory()
            .doors
            .values()
            .cloned()
            .collect();
        for door in known {
            if self.random.one_in(3) {
                let door = Door {
                    fail_mode: FailMode::EmergencyList(LIST),
                    ..door
                };
                must(self, Command::EditDoor(door, Expected::Whatever));
            }
        }
        self.back_up();
        for a in 0..self.agents.len() {
            let soon = self.random.below(500 * MILLI);
            self.after(soon, Event::AgentUp(a));
        }
        self.after(3 * SECOND, Event::Operate);
        self.after(SECOND, Event::Stand);
        self.after(4 * SECOND, Event::Schedule);
        self.after(6 * SECOND, Event::Trouble);
    }

    /// A new machine joins for these doors; whoever had them is replaced.
    pub(crate) fn enrol(&mut self, doors: Vec<DoorId>) {
        let by = Actor::ServerCommandLine;
        let secret: [u8; 16] = self.random.bytes();
        let name = self.door_name(doors[0]);
        let agent_name = format!("{name}, {}", self.agents.len());
        let token = JoinToken {
            id: self.id(JoinTokenId::from_bytes),
            secret: secret_hash(&secret),
            name: title(&agent_name),
            doors: doors.iter().copied().collect(),
            expires_at: self.server_time().plus(JoinToken::LIFE),
            state: JoinTokenState::Open,
        };
        let command = self.id(CommandId::from_bytes);
        self.carry_out(STORE, command, by, &Command::CreateJoinToken(token));
        #[expect(clippy::expect_used, reason = "32 bytes make a key")]
        let key = SigningKey::from_seed(&self.random.bytes()).expect("a key");
        let id = self.id(AgentId::from_bytes);
        let hash_key = HashKey::from_bytes(self.random.bytes());
        let enrolled = Enrolled {
            id,
            revision: Revision::ZERO,
            name: title(&agent_name),
            key: key.public(),
            hash_key,
            enrolled_at: self.server_time(),
            state: AgentState::Enrolled,
        };
        let command = self.id(CommandId::from_bytes);
        let join = Command::EnrolAgent {
            secret: secret_hash(&secret),
            agent: enrolled,
        };
        let carried = self.carry_out(STORE, command, Actor::JoiningAgent(id), &join);
        debug_assert!(!carried.changes.is_empty(), "{:?}", carried.outcome);
        let agent = Agent::new(id, name, key, hash_key, doors.clone(), &mut self.random);
        match self.agents.iter().position(|it| it.doors == doors) {
            Some(a) => self.agents[a] = agent,
            None => self.agents.push(agent),
        }
    }

    fn create(&mut self, name: &str) -> Command {
        let user = self.id(UserId::from_bytes);
        self.people.names.insert(user, name.to_owned());
        let mut credentials = vec![self.new_card()];
        if self.random.one_in(2) {
            credentials.push(self.new_card());
        }
        if self.random.one_in(2) {
            credentials.extend(self.new_pin());
        }
        let (groups, policies) = match self.random.below(3) {
            0 => (BTreeSet::from([STAFF]), BTreeSet::new()),
            1 => (BTreeSet::new(), BTreeSet::from([SOMEWHERE])),
            _ => (BTreeSet::new(), BTreeSet::from([EVERYWHERE])),
        };
        Command::CreateUser {
            user,
            profile: profile(name),
            access: AccessPeriod::default(),
            groups,
            policies: InitialPolicies::Chosen(policies),
            credentials,
        }
    }

    fn new_card(&mut self) -> NewCredential {
        self.people.cards += 1;
        NewCredential {
            id: self.id(CredentialId::from_bytes),
            label: None,
            means: card(self.people.cards),
        }
    }

    fn new_pin(&mut self) -> Option<NewCredential> {
        let pin = keys().pins.get(self.people.pins)?;
        self.people.pins += 1;
        Some(NewCredential {
            id: self.id(CredentialId::from_bytes),
            label: None,
            means: NewMeans::Pin(*pin),
        })
    }

    /// The next thing an operator does.
    pub(crate) fn operate(&mut self) {
        if self.weather.calm {
            return;
        }
        if let Some(command) = self.next_command(STORE) {
            let id = self.id(CommandId::from_bytes);
            self.ask(id, command);
        }
        if self.nodes.len() > 1 {
            // Whoever uses the copy gives people back what they had.
            for _ in 0..3 {
                if let Some(command) = self.next_command(1) {
                    let id = self.id(CommandId::from_bytes);
                    let by = Actor::ServerCommandLine;
                    self.carry_out(1, id, by, &command);
                }
            }
        }
        let pause = self.random.between(100, 2_000) * MILLI;
        self.after(pause, Event::Operate);
    }

    fn next_command(&mut self, n: usize) -> Option<Command> {
        let memory = self.nodes[n].books.memory().clone();
        let present: Vec<User> = memory
            .users
            .values()
            .filter_map(|record| match record {
                UserRecord::Present(user) => Some(user.clone()),
                UserRecord::Removed(_) => None,
            })
            .collect();
        let active: Vec<&User> = present
            .iter()
            .filter(|user| user.standing == Standing::Active)
            .collect();
        let gone: Vec<&User> = present
            .iter()
            .filter(|user| user.standing != Standing::Active)
            .collect();
        let held: Vec<Credential> = memory.credentials.values().cloned().collect();
        let usable: Vec<&Credential> = held
            .iter()
            .filter(|it| it.state == CredentialState::Usable)
            .collect();
        let lost: Vec<&Credential> = held
            .iter()
            .filter(|it| it.state != CredentialState::Usable)
            .collect();
        let someone = |user: &User| user.id;
        Some(match self.random.below(100) {
            0..=27 => Command::DeactivateUser {
                user: someone(self.random.pick(&active)?),
                reason: DeactivationReason::Other,
                note: None,
                employment_ended_at: None,
            },
            28..=49 => Command::ReactivateUser {
                user: someone(self.random.pick(&gone)?),
            },
            50..=52 => Command::RemoveUser {
                user: someone(self.random.pick(&gone)?),
                unconfirmed: if self.random.one_in(3) {
                    Unconfirmed::Override(Note::parse("it must be").ok()?)
                } else {
                    Unconfirmed::Wait
                },
            },
            53..=60 => Command::ReportLost {
                credential: self.random.pick(&usable)?.id,
            },
            61..=66 => Command::ReportFound {
                credential: self.random.pick(&lost)?.id,
            },
            67..=73 => Command::RemoveCredential {
                credential: self.random.pick(&usable)?.id,
            },
            74..=80 => {
                // A card that nobody has any more is given to somebody else.
                let free: Vec<CardToken> = self
                    .people
                    .tokens
                    .iter()
                    .filter_map(|token| match token {
                        Presented::NfcCard(token) => Some(token.clone()),
                        _ => None,
                    })
                    .filter(|token| {
                        let holds = |it: &Credential| {
                            matches!(&it.means, Means::NfcCard { token: held, .. } if held == token)
                        };
                        !held.iter().any(holds) && !memory.burned.contains(token)
                    })
                    .collect();
                let user = someone(self.random.pick(&active)?);
                match self.random.pick(&free).cloned() {
                    Some(token) => Command::AddCredential {
                        user,
                        credential: NewCredential {
                            id: self.id(CredentialId::from_bytes),
                            label: None,
                            means: NewMeans::NfcCard {
                                display_number: DisplayNumber::of_token(&token),
                                token,
                            },
                        },
                    },
                    None => Command::AddCredential {
                        user,
                        credential: self.new_card(),
                    },
                }
            }
            81..=83 => {
                let pins: Vec<&Credential> = held
                    .iter()
                    .filter(|it| matches!(it.means, Means::Pin { .. }))
                    .collect();
                let credential = self.random.pick(&pins)?.id;
                let NewMeans::Pin(pin) = self.new_pin()?.means else {
                    return None;
                };
                Command::RenewPin {
                    credential,
                    new: self.id(CredentialId::from_bytes),
                    pin,
                }
            }
            84..=88 => {
                let list = memory.emergency_lists.get(&LIST)?.clone();
                let mut people = list.people.clone();
                let user = someone(self.random.pick(&active)?);
                if !people.remove(&user) {
                    people.insert(user);
                }
                Command::EditEmergencyList(EmergencyList { people, ..list }, Expected::Whatever)
            }
            89..=94 => {
                let doors: Vec<&Door> = memory.doors.values().collect();
                let door = (*self.random.pick(&doors)?).clone();
                let fail_mode = match self.random.below(6) {
                    0 => FailMode::KeepLastTable,
                    1 | 2 => FailMode::EmergencyList(LIST),
                    _ => FailMode::RefuseAll,
                };
                let lease = self.lease();
                Command::EditDoor(
                    Door {
                        lease,
                        fail_mode,
                        ..door
                    },
                    Expected::Whatever,
                )
            }
            95..=96 => {
                let user = (*self.random.pick(&present)?).clone();
                let policies = match self.random.below(3) {
                    0 => BTreeSet::new(),
                    1 => BTreeSet::from([SOMEWHERE]),
                    _ => BTreeSet::from([EVERYWHERE]),
                };
                Command::EditUser {
                    user: user.id,
                    expected: Expected::Whatever,
                    profile: user.profile,
                    access: user.access,
                    groups: user.groups,
                    policies,
                }
            }
            97 => {
                let name = "Newcomer";
                self.create(name)
            }
            _ => {
                if n == STORE && self.people.importing == 0 && present.len() < 60 {
                    self.people.importing = self.random.between(40, 60);
                    self.import_is_slow_somewhere();
                    let number = self.people.importing;
                    self.after(0, Event::Import(number));
                    self.tell(About::ALL, || {
                        format!("an import of {number} people begins")
                    });
                }
                return None;
            }
        })
    }

    /// Somebody is refused while an import is under way.
    pub(crate) fn refuse_somebody(&mut self) {
        let memory = self.nodes[STORE].books.memory();
        let active: Vec<UserId> = memory
            .users
            .values()
            .filter_map(|record| match record {
                UserRecord::Present(user) if user.standing == Standing::Active => Some(user.id),
                UserRecord::Present(_) | UserRecord::Removed(_) => None,
            })
            .collect();
        if let Some(user) = self.random.pick(&active).copied()
            && !self.weather.calm
        {
            let id = self.id(CommandId::from_bytes);
            let command = Command::DeactivateUser {
                user,
                reason: DeactivationReason::Other,
                note: None,
                employment_ended_at: None,
            };
            self.ask(id, command);
        }
    }

    /// The next person of an import.
    pub(crate) fn import(&mut self, number: u64) {
        self.people.importing = number;
        if number == 0 || self.weather.calm {
            self.people.importing = 0;
            return;
        }
        let command = self.create("Imported");
        let id = self.id(CommandId::from_bytes);
        self.ask(id, command);
        self.after(20 * MILLI, Event::Import(number - 1));
    }

    /// An operator asks for something. Whoever gets no answer asks again, with the same id.
    pub(crate) fn ask(&mut self, id: CommandId, command: Command) {
        let node = &mut self.nodes[STORE];
        if !node.up {
            if self.random.one_in(4) {
                self.people.unanswered.insert(id, command);
                self.after(5 * SECOND, Event::Again(id));
            }
            return;
        }
        let crash = node.crash.take();
        match crash {
            None => {
                if matches!(command, Command::AddCredential { .. }) {
                    self.note_reissue(&command);
                }
                self.carry_out(STORE, id, Actor::ServerCommandLine, &command);
            }
            Some(Crash::BeforeCommit) => {
                // Done, and gone with the transaction.
                let mut lost = self.nodes[STORE].books.clone();
                let clocks = (self.uptime(), self.server_time());
                let by = Actor::ServerCommandLine;
                let _ = lost.execute(id, by, &command, &self.salts, clocks);
                self.people.unanswered.insert(id, command);
            }
            Some(Crash::AfterCommit) => {
                self.carry_out(STORE, id, Actor::ServerCommandLine, &command);
                self.people.unanswered.insert(id, command);
            }
        }
        if let Some(when) = crash {
            self.tell(About::ALL, || format!("the server goes down {when:?}"));
            self.crash_server(STORE);
            let back = self.random.between(200, 4_000) * MILLI;
            self.after(back, Event::ServerUp(STORE));
            self.after(back + SECOND, Event::Again(id));
        }
    }

    pub(crate) fn ask_again(&mut self, id: CommandId) {
        if let Some(command) = self.people.unanswered.remove(&id) {
            self.ask(id, command);
        }
    }

    fn note_reissue(&mut self, command: &Command) {
        let Command::AddCredential { credential, .. } = command else {
            return;
        };
        if let NewMeans::NfcCard { token, .. } = &credential.means {
            let presented = bytes_of(&Presented::NfcCard(token.clone()));
            if self.oracle.first_holder(&presented).is_some() {
                self.counters.reissued += 1;
            }
        }
    }

    /// Somebody stands at some door.
    pub(crate) fn somebody_stands(&mut self) {
        let a = self.random.below(self.agents.len() as u64);
        let a = usize::try_from(a).unwrap_or(0);
        let doors = self.agents[a].doors.len() as u64;
        let door = usize::try_from(self.random.below(doors)).unwrap_or(0);
        if let Some(presented) = self.random.pick(&self.people.tokens).cloned() {
            self.stands(a, door, &presented);
        }
        let pause = self.random.between(20, 300) * MILLI;
        self.after(pause, Event::Stand);
    }

    /// Somebody was told until when a door may still open for them, and comes just then.
    pub(crate) fn tries_after(&mut self, door: DoorId, user: UserId, at: Timestamp) {
        let here = |agent: &Agent| agent.doors.iter().position(|it| *it == door);
        let found = self.agents.iter().enumerate();
        let Some((a, which)) = found.filter_map(|(a, it)| Some((a, here(it)?))).next() else {
            return;
        };
        let held = self.held_by(user);
        let when = at.since(BEGINNING).as_micros();
        let when = u64::try_from(when).unwrap_or(0);
        for within in [60, 1_000] {
            if let Some(presented) = self.random.pick(&held).cloned() {
                let late = self.random.below(within) * MILLI;
                self.at(when + late, Event::StandWith(a, which, presented));
            }
        }
    }

    fn held_by(&self, user: UserId) -> Vec<Presented> {
        let tokens = self.people.tokens.iter();
        tokens
            .filter(|token| self.oracle.holds(&bytes_of(token), user))
            .cloned()
            .collect()
    }

    /// Somebody was refused: they try their luck at every door, now and in a while.
    pub(crate) fn try_everywhere(&mut self, user: UserId) {
        let held = self.held_by(user);
        for a in 0..self.agents.len() {
            for door in 0..self.agents[a].doors.len() {
                let Some(presented) = self.random.pick(&held).cloned() else {
                    return;
                };
                for delay in [80, 400, 1_500, 6_000, 14_000, 22_000, 34_000, 60_000] {
                    if self.random.one_in(3) {
                        let when = self.random.between(delay / 2, delay) * MILLI;
                        self.after(when, Event::StandWith(a, door, presented.clone()));
                    }
                }
            }
        }
    }
}
