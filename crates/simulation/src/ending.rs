//! The end of a run: everything is healed, and then everything must agree.

use offgate_core::credential::CredentialState;
use offgate_core::id::{CredentialId, UserId};
use offgate_core::place::Direction;
use offgate_core::table::Table;
use offgate_core::table::admission::{Decision, DoorState, admit};
use offgate_core::table::entry::Entry;
use offgate_core::user::{Standing, UserRecord};
use offgate_link::server_end;
use offgate_store::engine::Confirms;

use crate::oracle::Violation;
use crate::story::About;
use crate::world::{Event, STORE, World};

impl World {
    /// Nothing goes wrong any more.
    pub(crate) fn heal(&mut self) {
        self.weather.calm = true;
        self.everybody_is_troubled();
        self.tell(About::ALL, || "nothing goes wrong any more".to_owned());
        self.copy_ends();
        self.nodes[STORE].crash = None;
        self.start_server(STORE);
        for a in 0..self.agents.len() {
            let agent = &mut self.agents[a];
            agent.line.no_way_up_before = 0;
            agent.line.no_way_down_before = 0;
            agent.line.slow_before = 0;
            agent.disk_slow_before = 0;
            agent.folder.fill_up(false);
            agent.folder.syncs_fail(0);
            self.set_clock(a);
            self.wake(a);
            self.after(0, Event::AgentUp(a));
        }
    }

    /// Every table is what the server would send, every door has confirmed everything, every door
    /// admits whom the records admit and nobody else, and nothing that a door has confirmed is
    /// forgotten.
    pub(crate) fn judge_the_end(&mut self) {
        let wrong = |about: About, promise: &'static str, words: String| Violation {
            promise,
            about,
            words,
        };
        for a in 0..self.agents.len() {
            let agent = &self.agents[a];
            let (id, name, about) = (agent.id, agent.name.clone(), About::door(agent.doors[0]));
            let books = &self.nodes[STORE].books;
            let head = books.head_of(id);
            let hash = agent.table().map(Table::hash);
            if head.map(|head| head.hash) != hash {
                let words = format!("healed, and the table at {name} is not the server's");
                return self.breaks(wrong(about, "the end", words));
            }
            if head.map(|head| head.revision) != books.acknowledged(id) {
                let words = format!(
                    "healed, and the agent at {name} has acknowledged {:?} of {:?}",
                    books.acknowledged(id),
                    head.map(|head| head.revision),
                );
                return self.breaks(wrong(about, "the end", words));
            }
            if books.disk_fails(id) {
                let words = format!("healed, and the disk of the agent at {name} is said to fail");
                return self.breaks(wrong(about, "the end", words));
            }
            let known = books.table(id, None);
            let hash_key = agent.hash_key;
            let mut table = Table::empty(hash_key);
            if let Some(server_end::Table::Whole { puts, .. }) = known {
                for put in puts {
                    if let Ok(entry) = Entry::decode(&put) {
                        table.put(entry);
                    }
                }
            }
            for presented in self.people.tokens.clone() {
                for door in self.agents[a].doors.clone() {
                    let time = self.time();
                    let state = DoorState::ORDINARY;
                    let decision = admit(&table, state, &presented, door, Direction::In, time);
                    let should = matches!(decision, Decision::Granted { .. });
                    let does = self.would_open(a, door, &presented).unwrap_or(should);
                    if should != does {
                        let user = match decision {
                            Decision::Granted { holder, .. } => Some(holder.user),
                            Decision::Refused { holder, .. } => holder.map(|it| it.user),
                            Decision::WayOut(_) => None,
                        };
                        let about = About {
                            door: Some(door),
                            user,
                        };
                        let words = format!("healed, and opening is {does}; it should be {should}");
                        return self.breaks(wrong(about, "the end", words));
                    }
                }
            }
        }
        if let Some(violation) = self.unconfirmed().or_else(|| self.forgotten()) {
            self.breaks(violation);
        }
    }

    fn unconfirmed(&self) -> Option<Violation> {
        let memory = self.nodes[STORE].books.memory();
        self.nodes[STORE]
            .books
            .confirmations()
            .iter()
            .find(|row| {
                let decides = memory
                    .doors
                    .get(&row.door)
                    .is_some_and(|door| door.agent == Some(row.agent));
                row.confirms == Confirms::Refuse && decides && row.confirmed_at.is_none()
            })
            .map(|row| Violation {
                promise: "the end",
                about: About::both(row.door, row.user),
                words: format!("healed, and revision {} is not confirmed", row.revision),
            })
    }

    /// What a door has confirmed, the store must know of, whatever it was restored from.
    fn forgotten(&self) -> Option<Violation> {
        self.oracle
            .confirmed()
            .find(|(_, subject)| self.is_admitted(*subject))
            .map(|(door, _)| Violation {
                promise: "G4",
                about: About::door(door),
                words: "healed, and the store has forgotten a refusal that a door confirmed"
                    .to_owned(),
            })
    }

    /// Whether the records admit a person, or take a credential for usable.
    pub(crate) fn is_admitted(&self, subject: [u8; 16]) -> bool {
        let memory = self.nodes[STORE].books.memory();
        match memory.users.get(&UserId::from_bytes(subject)) {
            Some(UserRecord::Present(user)) => user.standing == Standing::Active,
            Some(UserRecord::Removed(_)) => false,
            None => memory
                .credentials
                .get(&CredentialId::from_bytes(subject))
                .is_some_and(|it| it.state == CredentialState::Usable),
        }
    }
}
