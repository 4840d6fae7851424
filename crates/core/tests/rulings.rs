//! Deny wins: what a door was told once, no table that lacks it takes back; and what a restored
//! store takes over from a door.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;

use offgate_core::actor::Actor;
use offgate_core::agent::HashKey;
use offgate_core::backup::Restored;
use offgate_core::change::Change;
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{
    CardToken, Credential, CredentialState, DisplayNumber, Means, NewCredential, NewMeans,
};
use offgate_core::decide::Decision;
use offgate_core::id::{AgentId, CredentialId, DoorId, UserId};
use offgate_core::memory::Memory;
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::refusal::Refusal;
use offgate_core::ruling::{Ruled, Ruling, Seal, ruled_by};
use offgate_core::table::Table;
use offgate_core::table::admission::{Decision as Answer, DoorState, Presented, Reason, admit};
use offgate_core::table::entry::{
    DoorEntry, Entry, EntryKey, PolicyEntry, RulingEntry, SiteEntry, UserEntry,
};
use offgate_core::text::PersonName;
use offgate_core::user::{
    AccessPeriod, Deactivation, DeactivationReason, Erasure, Profile, Standing, Tombstone,
    UserRecord,
};
use proptest::prelude::*;

const KEY: HashKey = HashKey::from_bytes([7; 32]);
const DOOR: [u8; 16] = [1; 16];
const POLICY: [u8; 16] = [2; 16];
const SITE: [u8; 16] = [3; 16];
const USER: [u8; 16] = [4; 16];
const CREDENTIAL: [u8; 16] = [5; 16];

fn epoch(counter: u64) -> Epoch {
    Epoch {
        counter,
        nonce: [counter as u8; 16],
    }
}

fn ruling(subject: [u8; 16], ruled: Ruled, counter: u64, revision: u64) -> Ruling {
    Ruling {
        subject,
        ruled,
        epoch: epoch(counter),
        revision: Revision::new(revision),
    }
}

fn entry(ruling: Ruling) -> RulingEntry {
    RulingEntry::new(&ruling, Seal([9; 32]))
}

fn card() -> Presented {
    Presented::NfcCard(CardToken::parse("04A1B2C3").expect("a token"))
}

/// A table in which the holder of the card may pass, with these rulings.
fn table(rulings: &[Ruling]) -> Table {
    let mut table = Table::empty(KEY);
    table.put(Entry::Site(SiteEntry {
        site: SITE.into(),
        first_offset: 0,
        changes: vec![],
    }));
    table.put(Entry::Door(DoorEntry {
        door: DOOR.into(),
        site: SITE.into(),
        lease_seconds: 60,
        readers: vec![([8; 16].into(), 0)],
        when_cut_off: None,
    }));
    table.put(Entry::Policy(PolicyEntry {
        policy: POLICY.into(),
        doors: vec![DOOR.into()],
        schedule: None,
    }));
    table.put(Entry::User(UserEntry {
        user: USER.into(),
        standing: 0,
        starts: None,
        ends: None,
        policies: vec![POLICY.into()],
        credentials: vec![(card().hash(&KEY).0.into(), CREDENTIAL.into(), 0)],
    }));
    for ruling in rulings {
        table.put(Entry::Ruling(entry(*ruling)));
    }
    table
}

/// The reason for which the card is refused, if it is.
fn refused(table: &Table) -> Option<Reason> {
    let door = DoorId::from_bytes(DOOR);
    let now = Timestamp::from_seconds(1_790_000_000);
    let state = DoorState::ORDINARY;
    match admit(table, state, &card(), door, Direction::In, now) {
        Answer::Granted { .. } => None,
        Answer::Refused { reason, .. } => Some(reason),
        Answer::WayOut(_) => panic!("a way in"),
    }
}

