//! The rules under generated sequences of commands, judged against records kept in memory.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::change::Change;
use offgate_core::command::{Command, Expected, InitialPolicies, Unconfirmed};
use offgate_core::credential::{
    CardToken, CredentialState, DisplayNumber, Means, NewCredential, NewMeans, Plate, PlateSharing,
};
use offgate_core::decide::{Decision, may_sign_in};
use offgate_core::id::{CredentialId, DoorId, GroupId, OperatorId, PolicyId, UserId};
use offgate_core::memory::Memory;
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::pin::{Pin, PinCandidate, PinSalt};
use offgate_core::policy::{Group, Policy, PolicyHours};
use offgate_core::refusal::{Refusal, Thing};
use offgate_core::text::{Email, Note, PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile, Standing, User, UserRecord};
use proptest::prelude::*;

const SERVER: Actor = Actor::ServerCommandLine;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn credential(number: u8) -> CredentialId {
    CredentialId::from_bytes([number; 16])
}

fn operator(number: u8) -> OperatorId {
    OperatorId::from_bytes([number; 16])
}

fn policy(number: u8) -> PolicyId {
    PolicyId::from_bytes([number; 16])
}

fn group(number: u8) -> GroupId {
    GroupId::from_bytes([number; 16])
}

fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

fn profile(number: u8) -> Profile {
    Profile {
        first_name: PersonName::parse(&format!("First{number}")).expect("a name"),
        last_name: PersonName::parse("Last").expect("a name"),
        preferred_name: None,
        email: None,
        phone: None,
        employee_number: None,
    }
}

fn create(number: u8, credentials: Vec<NewCredential>) -> Command {
    Command::CreateUser {
        user: user(number),
        profile: profile(number),
        access: AccessPeriod::default(),
        groups: BTreeSet::new(),
        policies: InitialPolicies::SiteDefaults,
        credentials,
    }
}

fn card(number: u8, token: u8) -> NewCredential {
    let token = CardToken::parse(&format!("04A2{token:04}")).expect("a token");
    let display_number = DisplayNumber::of_token(&token);
    NewCredential {
        id: credential(number),
        label: None,
        means: NewMeans::NfcCard {
            token,
            display_number,
        },
    }
}

fn plate(number: u8, text: u8, sharing: PlateSharing) -> NewCredential {
    let plate = Plate::parse(&format!("AB {text}")).expect("a plate");
    NewCredential {
        id: credential(number),
        label: None,
        means: NewMeans::LicencePlate { plate, sharing },
    }
}

fn pin(number: u8, digits: &str) -> NewCredential {
    let pin = Pin::parse(digits).expect("a PIN");
    let candidate = PinCandidate::new(&pin, &PinSalt::from_bytes([7; 16]));
    NewCredential {
        id: credential(number),
        label: None,
        means: NewMeans::Pin(candidate),
    }
}

fn deactivate(number: u8) -> Command {
    Command::DeactivateUser {
        user: user(number),
        reason: DeactivationReason::LeftTheOrganisation,
        note: None,
        employment_ended_at: None,
    }
}

fn remove(number: u8) -> Command {
    Command::RemoveUser {
        user: user(number),
        unconfirmed: Unconfirmed::Wait,
    }
}

fn sign_in(number: u8, role: Role, is: Option<UserId>) -> Operator {
    Operator {
        id: operator(number),
        revision: Revision::ZERO,
        name: title(&format!("Operator {number}")),
        email: Email::parse(&format!("o{number}@example.com")).expect("an address"),
        role,
        user: is,
        password: Some(PasswordHash::from_phc("$argon2id$".to_owned())),
        state: OperatorState::Open,
    }
}

fn done(memory: &mut Memory, actor: Actor, command: &Command) {
    let decision = memory.execute(actor, command, at(0));
    assert!(
        matches!(decision, Decision::Accepted(_)),
        "{command:?}: {decision:?}"
    );
}

