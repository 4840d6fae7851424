//! What the pages tell of: a small organisation.

use std::collections::BTreeSet;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{CardToken, DisplayNumber, NewCredential, NewMeans};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CredentialId, DoorId, JoinTokenId, OperatorId, PolicyId, ReaderId, SiteId, UserId,
};
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{Policy, PolicyHours};
use offgate_core::text::{Email, EmployeeNumber, Note, PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use offgate_link::acknowledgement::SigningKey;

pub(crate) const USER: UserId = UserId::from_bytes([0x11; 16]);
pub(crate) const GONE: UserId = UserId::from_bytes([0x12; 16]);
pub(crate) const AGENT: AgentId = AgentId::from_bytes([0x1a; 16]);
pub(crate) const DOOR: DoorId = DoorId::from_bytes([0x13; 16]);
pub(crate) const OPERATOR: OperatorId = OperatorId::from_bytes([0x1f; 16]);
pub(crate) const SITE: SiteId = SiteId::from_bytes([0x14; 16]);
pub(crate) const POLICY: PolicyId = PolicyId::from_bytes([0x16; 16]);
pub(crate) const TOKEN: JoinTokenId = JoinTokenId::from_bytes([0x17; 16]);

/// With which the agent signs.
pub(crate) fn agent_key() -> SigningKey {
    SigningKey::from_seed(&[2; 32]).expect("a key")
}

pub(crate) fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

pub(crate) fn person(user: UserId, first: &str, last: &str, card: &str) -> Command {
    let name = |text| PersonName::parse(text).expect("a name");
    let token = CardToken::parse(card).expect("a card");
    Command::CreateUser {
        user,
        profile: Profile {
            first_name: name(first),
            last_name: name(last),
            preferred_name: None,
            email: None,
            phone: None,
            employee_number: EmployeeNumber::parse("HW-7").ok(),
        },
        access: AccessPeriod::default(),
        groups: BTreeSet::new(),
        policies: InitialPolicies::Chosen(BTreeSet::from([POLICY])),
        credentials: vec![NewCredential {
            id: CredentialId::from_bytes(*user.as_bytes()),
            label: None,
            means: NewMeans::NfcCard {
                display_number: DisplayNumber::of_token(&token),
                token,
            },
        }],
    }
}

/// One site, one door with an agent that was heard and is gone, two people, one of them taken out.
pub(crate) fn organisation() -> Vec<(Actor, Command)> {
    let server = |command| (Actor::ServerCommandLine, command);
    vec![
        server(Command::CreateSite(Site {
            id: SITE,
            revision: Revision::ZERO,
            name: title("Harbour Works"),
            zone: ZoneName::parse("Europe/Berlin").expect("a zone"),
            default_policy: None,
        })),
        server(Command::CreateDoor(Door {
            id: DOOR,
            revision: Revision::ZERO,
            site: SITE,
            name: title("Front door"),
            agent: None,
            lease: LeaseLength::ORDINARY,
            fail_mode: FailMode::RefuseAll,
            readers: vec![Reader {
                id: ReaderId::from_bytes([0x18; 16]),
                direction: Direction::In,
            }],
        })),
        server(Command::CreatePolicy(Policy {
            id: POLICY,
            revision: Revision::ZERO,
            name: title("Common doors"),
            doors: BTreeSet::from([DOOR]),
            door_groups: BTreeSet::new(),
            hours: PolicyHours::Always,
        })),
        server(Command::CreateJoinToken(JoinToken {
            id: TOKEN,
            secret: JoinSecretHash([1; 32]),
            name: title("Entrance"),
            doors: BTreeSet::from([DOOR]),
            expires_at: Timestamp::from_seconds(1_795_003_600),
            state: JoinTokenState::Open,
        })),
        (
            Actor::JoiningAgent(AGENT),
            Command::EnrolAgent {
                secret: JoinSecretHash([1; 32]),
                agent: Agent {
                    id: AGENT,
                    revision: Revision::ZERO,
                    name: title("joining"),
                    key: agent_key().public(),
                    hash_key: HashKey::from_bytes([3; 32]),
                    enrolled_at: Timestamp::from_seconds(0),
                    state: AgentState::Enrolled,
                },
            },
        ),
        server(Command::CreateOperator(Operator {
            id: OPERATOR,
            revision: Revision::ZERO,
            name: title("Olga Owner"),
            email: Email::parse("olga@example.com").expect("an address"),
            role: Role::Owner,
            user: None,
            password: Some(PasswordHash::from_phc("none".to_owned())),
            state: OperatorState::Open,
        })),
        // A name that would be markup, and a long one without a break.
        server(person(USER, "<b>Ada</b>", "O’Brien & Sons", "04A22B19F0")),
        server(person(GONE, "Zoë", &"Maximilian".repeat(9), "04A22B19F1")),
        (
            Actor::Operator(OPERATOR),
            Command::DeactivateUser {
                user: GONE,
                reason: DeactivationReason::SecurityConcern,
                note: Note::parse("seen with a copied card").ok(),
                employment_ended_at: None,
            },
        ),
    ]
}