/// Every change that doors must confirm, and what it rules.
#[test]
fn each_change_that_takes_away_or_gives_back_rules_for_the_doors() {
    let (since, revision) = (Timestamp::from_seconds(5), Revision::new(5));
    let (user, id) = (
        UserId::from_bytes(USER),
        CredentialId::from_bytes(CREDENTIAL),
    );
    let token = CardToken::parse("04A1B2C3").expect("a token");
    let deactivation = Deactivation {
        at: since,
        by: Actor::Schedule,
        reason: DeactivationReason::Other,
        note: None,
        employment_ended_at: since,
        revision,
    };
    let tombstone = Tombstone {
        id: user,
        removed_at: since,
        removed_by: Actor::Schedule,
        revision,
        erasure: Erasure::Done { at: since },
    };
    let credential = Credential {
        id,
        user,
        means: Means::NfcCard {
            display_number: DisplayNumber::of_token(&token),
            token,
        },
        label: None,
        state: CredentialState::Usable,
        added_at: since,
    };
    let added = Change::CredentialAdded(credential.clone());
    for (change, ruled) in [
        (
            Change::UserDeactivated { user, deactivation },
            Some((USER, Ruled::Deactivated)),
        ),
        (
            Change::UserRemoved {
                tombstone,
                retired: Vec::new(),
                burned: Vec::new(),
                unconfirmed: None,
            },
            Some((USER, Ruled::Removed)),
        ),
        (
            Change::CredentialLost {
                credential: id,
                user,
                since,
            },
            Some((CREDENTIAL, Ruled::Lost)),
        ),
        (
            Change::CredentialFound {
                credential: id,
                user,
            },
            Some((CREDENTIAL, Ruled::Usable)),
        ),
        (
            Change::CredentialRemoved {
                credential,
                retired: None,
                burned: None,
            },
            Some((CREDENTIAL, Ruled::Withdrawn)),
        ),
        (added, None),
    ] {
        let expected = ruled.map(|(subject, ruled)| (user, subject, ruled));
        assert_eq!(ruled_by(&change), expected, "{change:?}");
    }
}

#[test]
fn a_table_that_lacks_a_refusal_does_not_lift_it() {
    for (ruled, subject, reason) in [
        (Ruled::Deactivated, USER, Reason::Deactivated),
        (Ruled::Removed, USER, Reason::Deactivated),
        (Ruled::Lost, CREDENTIAL, Reason::Lost),
        (Ruled::Withdrawn, CREDENTIAL, Reason::Lost),
    ] {
        let back = match subject {
            USER => Ruled::Admitted,
            _ => Ruled::Usable,
        };
        let before = table(&[ruling(subject, ruled, 1, 120)]);
        let replaced = |rulings: &[Ruling]| {
            let mut after = table(rulings);
            after.hold_all_of(&before);
            after
        };
        // The restored store knows of none, or of an older word either way.
        assert_eq!(refused(&replaced(&[])), Some(reason));
        for older in [back, ruled] {
            let restored = replaced(&[ruling(subject, older, 1, 100)]);
            assert_eq!(refused(&restored), Some(reason), "{older:?}");
            assert_eq!(restored.held().count(), 1);
        }
        // A later word counts, in the same history or in one above it.
        for (counter, revision) in [(1, 121), (2, 1)] {
            let later = replaced(&[ruling(subject, back, counter, revision)]);
            assert_eq!(refused(&later), None, "{counter} {revision}");
            assert_eq!(later.held().count(), 0);
        }
        // It comes as a change too, and one table after the next forgets nothing meanwhile.
        let mut next = table(&[]);
        next.hold_all_of(&replaced(&[]));
        assert_eq!(refused(&next), Some(reason));
        assert_eq!(next.refusals().count(), 1);
        next.put(Entry::Ruling(entry(ruling(subject, back, 2, 7))));
        assert_eq!(refused(&next), None);
        assert_eq!(next.refusals().count(), 0);
    }
}

/// An admission outdoes a refusal that is held for as long as the table has it, and no longer.
#[test]
fn what_a_table_loses_outdoes_nothing_any_more() {
    let admitted = ruling(USER, Ruled::Admitted, 1, 6);
    let mut table = table(&[admitted]);
    table.hold(entry(ruling(USER, Ruled::Deactivated, 1, 5)));
    assert_eq!(refused(&table), None);
    table.delete(Entry::Ruling(entry(admitted)).key());
    assert_eq!(refused(&table), Some(Reason::Deactivated));
}

/// Refusals may come to be held in any order, some of them twice.
#[test]
fn of_two_refusals_that_are_held_the_later_one_counts() {
    let earlier = ruling(USER, Ruled::Deactivated, 1, 5);
    let later = ruling(USER, Ruled::Deactivated, 1, 7);
    for held in [[earlier, later], [later, earlier]] {
        let mut table = table(&[ruling(USER, Ruled::Admitted, 1, 6)]);
        for refusal in held {
            table.hold(entry(refusal));
        }
        assert_eq!(refused(&table), Some(Reason::Deactivated), "{held:?}");
    }
}

