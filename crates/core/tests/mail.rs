//! Who may decide about mail, and what is decided.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;

use offgate_core::actor::Actor;
use offgate_core::change::Change;
use offgate_core::command::{Command, Freshness, InitialPolicies, Unconfirmed};
use offgate_core::decide::Decision;
use offgate_core::id::{OperatorId, UserId};
use offgate_core::log;
use offgate_core::mail::{
    CheckpointMail, Every, HostName, MailServer, MailUser, NewPassword, Protection,
};
use offgate_core::memory::Memory;
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::refusal::Refusal;
use offgate_core::text::{Email, Note, PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};

const SERVER: Actor = Actor::ServerCommandLine;
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn host(text: &str) -> HostName {
    HostName::parse(text).expect("a host")
}

fn email(text: &str) -> Email {
    Email::parse(text).expect("an address")
}

fn server() -> MailServer {
    MailServer {
        host: host("mail.example.com"),
        port: Protection::Tls.port(),
        protection: Protection::Tls,
        user: Some(MailUser::parse("planted-user").expect("a name")),
        sender: email("planted-sender@example.com"),
        name: host("doors.example.com"),
        authorities: None,
    }
}

fn checkpoints() -> CheckpointMail {
    CheckpointMail {
        to: email("planted-auditor@example.com"),
        every: Every::Week,
    }
}

fn with_mail() -> Memory {
    let mut memory = Memory::default();
    let command = Command::SetUpMail(server(), NewPassword::Given);
    accepted(&mut memory, &command);
    memory
}

fn accepted(memory: &mut Memory, command: &Command) -> Vec<Change> {
    match memory.execute(SERVER, command, NOW) {
        Decision::Accepted(changes) => changes,
        Decision::Refused(refusal, _) => panic!("{command:?}: {refusal}"),
    }
}

fn refused(memory: &mut Memory, actor: Actor, command: &Command) -> Refusal {
    match memory.execute(actor, command, NOW) {
        Decision::Accepted(changes) => panic!("{command:?}: {changes:?}"),
        Decision::Refused(refusal, _) => refusal,
    }
}

#[test]
fn only_owners_decide_about_mail() {
    let mut memory = with_mail();
    let roles = [Role::Viewer, Role::Guard, Role::Administrator, Role::Owner];
    for (number, role) in (1..).zip(roles) {
        let id = OperatorId::from_bytes([number; 16]);
        let operator = Operator {
            id,
            revision: Revision::ZERO,
            name: Title::parse(&format!("Operator {number}")).expect("a name"),
            email: email(&format!("o{number}@example.com")),
            role,
            user: None,
            password: Some(PasswordHash::from_phc("$argon2id$".to_owned())),
            state: OperatorState::Open,
        };
        accepted(&mut memory, &Command::CreateOperator(operator));
        for (command, freshness) in [
            (
                Command::SetUpMail(server(), NewPassword::Given),
                Freshness::Recent,
            ),
            (
                Command::ChangeCheckpointMail(Some(checkpoints())),
                Freshness::Recent,
            ),
            (
                Command::TestMail(email("auditor@example.com")),
                Freshness::Session,
            ),
            (Command::StopMail, Freshness::Recent),
        ] {
            assert_eq!(command.freshness(), freshness, "{command:?}");
            let mut memory = memory.clone();
            if role == Role::Owner {
                let decision = memory.execute(Actor::Operator(id), &command, NOW);
                assert!(
                    matches!(&decision, Decision::Accepted(changes) if !changes.is_empty()),
                    "{command:?}: {decision:?}"
                );
            } else {
                let needed = Role::Owner;
                assert_eq!(
                    refused(&mut memory, Actor::Operator(id), &command),
                    Refusal::NotAllowed { needed },
                    "{role:?} {command:?}"
                );
            }
        }
    }
    let schedule = refused(
        &mut memory,
        Actor::Schedule,
        &Command::TestMail(email("auditor@example.com")),
    );
    assert_eq!(
        schedule,
        Refusal::NotAllowed {
            needed: Role::Owner
        }
    );
}

#[test]
fn nothing_goes_in_the_clear_but_to_this_machine() {
    for (at, protection, may) in [
        ("mail.example.com", Protection::None, false),
        ("192.0.2.1", Protection::None, false),
        ("localhost.example.com", Protection::None, false),
        ("localhost", Protection::None, true),
        ("127.0.0.1", Protection::None, true),
        ("::1", Protection::None, true),
        ("mail.example.com", Protection::StartTls, true),
        ("mail.example.com", Protection::Tls, true),
    ] {
        let mut memory = Memory::default();
        let server = MailServer {
            host: host(at),
            protection,
            ..server()
        };
        let command = Command::SetUpMail(server, NewPassword::Given);
        if may {
            accepted(&mut memory, &command);
        } else {
            assert_eq!(
                refused(&mut memory, SERVER, &command),
                Refusal::MailInTheClear,
                "{at}"
            );
        }
    }
}

