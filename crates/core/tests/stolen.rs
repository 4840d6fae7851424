//! A stolen agent: who may report one, what that does and in which order, and how the PINs it knew
//! are renewed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;

use offgate_core::Decision;
use offgate_core::actor::Actor;
use offgate_core::agent::{
    Agent, AgentKey, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState,
};
use offgate_core::change::{Change, Edit};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{CardToken, DisplayNumber, Means, NewCredential, NewMeans};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CredentialId, DoorId, JoinTokenId, OperatorId, ReaderId, SiteId, UserId,
};
use offgate_core::memory::Memory;
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::pin::{Pin, PinCandidate, PinSalt};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::refusal::{Refusal, Thing};
use offgate_core::server_key::{KeyReplaced, ServerKey};
use offgate_core::text::{Email, Label, PersonName, Title};
use offgate_core::user::{AccessPeriod, Profile};

const SERVER: Actor = Actor::ServerCommandLine;
const AGENT: AgentId = AgentId::from_bytes([1; 16]);
const DOOR: DoorId = DoorId::from_bytes([2; 16]);
const SITE: SiteId = SiteId::from_bytes([3; 16]);
const USER: UserId = UserId::from_bytes([4; 16]);
const PIN: CredentialId = CredentialId::from_bytes([5; 16]);
const CARD: CredentialId = CredentialId::from_bytes([6; 16]);
const NEW: CredentialId = CredentialId::from_bytes([7; 16]);
const ROLES: [Role; 4] = [Role::Viewer, Role::Guard, Role::Administrator, Role::Owner];

fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

fn candidate(digits: &str) -> PinCandidate {
    let pin = Pin::parse(digits).expect("a PIN");
    PinCandidate::new(&pin, &PinSalt::from_bytes([7; 16]))
}

fn token(number: u8) -> JoinToken {
    JoinToken {
        id: JoinTokenId::from_bytes([number; 16]),
        secret: JoinSecretHash([number; 32]),
        name: title("Entrance"),
        doors: BTreeSet::from([DOOR]),
        expires_at: now().plus(JoinToken::LIFE),
        state: JoinTokenState::Open,
    }
}

fn operator(role: Role) -> OperatorId {
    OperatorId::from_bytes([100 + role as u8; 16])
}

fn accept(memory: &mut Memory, actor: Actor, command: &Command) -> Vec<Change> {
    match memory.execute(actor, command, now()) {
        Decision::Accepted(changes) => changes,
        refused @ Decision::Refused(..) => panic!("{command:?}: {refused:?}"),
    }
}

fn refused(memory: &Memory, actor: Actor, command: &Command) -> Refusal {
    match memory.clone().execute(actor, command, now()) {
        Decision::Refused(refusal, _) => refusal,
        accepted @ Decision::Accepted(_) => panic!("{command:?}: {accepted:?}"),
    }
}

/// A door with its agent, an operator of each role, and somebody with a PIN and a card.
fn organisation() -> Memory {
    let mut memory = Memory::default();
    let site = Site {
        id: SITE,
        revision: Revision::ZERO,
        name: title("Site"),
        zone: ZoneName::parse("UTC").expect("a zone"),
        default_policy: None,
    };
    let door = Door {
        id: DOOR,
        revision: Revision::ZERO,
        site: SITE,
        name: title("Front door"),
        agent: None,
        lease: LeaseLength::ORDINARY,
        fail_mode: FailMode::RefuseAll,
        readers: vec![Reader {
            id: ReaderId::from_bytes([8; 16]),
            direction: Direction::In,
        }],
    };
    let card = CardToken::parse("04A22B19F0").expect("a token");
    let name = || PersonName::parse("Ada").expect("a name");
    let person = Command::CreateUser {
        user: USER,
        profile: Profile {
            first_name: name(),
            last_name: name(),
            preferred_name: None,
            email: None,
            phone: None,
            employee_number: None,
        },
        access: AccessPeriod::default(),
        groups: BTreeSet::new(),
        policies: InitialPolicies::SiteDefaults,
        credentials: vec![
            NewCredential {
                id: PIN,
                label: Label::parse("night").ok(),
                means: NewMeans::Pin(candidate("739156")),
            },
            NewCredential {
                id: CARD,
                label: None,
                means: NewMeans::NfcCard {
                    display_number: DisplayNumber::of_token(&card),
                    token: card,
                },
            },
        ],
    };
    let enrol = Command::EnrolAgent {
        secret: JoinSecretHash([1; 32]),
        agent: Agent {
            id: AGENT,
            revision: Revision::ZERO,
            name: title("joining"),
            key: AgentKey([2; 32]),
            hash_key: HashKey::from_bytes([3; 32]),
            enrolled_at: now(),
            state: AgentState::Enrolled,
        },
    };
    for command in [
        Command::CreateSite(site),
        Command::CreateDoor(door),
        Command::CreateJoinToken(token(1)),
        person,
    ] {
        accept(&mut memory, SERVER, &command);
    }
    accept(&mut memory, Actor::JoiningAgent(AGENT), &enrol);
    for role in ROLES {
        let sign_in = Operator {
            id: operator(role),
            revision: Revision::ZERO,
            name: title(role.name()),
            email: Email::parse(&format!("{}@example.com", role.name())).expect("an address"),
            role,
            user: None,
            password: Some(PasswordHash::from_phc("$argon2id$".to_owned())),
            state: OperatorState::Open,
        };
        accept(&mut memory, SERVER, &Command::CreateOperator(sign_in));
    }
    memory.known_pins.insert(AGENT, BTreeSet::from([PIN]));
    memory
}