#[test]
fn what_is_held_is_no_entry_of_the_table() {
    let mut held = table(&[]);
    let plain = held.hash();
    held.hold(entry(ruling(USER, Ruled::Deactivated, 1, 9)));
    assert_eq!(held.hash(), plain, "the server knows nothing of it");
    held.delete(EntryKey::ruling(USER));
    assert_eq!(refused(&held), Some(Reason::Deactivated));
    // Another person's card is none of its business, and nobody is held for being admitted.
    held.hold(entry(ruling([77; 16], Ruled::Admitted, 1, 9)));
    assert_eq!(held.held().count(), 1);
    // The older of two is not kept.
    held.hold(entry(ruling(USER, Ruled::Removed, 1, 3)));
    let kept: Vec<_> = held.held().filter_map(RulingEntry::ruling).collect();
    assert_eq!(kept, [ruling(USER, Ruled::Deactivated, 1, 9)]);
}

fn any_ruling() -> impl Strategy<Value = Ruling> {
    let ruled = prop_oneof![
        Just(Ruled::Admitted),
        Just(Ruled::Deactivated),
        Just(Ruled::Removed)
    ];
    (ruled, 1..4_u64, 1..6_u64)
        .prop_map(|(ruled, counter, revision)| ruling(USER, ruled, counter, revision))
}

proptest! {
    #[test]
    fn no_order_of_tables_brings_anybody_back(
        tables in prop::collection::vec(prop::option::of(any_ruling()), 1..8),
    ) {
        // Read through everything that was ever told: refused if any refusal is there that the
        // newest table says nothing later about.
        let mut told: Vec<Ruling> = Vec::new();
        let mut door = table(&[]);
        for newest in tables {
            let mut next = table(newest.as_slice());
            next.hold_all_of(&door);
            door = next;
            let stands = told.iter().any(|before| {
                before.ruled.refuses()
                    && !newest.is_some_and(|newest| newest.is_later_than(before))
            });
            let expected = stands.then_some(Reason::Deactivated);
            prop_assert_eq!(refused(&door), expected);
            // What was lifted is not held against anybody for ever.
            if let Some(newest) = newest {
                told.retain(|before| !newest.is_later_than(before));
                told.push(newest);
            }
        }
    }
}

const AGENT: Actor = Actor::TestifyingAgent(AgentId::from_bytes([6; 16]));

/// Somebody active with a usable card, in records restored from change 100 of epoch 1.
fn restored() -> Memory {
    let mut memory = Memory::default();
    let token = CardToken::parse("04A1B2C3").expect("a token");
    let name = |text| PersonName::parse(text).expect("a name");
    let commands = [
        Command::CreateUser {
            user: UserId::from_bytes(USER),
            profile: Profile {
                first_name: name("Ada"),
                last_name: name("Last"),
                preferred_name: None,
                email: None,
                phone: None,
                employee_number: None,
            },
            access: AccessPeriod::default(),
            groups: BTreeSet::new(),
            policies: InitialPolicies::SiteDefaults,
            credentials: vec![NewCredential {
                id: CredentialId::from_bytes(CREDENTIAL),
                label: None,
                means: NewMeans::NfcCard {
                    display_number: DisplayNumber::of_token(&token),
                    token,
                },
            }],
        },
        // That they were admitted again before the backup says nothing of what was ruled after it.
        Command::DeactivateUser {
            user: UserId::from_bytes(USER),
            reason: DeactivationReason::LeftTheOrganisation,
            note: None,
            employment_ended_at: None,
        },
        Command::ReactivateUser {
            user: UserId::from_bytes(USER),
        },
        Command::NoteRestore(Restored {
            made_at: Timestamp::from_seconds(1_790_000_000),
            epoch: epoch(1),
            last: Revision::new(100),
        }),
    ];
    for command in commands {
        if matches!(command, Command::NoteRestore(_)) {
            memory.revision = Revision::new(100);
        }
        let now = Timestamp::from_seconds(1_790_000_100);
        let decision = memory.execute(Actor::ServerCommandLine, &command, now);
        assert!(matches!(decision, Decision::Accepted(_)), "{decision:?}");
    }
    memory
}

