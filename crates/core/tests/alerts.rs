//! Alerts: what is one, who is sent it, what is told together, and what it says.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::alert::{
    AgentAbsence, Alert, AlertKind, Allowance, LimitsPassed, PER_HOUR, Stopped, TOLD_TOGETHER,
    Told, Tried, Tries, allowance, gone_after, recipients, words,
};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::confirmation::{Alone, Contact, DoorFacts};
use offgate_core::credential::CredentialKind;
use offgate_core::decide::Decision;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::door_position::Positions;
use offgate_core::id::{AgentId, CredentialId, DoorId, OperatorId, PolicyId, SiteId, UserId};
use offgate_core::log;
use offgate_core::mail::HostName;
use offgate_core::memory::Memory;
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::{Direction, Site, ZoneName};
use offgate_core::refusal::Refusal;
use offgate_core::table::admission::{Holder, Reason};
use offgate_core::text::{Email, PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use proptest::prelude::*;

const SERVER: Actor = Actor::ServerCommandLine;
const START: i64 = 1_795_000_000;
const DOOR: DoorId = DoorId::from_bytes([3; 16]);
const USER: UserId = UserId::from_bytes([1; 16]);
const HOLDER: Holder = Holder {
    credential: CredentialId::from_bytes([2; 16]),
    user: USER,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(START + second)
}

fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

fn event(happening: Happening) -> DoorEvent {
    DoorEvent {
        sequence: 1,
        at: at(0),
        door: DOOR,
        direction: Direction::In,
        presented: CredentialKind::NfcCard,
        happening,
    }
}

fn tried(user: u8, door: u8, second: i64) -> Tried {
    Tried {
        user: UserId::from_bytes([user; 16]),
        credential: HOLDER.credential,
        presented: CredentialKind::NfcCard,
        door: DoorId::from_bytes([door; 16]),
        at: at(second),
        why: Stopped::Deactivated,
    }
}

#[test]
fn one_function_says_that_a_stopped_credential_was_tried() {
    for reason in Reason::ALL {
        let refused = event(Happening::Refused {
            reason,
            holder: Some(HOLDER),
        });
        let why = match reason {
            Reason::Deactivated => Some(Stopped::Deactivated),
            Reason::Ended => Some(Stopped::Ended),
            Reason::Lost => Some(Stopped::Lost),
            _ => None,
        };
        let told = Tried::told_by(&refused);
        assert_eq!(told.map(|tried| tried.why), why, "{reason:?}");
        assert_eq!(
            told.is_some_and(|it| it.user == USER && it.door == DOOR && it.at == at(0)),
            why.is_some()
        );
        let nobody = event(Happening::Refused {
            reason,
            holder: None,
        });
        assert_eq!(Tried::told_by(&nobody), None, "{reason:?}");
    }
    for happening in [
        Happening::Granted {
            holder: HOLDER,
            policy: PolicyId::from_bytes([4; 16]),
        },
        Happening::WayOut {
            holder: Some(HOLDER),
        },
        Happening::KeypadSlowed,
    ] {
        assert_eq!(Tried::told_by(&event(happening)), None);
    }
    for kind in AlertKind::ALL {
        assert_eq!(AlertKind::from_name(kind.name()), Some(kind));
    }
    for why in Stopped::ALL {
        assert_eq!(Stopped::from_name(why.name()), Some(why));
    }
}

#[test]
fn tries_within_ten_minutes_are_told_together() {
    let tries = Tries::begun(tried(1, 1, 0));
    assert_eq!(tries.untold(), 0);
    let more = tries.with(&tried(1, 1, 599)).expect("together");
    assert_eq!((more.count, more.untold(), more.last_at), (2, 1, at(599)));
    assert_eq!(more.first, tries.first);
    for other in [tried(1, 1, 600), tried(2, 1, 5), tried(1, 2, 5)] {
        assert_eq!(more.with(&other), None, "{other:?}");
    }
}

proptest! {
    /// Whatever comes, nobody is lost, and of one person at one door there are no more than two
    /// letters for each ten minutes.
    #[test]
    fn every_try_is_told_once(gaps in proptest::collection::vec(0_i64..1200, 1..60)) {
        let (mut second, mut letters, mut told) = (0, 0, 0);
        let mut last: Option<Tries> = None;
        let tries = u32::try_from(gaps.len()).expect("a few");
        for gap in &gaps {
            second += gap;
            let this = tried(1, 1, second);
            last = match last.and_then(|last| last.with(&this)) {
                Some(more) => Some(more),
                None => {
                    if let Some(last) = last.filter(|last| last.untold() > 0) {
                        (letters, told) = (letters + 1, told + last.untold());
                    }
                    (letters, told) = (letters + 1, told + 1);
                    Some(Tries::begun(this))
                }
            };
        }
        let rest = last.map_or(0, |last| last.untold());
        letters += i64::from(rest > 0);
        prop_assert_eq!(told + rest, tries);
        let window = i64::try_from(TOLD_TOGETHER.as_secs()).expect("a short time");
        prop_assert!(letters <= 2 * (second / window + 1), "{} in {} s", letters, second);
    }
}

#[test]
fn an_hour_has_an_end() {
    let mut sent = 0;
    while allowance(sent, PER_HOUR) == Allowance::Sent {
        sent += 1;
    }
    assert_eq!(allowance(sent, PER_HOUR), Allowance::SentAsTheLast);
    assert_eq!(sent + 1, PER_HOUR);
    for more in [PER_HOUR, PER_HOUR + 1, 10_000] {
        assert_eq!(allowance(more, PER_HOUR), Allowance::LeftOut);
    }
}

#[test]
fn doors_that_do_not_answer_are_told_of_before_their_limit_ends() {
    let seconds = Duration::from_secs;
    // (the shortest lease, after how long)
    for (lease, after) in [
        (72 * 3600, 600),
        (15 * 60, 450),
        (20 * 60, 600),
        (10, 5),
        (1, 0),
    ] {
        assert_eq!(gone_after(seconds(lease)).as_secs(), after, "{lease}");
    }
    let doors = vec![(DOOR, Alone::KeepsLastTable)];
    let since = |second| Contact::Silent {
        since: Some(at(second)),
    };
    // (contact, doors, the server's start, now) → told of
    for (contact, doors, server, now, told) in [
        (Contact::Connected, doors.clone(), 0, 9_000, false),
        (
            Contact::Silent { since: None },
            doors.clone(),
            0,
            9_000,
            false,
        ),
        (since(100), doors.clone(), 0, 699, false),
        (since(100), doors.clone(), 0, 700, true),
        // The server was off meanwhile, and nobody could be heard.
        (since(100), doors.clone(), 5_000, 5_599, false),
        (since(100), doors.clone(), 5_000, 5_600, true),
        (since(100), Vec::new(), 0, 9_000, false),
    ] {
        let absence = AgentAbsence {
            agent: AgentId::from_bytes([5; 16]),
            contact,
            shortest_lease: seconds(72 * 3600),
            doors,
        };
        let alert = absence.clone().alert(at(server), at(now));
        assert_eq!(alert.is_some(), told, "{absence:?} at {now}");
    }
}

#[test]
fn a_limit_is_told_of_with_those_whom_it_does_not_end() {
    let facts = |door, confirmed: Option<i64>, alone| DoorFacts {
        fault: None,
        door: DoorId::from_bytes([door; 16]),
        confirmed_at: confirmed.map(at),
        contact: Contact::Silent { since: Some(at(1)) },
        alone,
        ended_at: None,
        positions: Positions::default(),
    };
    let passed = Alone::UntilLimit(Some(at(50)));
    let mut limits = LimitsPassed::default();
    for facts in [
        facts(1, None, passed),
        facts(1, None, passed),
        facts(1, Some(20), passed),
        facts(1, None, Alone::OnEmergencyList(Some(at(40)))),
        // Its limit is to come.
        facts(2, None, Alone::UntilLimit(Some(at(101)))),
        // It has none that would count.
        facts(3, None, Alone::KeepsLastTable),
        facts(4, None, Alone::OnEmergencyList(Some(at(40)))),
    ] {
        limits.count(&facts, at(10), at(100));
    }
    assert_eq!(
        limits.alerts(),
        [Alert::LimitPassed {
            door: DoorId::from_bytes([1; 16]),
            silent_since: Some(at(1)),
            ended_at: at(50),
            people: 2,
            may_still_open: 1,
        }]
    );
}

fn operator(number: u8, role: Role, user: Option<UserId>) -> Operator {
    Operator {
        id: OperatorId::from_bytes([number; 16]),
        revision: Revision::ZERO,
        name: title(&format!("Operator {number}")),
        email: Email::parse(&format!("o{number}@example.com")).expect("an address"),
        role,
        user,
        password: Some(PasswordHash::from_phc("$argon2id$".to_owned())),
        state: OperatorState::Open,
    }
}

fn done(memory: &mut Memory, command: Command) {
    let decision = memory.execute(SERVER, &command, at(0));
    assert!(
        matches!(decision, Decision::Accepted(_)),
        "{command:?}: {decision:?}"
    );
}

/// An owner (1), an administrator (2), and an owner who is Ada (3).
fn organisation() -> Memory {
    let mut memory = Memory::default();
    let name = |text| PersonName::parse(text).expect("a name");
    done(
        &mut memory,
        Command::CreateSite(Site {
            id: SiteId::from_bytes([6; 16]),
            revision: Revision::ZERO,
            name: title("Harbour"),
            zone: ZoneName::parse("Europe/Berlin").expect("a zone"),
            default_policy: None,
        }),
    );
    done(
        &mut memory,
        Command::CreateUser {
            user: USER,
            profile: Profile {
                first_name: name("Ada"),
                last_name: name("Lovelace"),
                preferred_name: None,
                email: None,
                phone: None,
                employee_number: None,
            },
            access: AccessPeriod::default(),
            groups: BTreeSet::new(),
            policies: InitialPolicies::SiteDefaults,
            credentials: Vec::new(),
        },
    );
    for (number, role, user) in [
        (1, Role::Owner, None),
        (2, Role::Administrator, None),
        (3, Role::Owner, Some(USER)),
    ] {
        done(
            &mut memory,
            Command::CreateOperator(operator(number, role, user)),
        );
    }
    memory
}

fn sent(memory: &Memory, kind: AlertKind) -> Vec<String> {
    let Ok(recipients) = recipients(memory, kind);
    let addresses = recipients.into_iter();
    addresses.map(|(_, to)| to.as_str().to_owned()).collect()
}

#[test]
fn owners_hear_of_what_cannot_wait_until_they_choose_otherwise() {
    let mut memory = organisation();
    let [first, second, third] = [1, 2, 3].map(|number| format!("o{number}@example.com"));
    for kind in AlertKind::ALL {
        let expected = match kind {
            AlertKind::StoppedCredentialTried | AlertKind::HistoryDoesNotContinue => {
                vec![first.clone(), third.clone()]
            }
            _ => Vec::new(),
        };
        assert_eq!(sent(&memory, kind), expected, "{kind:?}");
    }
    let choose = |number, kinds: &[AlertKind]| {
        let kinds = kinds.iter().copied().collect();
        Command::ChooseAlerts(OperatorId::from_bytes([number; 16]), kinds)
    };
    done(&mut memory, choose(1, &[]));
    done(&mut memory, choose(2, &[AlertKind::AgentGone]));
    assert_eq!(sent(&memory, AlertKind::AgentGone), [second]);
    assert_eq!(sent(&memory, AlertKind::StoppedCredentialTried), [third]);
    // Whoever may not sign in any more is told nothing.
    done(
        &mut memory,
        Command::DeactivateUser {
            user: USER,
            reason: DeactivationReason::SecurityConcern,
            note: None,
            employment_ended_at: None,
        },
    );
    done(
        &mut memory,
        Command::EndOperator(OperatorId::from_bytes([2; 16])),
    );
    for kind in AlertKind::ALL {
        assert_eq!(sent(&memory, kind), [""; 0], "{kind:?}");
    }
}

#[test]
fn everybody_chooses_for_themselves() {
    let mut memory = organisation();
    let kinds = BTreeSet::from([AlertKind::AgentGone, AlertKind::LastDoorConfirmed]);
    let own = OperatorId::from_bytes([2; 16]);
    let command = Command::ChooseAlerts(own, kinds.clone());
    for actor in [
        Actor::Operator(OperatorId::from_bytes([1; 16])),
        Actor::Schedule,
    ] {
        let decision = memory.execute(actor, &command, at(0));
        let expected = match actor {
            Actor::Operator(_) => Refusal::NotYours,
            _ => Refusal::NotAllowed {
                needed: Role::Viewer,
            },
        };
        assert_eq!(decision, Decision::Refused(expected, Vec::new()));
    }
    let Decision::Accepted(changes) = memory.execute(Actor::Operator(own), &command, at(0)) else {
        unreachable!("one's own")
    };
    let entry = log::entry(&changes[0]);
    let details: Vec<_> = entry.details.iter().map(|it| it.after.clone()).collect();
    assert_eq!(
        (entry.kind, details),
        (
            "operator.alerts-chosen",
            vec![Some("agent-gone, last-door-confirmed".to_owned())]
        )
    );
    assert_eq!(memory.alerts_chosen.get(&own), Some(&kinds));
    let again = memory.execute(SERVER, &command, at(0));
    assert_eq!(again, Decision::Accepted(Vec::new()), "as it is");
}

#[test]
fn a_letter_names_somebody_only_where_it_is_needed() {
    let memory = organisation();
    let server = HostName::parse("doors.example.com").expect("a name");
    let said = |alert: &Alert, allowance| {
        let Ok(words) = words(&memory, alert, allowance, &server);
        (words.subject, words.text)
    };
    let this = tried(1, 3, 0);
    let first = Alert::Tried(Told::First(this));
    let (subject, text) = said(&first, Allowance::Sent);
    assert_eq!(subject, "Refused at a door that is gone: Ada Lovelace");
    for part in [
        "At 18 Nov 2026, 12:06:40 CET the card of Ada Lovelace, who is deactivated,",
        "The door refused.",
        "The door server doors.example.com.",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert_eq!(first.about(), Some(USER), "the letter goes with them");
    let tries = Tries::begun(Tried {
        why: Stopped::Lost,
        ..this
    });
    let tries = (1..8).fold(tries, |tries, second| {
        tries.with(&tried(1, 3, second)).expect("together")
    });
    let (subject, text) = said(&Alert::Tried(Told::More(tries)), Allowance::SentAsTheLast);
    assert!(subject.ends_with("Ada Lovelace, 7 more times"), "{subject}");
    assert!(text.contains("which was reported lost"), "{text}");
    assert!(text.contains("no more than 10 in an hour"), "{text}");

    let agent = AgentId::from_bytes([5; 16]);
    for (alert, part) in [
        (
            Alert::LimitPassed {
                door: DOOR,
                silent_since: Some(at(0)),
                ended_at: at(60),
                people: 1,
                may_still_open: 2,
            },
            "2 more people who were taken out are on its emergency list",
        ),
        (
            Alert::AgentGone {
                agent,
                silent_since: at(0),
                doors: vec![(DOOR, Alone::UntilLimit(Some(at(3600))))],
            },
            "decides by what it has until 18 Nov 2026, 13:06:40 CET",
        ),
        (
            Alert::HistoryDoesNotContinue { agent, at: at(0) },
            "is not the one it knew",
        ),
        (
            Alert::LastDoorConfirmed {
                user: USER,
                decided_at: at(0),
                confirmed_at: at(1),
                doors: 12,
            },
            "confirmed by 12 of 12 doors",
        ),
    ] {
        let (subject, text) = said(&alert, Allowance::Sent);
        let text = text.replace('\n', " ");
        assert!(text.contains(part), "{part} in\n{text}");
        assert!(!subject.contains("Ada") && !text.contains("Ada"), "{text}");
    }
}