fn stolen(token: Option<JoinToken>) -> Command {
    Command::ReportAgentStolen {
        agent: AGENT,
        token,
    }
}

fn renew(credential: CredentialId, digits: &str) -> Command {
    Command::RenewPin {
        credential,
        new: NEW,
        pin: candidate(digits),
    }
}

#[test]
fn each_role_may_do_what_it_may() {
    let memory = organisation();
    let replaced = Command::NoteKeyReplaced(KeyReplaced {
        key: ServerKey::Log,
        fingerprint: None,
    });
    for (command, needed) in [
        (stolen(None), Role::Administrator),
        (renew(PIN, "804172"), Role::Administrator),
        (replaced, Role::Owner),
    ] {
        for role in ROLES {
            let actor = Actor::Operator(operator(role));
            if role >= needed {
                accept(&mut memory.clone(), actor, &command);
            } else {
                let refusal = refused(&memory, actor, &command);
                assert_eq!(refusal, Refusal::NotAllowed { needed }, "{command:?}");
            }
        }
        for actor in [Actor::Schedule, Actor::JoiningAgent(AGENT)] {
            let refusal = refused(&memory, actor, &command);
            assert_eq!(refusal, Refusal::NotAllowed { needed }, "{command:?}");
        }
    }
}

#[test]
fn one_act_invites_another_lists_what_the_device_knew_and_refuses_its_key() {
    let mut memory = organisation();
    let revocation = accept(&mut memory.clone(), SERVER, &Command::RevokeAgent(AGENT));
    let changes = accept(&mut memory, SERVER, &stolen(Some(token(2))));
    let known = Change::AgentStolen {
        agent: AGENT,
        pins: 1,
        at: now(),
    };
    assert_eq!(
        changes[..2],
        [Change::JoinTokenCreated(token(2)), known.clone()]
    );
    assert_eq!(changes[2..], revocation, "what revoking does, and after");
    assert!(
        matches!(changes.last(), Some(Change::Door(Edit::Changed(_, door))) if door.agent.is_none())
    );
    assert_eq!(memory.exposed_pins.get(&PIN), Some(&AGENT));
    assert_eq!(memory.exposed_pins.len(), 1, "a card is not renewed here");

    // A device that was replaced before it was stolen still knows what it knew.
    let late = accept(&mut memory, SERVER, &stolen(None));
    assert_eq!(late, [known]);
    let nobody = Command::ReportAgentStolen {
        agent: AgentId::from_bytes([9; 16]),
        token: None,
    };
    assert_eq!(
        refused(&memory, SERVER, &nobody),
        Refusal::NotFound(Thing::Agent)
    );
    // A token that cannot be made leaves everything as it is: nothing is half done.
    let doorless = JoinToken {
        doors: BTreeSet::new(),
        ..token(3)
    };
    assert_eq!(
        refused(&organisation(), SERVER, &stolen(Some(doorless))),
        Refusal::NotFound(Thing::Door)
    );
}

#[test]
fn a_renewed_pin_keeps_its_label_and_the_old_one_does_not_come_back() {
    let mut memory = organisation();
    accept(&mut memory, SERVER, &stolen(None));
    assert_eq!(
        refused(&memory, SERVER, &renew(CARD, "804172")),
        Refusal::NotAPin
    );
    assert_eq!(
        refused(&memory, SERVER, &renew(PIN, "739156")),
        Refusal::ChooseAnotherPin,
        "the same one is no new one"
    );
    let changes = accept(&mut memory, SERVER, &renew(PIN, "804172"));
    assert!(matches!(
        &changes[..],
        [Change::CredentialRemoved { credential, retired: Some(_), .. }, Change::CredentialAdded(added)]
            if credential.id == PIN && added.id == NEW && added.label == credential.label
    ));
    assert!(memory.exposed_pins.is_empty());
    assert!(matches!(
        memory.credentials[&NEW].means,
        Means::Pin { digest, .. } if digest == candidate("804172").digest()
    ));
    assert_eq!(
        refused(&memory, SERVER, &renew(PIN, "571390")),
        Refusal::NotFound(Thing::Credential)
    );
    let again = Command::RenewPin {
        credential: NEW,
        new: PIN,
        pin: candidate("739156"),
    };
    assert_eq!(refused(&memory, SERVER, &again), Refusal::ChooseAnotherPin);
}

#[test]
fn a_pin_of_somebody_above_is_not_renewed() {
    let mut memory = organisation();
    let link = Command::LinkOperator(operator(Role::Owner), Some(USER));
    accept(&mut memory, SERVER, &link);
    let administrator = Actor::Operator(operator(Role::Administrator));
    assert_eq!(
        refused(&memory, administrator, &renew(PIN, "804172")),
        Refusal::AboveYourRole
    );
}