#[test]
fn a_password_is_sent_to_nobody_but_whom_it_was_given_for() {
    let change = |change: &dyn Fn(&mut MailServer)| {
        let mut server = server();
        change(&mut server);
        server
    };
    let other = MailUser::parse("another").ok();
    for (server, again) in [
        (change(&|it| it.host = host("mail.example.net")), true),
        (change(&|it| it.port = Protection::StartTls.port()), true),
        (change(&|it| it.user = other.clone()), true),
        (change(&|it| it.user = None), false),
        (change(&|it| it.sender = email("b@example.com")), false),
        (change(&|it| it.name = host("other.example.com")), false),
    ] {
        let mut memory = with_mail();
        let command = Command::SetUpMail(server.clone(), NewPassword::Kept);
        if again {
            assert_eq!(
                refused(&mut memory, SERVER, &command),
                Refusal::MailPasswordNeeded
            );
            accepted(&mut memory, &Command::SetUpMail(server, NewPassword::Given));
        } else {
            accepted(&mut memory, &command);
        }
    }
    let first = Command::SetUpMail(server(), NewPassword::Kept);
    assert_eq!(
        refused(&mut Memory::default(), SERVER, &first),
        Refusal::MailPasswordNeeded
    );
    let mut memory = with_mail();
    assert_eq!(accepted(&mut memory, &first), [], "as it is");
    let again = Command::SetUpMail(server(), NewPassword::Given);
    assert_eq!(accepted(&mut memory, &again).len(), 1, "another password");
}

#[test]
fn without_a_server_nothing_is_sent() {
    let mut memory = Memory::default();
    let checkpoints = Command::ChangeCheckpointMail(Some(checkpoints()));
    for command in [
        &checkpoints,
        &Command::TestMail(email("auditor@example.com")),
    ] {
        assert_eq!(refused(&mut memory, SERVER, command), Refusal::MailNotSetUp);
    }
    assert_eq!(
        accepted(&mut memory, &Command::ChangeCheckpointMail(None)),
        []
    );
    assert_eq!(accepted(&mut memory, &Command::StopMail), []);
    let mut memory = with_mail();
    accepted(&mut memory, &checkpoints);
    assert_eq!(accepted(&mut memory, &checkpoints), [], "as it is");
    assert_eq!(accepted(&mut memory, &Command::StopMail).len(), 2);
    assert_eq!((memory.mail_server, memory.checkpoint_mail), (None, None));
}

#[test]
fn the_log_tells_of_no_address_and_no_password() {
    let mut memory = with_mail();
    let mut told = Vec::new();
    for command in [
        Command::ChangeCheckpointMail(Some(checkpoints())),
        Command::TestMail(email("auditor@example.com")),
        Command::StopMail,
        Command::SetUpMail(server(), NewPassword::Given),
    ] {
        told.extend(accepted(&mut memory, &command).iter().map(log::entry));
    }
    let text: Vec<String> = told
        .iter()
        .flat_map(|entry| &entry.details)
        .map(|it| format!("{}: {:?} → {:?}", it.field, it.before, it.after))
        .collect();
    let text = text.join("\n");
    assert!(!text.contains("planted"), "{text}");
    for told in ["mail.example.com", "465", "password", "recipient", "week"] {
        assert!(text.contains(told), "{told} in\n{text}");
    }
    assert!(told.iter().all(|entry| entry.kind.starts_with("mail.")));
}

#[test]
fn whoever_is_removed_is_sent_no_checkpoints() {
    for (theirs, stops) in [
        (Some("Planted-Auditor@Example.com"), true),
        (Some("somebody@example.com"), false),
        (None, false),
    ] {
        let mut memory = with_mail();
        accepted(
            &mut memory,
            &Command::ChangeCheckpointMail(Some(checkpoints())),
        );
        let user = UserId::from_bytes([1; 16]);
        let name = |text| PersonName::parse(text).expect("a name");
        accepted(
            &mut memory,
            &Command::CreateUser {
                user,
                profile: Profile {
                    first_name: name("Ada"),
                    last_name: name("Last"),
                    preferred_name: None,
                    email: theirs.map(email),
                    phone: None,
                    employee_number: None,
                },
                access: AccessPeriod::default(),
                groups: BTreeSet::new(),
                policies: InitialPolicies::SiteDefaults,
                credentials: Vec::new(),
            },
        );
        let reason = DeactivationReason::LeftTheOrganisation;
        accepted(
            &mut memory,
            &Command::DeactivateUser {
                user,
                reason,
                note: None,
                employment_ended_at: None,
            },
        );
        assert!(
            memory.checkpoint_mail.is_some(),
            "deactivation changes nothing"
        );
        let reason = Note::parse("gone").expect("a note");
        accepted(
            &mut memory,
            &Command::RemoveUser {
                user,
                unconfirmed: Unconfirmed::Override(reason),
            },
        );
        assert_eq!(memory.checkpoint_mail.is_none(), stops, "{theirs:?}");
        assert!(memory.mail_server.is_some());
    }
}