fn shown(rulings: &[Ruling]) -> Memory {
    let mut memory = restored();
    let command = Command::TakeOver(rulings.to_vec());
    let now = Timestamp::from_seconds(1_790_000_200);
    let decision = memory.execute(AGENT, &command, now);
    assert!(matches!(decision, Decision::Accepted(_)), "{decision:?}");
    memory
}

/// Why they are deactivated, if they are.
fn why(memory: &Memory) -> Option<DeactivationReason> {
    match memory.users.get(&UserId::from_bytes(USER)) {
        Some(UserRecord::Present(user)) => match &user.standing {
            Standing::Active => None,
            Standing::Deactivated(deactivation) => Some(deactivation.reason),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_restored_store_takes_over_what_was_ruled_after_its_backup() {
    let by_a_door = Some(DeactivationReason::ShownByADoor);
    for (ruled, counter, revision, expected) in [
        (Ruled::Deactivated, 1, 101, by_a_door),
        (Ruled::Removed, 1, 101, by_a_door),
        // It knows what came of that.
        (Ruled::Deactivated, 1, 100, None),
        // Another restore of this store, which this backup is not from.
        (Ruled::Deactivated, 7, 3, by_a_door),
        (Ruled::Admitted, 1, 101, None),
    ] {
        let memory = shown(&[ruling(USER, ruled, counter, revision)]);
        assert_eq!(why(&memory), expected, "{ruled:?} {counter} {revision}");
    }
    for ruled in [Ruled::Lost, Ruled::Withdrawn] {
        let memory = shown(&[ruling(CREDENTIAL, ruled, 1, 101)]);
        let credential = &memory.credentials[&CredentialId::from_bytes(CREDENTIAL)];
        assert!(matches!(credential.state, CredentialState::Lost { .. }));
        assert_eq!(why(&memory), None);
    }
    // What it never heard of cannot be let in, twice is once, and one does not hinder another.
    let memory = shown(&[
        ruling([99; 16], Ruled::Removed, 1, 150),
        ruling(USER, Ruled::Deactivated, 1, 130),
        ruling(USER, Ruled::Removed, 1, 140),
    ]);
    assert_eq!(why(&memory), by_a_door);
}

#[test]
fn what_a_door_goes_on_showing_does_not_undo_a_later_admission() {
    let now = Timestamp::from_seconds(1_790_000_300);
    let refused = [
        ruling(USER, Ruled::Deactivated, 1, 130),
        ruling(CREDENTIAL, Ruled::Lost, 1, 131),
    ];
    let mut memory = shown(&refused);
    for command in [
        Command::ReactivateUser {
            user: UserId::from_bytes(USER),
        },
        Command::ReportFound {
            credential: CredentialId::from_bytes(CREDENTIAL),
        },
    ] {
        let decision = memory.execute(Actor::ServerCommandLine, &command, now);
        assert!(matches!(decision, Decision::Accepted(_)), "{decision:?}");
    }
    // Another door, which knows neither any more, shows it at every connection.
    let decision = memory.execute(AGENT, &Command::TakeOver(refused.to_vec()), now);
    assert!(matches!(decision, Decision::Accepted(_)), "{decision:?}");
    assert_eq!(why(&memory), None);
    let credential = &memory.credentials[&CredentialId::from_bytes(CREDENTIAL)];
    assert_eq!(credential.state, CredentialState::Usable);
}

#[test]
fn only_an_agent_shows_what_was_forgotten_and_owners_alone_note_a_restore() {
    let mut memory = restored();
    let command = Command::TakeOver(vec![ruling(USER, Ruled::Removed, 1, 101)]);
    let now = Timestamp::from_seconds(1_790_000_200);
    for actor in [
        Actor::ServerCommandLine,
        Actor::Schedule,
        Actor::JoiningAgent(AgentId::from_bytes([6; 16])),
    ] {
        let decision = memory.execute(actor, &command, now);
        let refused = matches!(decision, Decision::Refused(Refusal::NotAllowed { .. }, _));
        assert!(refused, "{actor:?}: {decision:?}");
    }
    let note = Command::NoteRestore(Restored {
        made_at: now,
        epoch: epoch(2),
        last: Revision::new(1),
    });
    for actor in [AGENT, Actor::Schedule] {
        let decision = memory.execute(actor, &note, now);
        let refused = matches!(decision, Decision::Refused(Refusal::NotAllowed { .. }, _));
        assert!(refused, "{actor:?}: {decision:?}");
    }
}