fn refused(memory: &mut Memory, actor: Actor, command: &Command) -> Refusal {
    let before = memory.clone();
    match memory.execute(actor, command, at(0)) {
        Decision::Refused(refusal, notes) => {
            if notes.is_empty() {
                assert_eq!(*memory, before, "a refusal changed something");
            }
            refusal
        }
        Decision::Accepted(changes) => panic!("{command:?} was accepted: {changes:?}"),
    }
}

fn present(memory: &Memory, number: u8) -> &User {
    match memory.users.get(&user(number)) {
        Some(UserRecord::Present(user)) => user,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_role_may_do_what_it_may() {
    let mut memory = Memory::default();
    for (number, role) in [
        (1, Role::Viewer),
        (2, Role::Guard),
        (3, Role::Administrator),
        (4, Role::Owner),
    ] {
        done(
            &mut memory,
            SERVER,
            &Command::CreateOperator(sign_in(number, role, None)),
        );
    }
    done(&mut memory, SERVER, &create(1, vec![card(1, 1)]));
    let lost = Command::ReportLost {
        credential: credential(1),
    };
    let commands = [
        (deactivate(1), Role::Guard),
        (
            Command::ReactivateUser { user: user(1) },
            Role::Administrator,
        ),
        (lost, Role::Guard),
        (
            Command::ReportFound {
                credential: credential(1),
            },
            Role::Administrator,
        ),
        (create(9, vec![]), Role::Administrator),
        (Command::EndOperator(operator(1)), Role::Owner),
    ];
    for (command, needed) in commands {
        let before = memory.clone();
        for (number, role) in [
            (1, Role::Viewer),
            (2, Role::Guard),
            (3, Role::Administrator),
        ] {
            memory = before.clone();
            let decision = memory.execute(Actor::Operator(operator(number)), &command, at(0));
            if role >= needed {
                assert!(
                    matches!(decision, Decision::Accepted(_)),
                    "{role:?} {command:?}"
                );
            } else {
                assert_eq!(
                    decision,
                    Decision::Refused(Refusal::NotAllowed { needed }, vec![])
                );
            }
        }
        memory = before;
        done(&mut memory, Actor::Operator(operator(4)), &command);
    }
}

#[test]
fn nobody_acts_above_their_role_but_may_stop_doors() {
    let mut memory = Memory::default();
    done(&mut memory, SERVER, &create(1, vec![card(1, 1)]));
    done(&mut memory, SERVER, &create(2, vec![]));
    done(
        &mut memory,
        SERVER,
        &Command::CreateOperator(sign_in(1, Role::Owner, Some(user(1)))),
    );
    done(
        &mut memory,
        SERVER,
        &Command::CreateOperator(sign_in(2, Role::Owner, None)),
    );
    done(
        &mut memory,
        SERVER,
        &Command::CreateOperator(sign_in(3, Role::Administrator, Some(user(2)))),
    );
    let administrator = Actor::Operator(operator(3));
    let take_card = Command::RemoveCredential {
        credential: credential(1),
    };
    assert_eq!(
        refused(&mut memory, administrator, &take_card),
        Refusal::AboveYourRole
    );
    done(&mut memory, administrator, &deactivate(1));
    let ended = memory.operators[&operator(1)].clone();
    assert_eq!(may_sign_in(&memory, &ended), Ok(false));
    assert_eq!(
        refused(
            &mut memory,
            Actor::Operator(operator(1)),
            &create(5, vec![])
        ),
        Refusal::SignInEnded
    );
    let reactivate = |number| Command::ReactivateUser { user: user(number) };
    assert_eq!(
        refused(&mut memory, administrator, &reactivate(1)),
        Refusal::AboveYourRole
    );
    assert_eq!(
        refused(&mut memory, administrator, &reactivate(2)),
        Refusal::Yourself
    );
    assert_eq!(
        refused(&mut memory, administrator, &remove(2)),
        Refusal::Yourself
    );
}

#[test]
fn the_last_owner_keeps_the_sign_in_but_not_the_doors() {
    let mut memory = Memory::default();
    done(&mut memory, SERVER, &create(1, vec![card(1, 1)]));
    done(
        &mut memory,
        SERVER,
        &Command::CreateOperator(sign_in(1, Role::Owner, Some(user(1)))),
    );
    done(
        &mut memory,
        SERVER,
        &Command::CreateOperator(sign_in(2, Role::Guard, None)),
    );
    for command in [
        Command::EndOperator(operator(1)),
        Command::ChangeRole(operator(1), Role::Guard),
    ] {
        assert_eq!(refused(&mut memory, SERVER, &command), Refusal::LastOwner);
    }
    done(&mut memory, Actor::Operator(operator(2)), &deactivate(1));
    assert!(matches!(
        present(&memory, 1).standing,
        Standing::Deactivated(_)
    ));
    assert_eq!(
        may_sign_in(&memory, &memory.operators[&operator(1)]),
        Ok(true)
    );
    assert_eq!(refused(&mut memory, SERVER, &remove(1)), Refusal::LastOwner);
    let own = Actor::Operator(operator(1));
    assert_eq!(
        refused(&mut memory, own, &Command::ReactivateUser { user: user(1) }),
        Refusal::Yourself
    );
}

#[test]
fn remove_waits_for_the_doors_and_frees_only_what_is_safe() {
    let mut memory = Memory::default();
    done(
        &mut memory,
        SERVER,
        &Command::CreateOperator(sign_in(1, Role::Owner, None)),
    );
    done(
        &mut memory,
        SERVER,
        &Command::CreateOperator(sign_in(2, Role::Administrator, None)),
    );
    let (owner, administrator) = (Actor::Operator(operator(1)), Actor::Operator(operator(2)));
    let held = vec![
        pin(1, "480271"),
        card(2, 1),
        card(3, 2),
        plate(4, 7, PlateSharing::Unique),
    ];
    done(&mut memory, owner, &create(1, held));
    done(
        &mut memory,
        owner,
        &Command::ReportLost {
            credential: credential(3),
        },
    );
    assert_eq!(
        refused(&mut memory, owner, &remove(1)),
        Refusal::DeactivateFirst
    );
    done(&mut memory, owner, &deactivate(1));
    let door = DoorId::from_bytes([1; 16]);
    memory.unconfirmed.insert(user(1), BTreeSet::from([door]));
    assert_eq!(
        refused(&mut memory, owner, &remove(1)),
        Refusal::DoorsNotConfirmed(vec![door])
    );
    let anyway = Command::RemoveUser {
        user: user(1),
        unconfirmed: Unconfirmed::Override(Note::parse("door demolished").expect("a note")),
    };
    assert_eq!(
        refused(&mut memory, administrator, &anyway),
        Refusal::NotAllowed {
            needed: Role::Owner
        }
    );
    done(&mut memory, owner, &anyway);
    assert!(memory.credentials.is_empty());
    assert_eq!(
        refused(
            &mut memory,
            owner,
            &Command::ReactivateUser { user: user(1) }
        ),
        Refusal::Removed
    );
    // The PIN rests, the lost card is burned, the other card and the plate are free.
    assert_eq!(
        refused(&mut memory, owner, &create(2, vec![pin(5, "480271")])),
        Refusal::ChooseAnotherPin
    );
    assert_eq!(
        refused(&mut memory, owner, &create(2, vec![card(5, 2)])),
        Refusal::CardBurned
    );
    done(
        &mut memory,
        owner,
        &create(2, vec![card(5, 1), plate(6, 7, PlateSharing::Unique)]),
    );
    let year = Duration::from_secs(366 * 24 * 3600);
    let later = memory.execute(owner, &create(3, vec![pin(7, "480271")]), at(0).plus(year));
    assert!(matches!(later, Decision::Accepted(_)), "{later:?}");
}

#[test]
fn a_pin_that_is_not_to_be_had_tells_nothing_and_is_limited() {
    let mut memory = Memory::default();
    done(
        &mut memory,
        SERVER,
        &Command::CreateOperator(sign_in(1, Role::Administrator, None)),
    );
    let actor = Actor::Operator(operator(1));
    done(&mut memory, actor, &create(1, vec![pin(1, "480271")]));
    for (number, digits) in [
        (2, "1234"),
        (3, "480271"),
        (4, "0000"),
        (5, "480271"),
        (6, "2580"),
    ] {
        assert_eq!(
            refused(
                &mut memory,
                actor,
                &create(number, vec![pin(number, digits)])
            ),
            Refusal::ChooseAnotherPin
        );
    }
    let fresh = create(7, vec![pin(7, "904716")]);
    assert_eq!(
        refused(&mut memory, actor, &fresh),
        Refusal::TooManyPinTries
    );
    let later = memory.execute(actor, &fresh, at(601));
    assert!(matches!(later, Decision::Accepted(_)), "{later:?}");
}

#[test]
fn cards_and_plates_have_one_holder_unless_shared_knowingly() {
    let mut memory = Memory::default();
    done(
        &mut memory,
        SERVER,
        &create(
            1,
            vec![
                card(1, 1),
                plate(2, 1, PlateSharing::Unique),
                plate(3, 2, PlateSharing::Shared),
            ],
        ),
    );
    assert_eq!(
        refused(&mut memory, SERVER, &create(2, vec![card(4, 1)])),
        Refusal::CardInUse { holder: user(1) }
    );
    for (text, sharing) in [
        (1, PlateSharing::Unique),
        (1, PlateSharing::Shared),
        (2, PlateSharing::Unique),
    ] {
        assert_eq!(
            refused(
                &mut memory,
                SERVER,
                &create(2, vec![plate(4, text, sharing)])
            ),
            Refusal::PlateInUse { holder: user(1) }
        );
    }
    done(
        &mut memory,
        SERVER,
        &create(2, vec![plate(4, 2, PlateSharing::Shared)]),
    );
    assert_eq!(
        refused(
            &mut memory,
            SERVER,
            &create(3, vec![card(5, 9), card(6, 9)])
        ),
        Refusal::HasItAlready
    );
}

#[test]
fn an_end_that_was_moved_does_not_end_access() {
    let mut memory = Memory::default();
    let access = AccessPeriod {
        starts: None,
        ends: Some(at(100)),
    };
    let Command::CreateUser {
        user: id,
        profile,
        groups,
        policies,
        credentials,
        ..
    } = create(1, vec![])
    else {
        unreachable!()
    };
    done(
        &mut memory,
        SERVER,
        &Command::CreateUser {
            user: id,
            profile,
            access,
            groups,
            policies,
            credentials,
        },
    );
    let end = Command::EndAccess { user: user(1) };
    assert_eq!(
        memory.execute(Actor::Schedule, &end, at(99)),
        Decision::Accepted(vec![])
    );
    let Decision::Accepted(changes) = memory.execute(Actor::Schedule, &end, at(100)) else {
        panic!()
    };
    assert!(matches!(changes[..], [Change::UserDeactivated { .. }]));
    // Reactivation does not revive an end that is over.
    memory.execute(SERVER, &Command::ReactivateUser { user: user(1) }, at(200));
    assert_eq!(present(&memory, 1).access, AccessPeriod::default());
    assert_eq!(
        memory.execute(Actor::Schedule, &end, at(300)),
        Decision::Accepted(vec![])
    );
}

#[test]
fn a_stale_form_changes_nothing_but_never_blocks_a_deactivation() {
    let mut memory = Memory::default();
    done(&mut memory, SERVER, &create(1, vec![]));
    let drawn = present(&memory, 1).revision;
    done(
        &mut memory,
        SERVER,
        &Command::AddCredential {
            user: user(1),
            credential: card(1, 1),
        },
    );
    let edit = Command::EditUser {
        user: user(1),
        expected: Expected::Unchanged(drawn),
        profile: profile(2),
        access: AccessPeriod::default(),
        groups: BTreeSet::new(),
        policies: BTreeSet::new(),
    };
    let now = present(&memory, 1).revision;
    assert_eq!(refused(&mut memory, SERVER, &edit), Refusal::Stale { now });
    done(&mut memory, SERVER, &deactivate(1));
    let once = memory.clone();
    done(&mut memory, SERVER, &deactivate(1));
    assert_eq!(memory, once, "deactivating twice is deactivating once");
}

#[test]
fn groups_neither_contain_themselves_nor_nest_too_deeply() {
    let mut memory = Memory::default();
    let nested = |number: u8, parent: Option<u8>| Group {
        id: group(number),
        revision: Revision::ZERO,
        name: title(&format!("Group {number}")),
        parent: parent.map(group),
        policies: BTreeSet::new(),
    };
    for number in 1..=8 {
        done(
            &mut memory,
            SERVER,
            &Command::CreateGroup(nested(number, (number > 1).then(|| number - 1))),
        );
    }
    assert_eq!(
        refused(
            &mut memory,
            SERVER,
            &Command::CreateGroup(nested(9, Some(8)))
        ),
        Refusal::GroupCycle
    );
    done(&mut memory, SERVER, &Command::CreateGroup(nested(9, None)));
    let edit = |group| Command::EditGroup(group, Expected::Whatever);
    assert_eq!(
        refused(&mut memory, SERVER, &edit(nested(1, Some(3)))),
        Refusal::GroupCycle
    );
    assert_eq!(
        refused(&mut memory, SERVER, &edit(nested(1, Some(1)))),
        Refusal::GroupCycle
    );
    assert_eq!(
        refused(&mut memory, SERVER, &edit(nested(1, Some(9)))),
        Refusal::GroupCycle
    );
    assert_eq!(
        refused(&mut memory, SERVER, &Command::DeleteGroup(group(3))),
        Refusal::InUse {
            by: Thing::Group,
            count: 1
        }
    );
}

/// Commands about three people, six credentials and one policy: small enough to collide.
fn any_command() -> impl Strategy<Value = Command> {
    let who = 1..=3_u8;
    let which = 1..=6_u8;
    prop_oneof![
        3 => (who.clone(), which.clone(), 1..=3_u8).prop_map(|(number, id, token)| create(number, vec![card(id, token)])),
        3 => (who.clone(), which.clone(), 1..=3_u8).prop_map(|(number, id, token)| Command::AddCredential { user: user(number), credential: card(id, token) }),
        1 => (who.clone(), which.clone(), 1..=2_u8).prop_map(|(number, id, text)| Command::AddCredential { user: user(number), credential: plate(id, text, PlateSharing::Shared) }),
        4 => who.clone().prop_map(deactivate),
        3 => who.clone().prop_map(|number| Command::ReactivateUser { user: user(number) }),
        2 => who.clone().prop_map(remove),
        1 => who.clone().prop_map(|number| Command::EndAccess { user: user(number) }),
        1 => which.clone().prop_map(|id| Command::RemoveCredential { credential: credential(id) }),
        2 => which.clone().prop_map(|id| Command::ReportLost { credential: credential(id) }),
        1 => which.prop_map(|id| Command::ReportFound { credential: credential(id) }),
        2 => (who, 0..=3_i64, any::<bool>()).prop_map(|(number, ends, with_policy)| Command::EditUser {
            user: user(number),
            expected: Expected::Whatever,
            profile: profile(number),
            access: AccessPeriod { starts: None, ends: (ends > 0).then(|| at(ends * 50)) },
            groups: BTreeSet::new(),
            policies: if with_policy { BTreeSet::from([policy(1)]) } else { BTreeSet::new() },
        }),
    ]
}

fn with_a_policy() -> Memory {
    let mut memory = Memory::default();
    done(
        &mut memory,
        SERVER,
        &Command::CreatePolicy(Policy {
            id: policy(1),
            revision: Revision::ZERO,
            name: title("Everything"),
            doors: BTreeSet::new(),
            door_groups: BTreeSet::new(),
            hours: PolicyHours::Always,
        }),
    );
    memory
}

/// What Reactivate must give back: everything but revisions, standing and an end that is over.
fn substance(memory: &Memory, now: Timestamp) -> Memory {
    let mut memory = memory.clone();
    memory.revision = Revision::ZERO;
    memory.readmitted.clear();
    for record in memory.users.values_mut() {
        if let UserRecord::Present(user) = record {
            user.revision = Revision::ZERO;
            user.access.ends = user.access.ends.filter(|ends| *ends > now);
        }
    }
    memory
}

/// How many cases are generated every day, unless `cargo xtask deep` asks for more.
fn deep(every_day: u32) -> u32 {
    let asked = std::env::var("OFFGATE_DEEP_CASES").ok();
    asked
        .and_then(|number| number.parse().ok())
        .unwrap_or(every_day)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: deep(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reactivate_undoes_deactivate_exactly(
        commands in prop::collection::vec((any_command(), 0..20_i64), 0..40),
    ) {
        let mut memory = with_a_policy();
        let mut now = at(0);
        for (command, seconds) in commands {
            now = now.plus(Duration::from_secs(seconds as u64));
            memory.execute(SERVER, &command, now);
        }
        // Somebody who is active, whatever came before.
        let number = 9;
        memory.execute(SERVER, &create(number, vec![card(19, 9)]), now);
        for number in [1, 2, 3, number] {
            let before = memory.clone();
            let standing = match before.users.get(&user(number)) {
                Some(UserRecord::Present(user)) => &user.standing,
                _ => continue,
            };
            if *standing != Standing::Active {
                continue;
            }
            memory.execute(SERVER, &deactivate(number), now);
            prop_assert_ne!(substance(&memory, now), substance(&before, now));
            memory.execute(SERVER, &Command::ReactivateUser { user: user(number) }, now);
            prop_assert_eq!(substance(&memory, now), substance(&before, now));
        }
    }

    #[test]
    fn a_refusal_changes_nothing_and_states_stay_sound(
        commands in prop::collection::vec((any_command(), 0..20_i64), 0..60),
    ) {
        let mut memory = with_a_policy();
        let mut now = at(0);
        for (command, seconds) in commands {
            now = now.plus(Duration::from_secs(seconds as u64));
            let before = memory.clone();
            match memory.execute(SERVER, &command, now) {
                Decision::Refused(_, notes) if notes.is_empty() => prop_assert_eq!(&memory, &before),
                Decision::Refused(..) => {}
                Decision::Accepted(changes) => {
                    prop_assert_eq!(
                        memory.revision.number(),
                        before.revision.number() + changes.len() as u64
                    );
                }
            }
            // Removed stays removed.
            for (id, record) in &before.users {
                if matches!(record, UserRecord::Removed(_)) {
                    prop_assert_eq!(memory.users.get(id), Some(record));
                }
            }
            // Credentials belong to people who are present; cards have one holder; nothing burned is held.
            let mut tokens = BTreeSet::new();
            for credential in memory.credentials.values() {
                prop_assert!(matches!(memory.users.get(&credential.user), Some(UserRecord::Present(_))));
                if let Means::NfcCard { token, .. } = &credential.means {
                    prop_assert!(tokens.insert(token.clone()));
                    prop_assert!(!memory.burned.contains(token));
                }
                if let CredentialState::Lost { since } = credential.state {
                    prop_assert!(since <= now);
                }
            }
        }
    }
}
