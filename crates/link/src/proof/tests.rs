//! A proof is believed as it was made, and not with any byte changed, nor with anything in it that
//! does not show the refusal.

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::confirmation::DoorStanding;
use offgate_core::door_position::Position;
use offgate_core::fault::Fault;
use offgate_core::id::{AgentId, CredentialId, DoorId, StoreId, UserId};
use offgate_core::log_proof::{LogProof, Shows};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::question::{Answer, Said, Verdict};
use offgate_core::table::admission::{ClockTrust, Reason};
use offgate_core::table::entry::TableHash;
use offgate_core::tree::{Leaf, Peaks, Subtree, TreeHash, prove_inclusion, root};
use proptest::prelude::*;

use super::file::{Cover, ProofFile, SignedCover, hash};
use super::*;
use crate::acknowledgement::{Above, Acknowledgement, SigningKey};
use crate::chain::IssuingNumber;
use crate::identity::Authority;
use crate::question;

const STORE: StoreId = StoreId::from_bytes([3; 16]);
const EPOCH: Epoch = Epoch {
    counter: 1,
    nonce: [4; 16],
};
const USER: UserId = UserId::from_bytes([8; 16]);
const CARD: CredentialId = CredentialId::from_bytes([9; 16]);
const START: i64 = 1_790_000_000;
/// The deactivation, and how many entries the log has.
const REFUSAL: u64 = 4;
const SIZE: u64 = 13;

fn door(number: u8) -> DoorId {
    DoorId::from_bytes([number; 16])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(START + seconds)
}

fn leaf(revision: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    Leaf {
        revision,
        at: at(revision as i64).microseconds(),
        actor: "operator",
        actor_id: Some(&[7; 16]),
        kind: match revision {
            REFUSAL => "user.deactivated",
            5 => "credential.lost",
            9 => "user.reactivated",
            _ => "user.created",
        },
        subject: "user",
        subject_id: Some(USER.as_bytes()),
        details: &[9; 32],
    }
    .encode(&mut bytes);
    bytes
}

fn subtree(wanted: Subtree) -> Result<TreeHash, std::convert::Infallible> {
    let mut peaks = Peaks::EMPTY;
    let from = wanted.number << wanted.level;
    for number in from..from + (1 << wanted.level) {
        peaks.push(TreeHash::leaf(&leaf(number + 1)));
    }
    Ok(peaks.root())
}

fn authority(seed: u8) -> Authority {
    let seeds = [1, 2, 3, 4].map(|number| [seed + number; 32]);
    Authority::create(seeds, IssuingNumber(u64::from(seed))).expect("keys")
}

fn entry(revision: u64) -> ProvenEntry {
    ProvenEntry {
        leaf: leaf(revision),
        hashes: prove_inclusion(revision - 1, SIZE, subtree).expect("a proof"),
    }
}

fn agent_key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32]).expect("a key")
}

fn vouched(keys: &Authority, number: u8) -> Vouched {
    let agent = AgentId::from_bytes([number; 16]);
    let key = agent_key(number).public();
    Vouched {
        agent,
        chain: keys.issuing.vouch(agent, &key).expect("a certificate"),
    }
}

fn said(revision: u64, number: u8) -> Acknowledgement {
    Acknowledgement {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(revision),
        hash: TableHash([1; 32]),
        doors: vec![door(number)],
        above: Vec::new(),
    }
}

fn word(statement: Vec<u8>, signer: u8, received: i64) -> SignedWord {
    SignedWord {
        by: 0,
        signature: agent_key(signer).sign(&statement),
        statement,
        received_at: at(received),
    }
}

fn answer(number: u8, said: Said) -> Answer {
    Answer {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(REFUSAL),
        hash: TableHash([1; 32]),
        question: [2; 32],
        credential: CARD,
        door: door(number),
        direction: Direction::In,
        said,
        at: at(21),
        clock: ClockTrust::Trusted,
    }
}

const REFUSED: Said = Said::Refused {
    reason: Reason::Deactivated,
};

/// A door with an agent of the same number that confirmed and answered.
fn confirmed(keys: &Authority, number: u8) -> DoorEvidence {
    DoorEvidence {
        door: door(number),
        agents: vec![vouched(keys, number)],
        standing: DoorStanding::Confirmed { at: at(20) },
        receipt: Some(word(said(6, number).statement(), number, 20)),
        basis: None,
        answers: vec![word(
            question::statement(&answer(number, REFUSED)),
            number,
            21,
        )],
        stood: None,
    }
}

fn ended(keys: &Authority, number: u8) -> DoorEvidence {
    DoorEvidence {
        standing: DoorStanding::EndedByLimit { at: at(200) },
        receipt: None,
        basis: Some(LimitBasis {
            renewed_at: at(2),
            lease_seconds: 100,
        }),
        answers: Vec::new(),
        ..confirmed(keys, number)
    }
}

fn decision(keys: &Authority, revision: u64, epoch: Epoch) -> LogProof {
    let checkpoint = Checkpoint {
        store: STORE,
        epoch,
        size: SIZE,
        root: root(SIZE, subtree).expect("a root"),
        at: at(13),
    };
    let statement = checkpoint.statement();
    let ProvenEntry { leaf, hashes } = entry(revision);
    LogProof {
        root: keys.fingerprint().0,
        checkpoint: SignedCheckpoint {
            signature: keys.log.sign(&statement).expect("a signature"),
            statement,
            chain: keys.log.chain.clone(),
        },
        shows: Shows::Entry { leaf, hashes },
    }
}

fn facts(keys: &Authority, doors: Vec<DoorEvidence>) -> Facts {
    Facts {
        store: STORE,
        epoch: EPOCH,
        made_at: at(1000),
        subject: Subject {
            user: USER,
            credential: None,
        },
        decision: decision(keys, REFUSAL, EPOCH),
        since: Vec::new(),
        annex: Annex {
            salt: [5; 32],
            person: Some("Amara Okafor".to_owned()),
            doors: vec![(door(21), "Front door".to_owned())],
            actor: Some("Olga Owner".to_owned()),
            reason: Some("Left the organisation".to_owned()),
            override_reason: None,
        },
        doors,
    }
}

fn sign(keys: &Authority, unsigned: Unsigned) -> ProofFile {
    let signature = keys.log.sign(&unsigned.statement()).expect("a signature");
    unsigned.signed(signature, keys.log.chain.clone())
}

fn made(keys: &Authority, doors: Vec<DoorEvidence>) -> ProofFile {
    sign(keys, assemble(facts(keys, doors)))
}

/// A proof by a store that puts anything into it and signs that.
fn by_a_liar(keys: &Authority, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> ProofFile {
    let mut parts = made(keys, vec![confirmed(keys, 21)]).parts;
    change(&mut parts);
    let cover = Cover {
        store: STORE,
        epoch: EPOCH,
        root: keys.fingerprint(),
        made_at: at(1000),
        parts: parts
            .iter()
            .map(|(name, part)| (name.clone(), hash(part)))
            .collect(),
    };
    let statement = cover.statement();
    let cover = SignedCover {
        signature: keys.log.sign(&statement).expect("a signature"),
        statement,
        chain: keys.log.chain.clone(),
    };
    ProofFile::new(&cover, parts)
}

fn position(whole: &[u8], part: &[u8]) -> std::ops::Range<usize> {
    let from = whole.windows(part.len()).position(|found| found == part);
    let from = from.expect("it is in the file");
    from..from + part.len()
}

#[test]
fn any_changed_byte_is_refused_and_its_part_is_named() {
    let keys = authority(10);
    let mut facts = facts(&keys, vec![confirmed(&keys, 21), ended(&keys, 22)]);
    facts.since = vec![entry(9)];
    let file = sign(&keys, assemble(facts));
    let whole = file.encode();
    let mut places: Vec<(String, std::ops::Range<usize>)> = file
        .parts
        .iter()
        .map(|(name, part)| (name.clone(), position(&whole, part)))
        .collect();
    places.push(("cover".to_owned(), position(&whole, &file.cover)));
    for known in [None, Some(keys.fingerprint())] {
        assert!(check(&whole, known).is_ok());
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 1 << (at % 8);
            let broken = check(&altered, known).expect_err("it was altered");
            assert!(!broken.part.is_empty(), "byte {at}");
            if let Some((name, _)) = places.iter().find(|(_, place)| place.contains(&at)) {
                assert_eq!(broken.part, *name, "byte {at}: {broken}");
            }
        }
    }
    for length in 0..whole.len() {
        let broken = check(&whole[..length], None).expect_err("it was cut");
        assert_eq!(broken.part, "frame", "at {length}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(check(&longer, None).is_err());
    let stranger = authority(40).fingerprint();
    let of_another = check(&whole, Some(stranger)).expect_err("another root");
    assert_eq!(of_another.part, "cover");
}

#[test]
fn names_are_in_the_annex_alone_which_can_be_taken_off() {
    let keys = authority(10);
    let file = made(&keys, vec![confirmed(&keys, 21)]);
    let whole = check(&file.encode(), None).expect("it holds");
    assert_eq!(whole.signer, Signer::Unknown);
    let annex = whole.annex.clone().expect("names");
    assert_eq!(annex.door(door(21)), Some("Front door"));
    let detached = file.detached().expect("it had one");
    assert_eq!(detached.detached(), Err(NoAnnex));
    let bytes = detached.encode();
    let shown = check(&bytes, Some(keys.fingerprint())).expect("it holds");
    assert_eq!(shown.signer, Signer::Known);
    assert_eq!(
        Shown {
            annex: Some(annex),
            signer: Signer::Unknown,
            ..shown
        },
        whole
    );
    for name in ["Amara", "Okafor", "Front door", "Olga", "Left"] {
        let is_in = |bytes: &[u8]| bytes.windows(name.len()).any(|it| it == name.as_bytes());
        assert!(!is_in(&bytes), "{name}");
    }
    // Nothing else can be taken off, put in, or put elsewhere.
    for at in 0..file.parts.len() - 1 {
        let mut without = file.clone();
        let (name, _) = without.parts.remove(at);
        let broken = check(&without.encode(), None).expect_err("a part is missing");
        assert_eq!((broken.part, broken.why), (name, Why::Missing));
    }
    let mut more = file.clone();
    more.parts.push(("door of my own".to_owned(), vec![0x80]));
    let broken = check(&more.encode(), None).expect_err("a part more");
    assert_eq!(
        (&*broken.part, broken.why),
        ("door of my own", Why::NotListed)
    );
    let mut swapped = file;
    swapped.parts.swap(0, 1);
    assert!(check(&swapped.encode(), None).is_err());
}

#[test]
fn a_receipt_counts_only_if_its_bytes_show_the_refusal() {
    let keys = authority(10);
    let other_epoch = Epoch {
        counter: 2,
        nonce: [4; 16],
    };
    let good = said(REFUSAL, 21);
    let cases: Vec<(&str, SignedWord)> = vec![
        ("another agent", word(good.statement(), 30, 20)),
        (
            "another epoch",
            word(
                Acknowledgement {
                    epoch: other_epoch,
                    ..good.clone()
                }
                .statement(),
                21,
                20,
            ),
        ),
        (
            "another store",
            word(
                Acknowledgement {
                    store: StoreId::from_bytes([9; 16]),
                    ..good.clone()
                }
                .statement(),
                21,
                20,
            ),
        ),
        ("another door", word(said(REFUSAL, 22).statement(), 21, 20)),
        (
            "a lower revision",
            word(said(REFUSAL - 1, 21).statement(), 21, 20),
        ),
        (
            "no acknowledgement",
            word(question::statement(&answer(21, REFUSED)), 21, 20),
        ),
        (
            "nobody's",
            SignedWord {
                by: 1,
                ..word(good.statement(), 21, 20)
            },
        ),
    ];
    for (what, receipt) in cases {
        let evidence = DoorEvidence {
            receipt: Some(receipt),
            ..confirmed(&keys, 21)
        };
        // An honest store leaves it out, and does not claim what it cannot show.
        let file = made(&keys, vec![evidence.clone()]);
        let shown = check(&file.encode(), None).expect("it holds");
        assert_eq!(
            shown.doors[0].standing,
            Standing::NotConfirmed(DoorStanding::Confirmed { at: at(20) }),
            "{what}"
        );
        assert!(!shown.is_final(), "{what}");
        let words = door_sentence(&shown.doors[0], |at| at.seconds().to_string());
        assert!(words.starts_with("Not shown"), "{what}: {words}");
        // One that puts it in is found out.
        let name = door_part(door(21));
        let file = by_a_liar(&keys, |parts| {
            for (known, part) in parts {
                if *known == name {
                    *part = evidence.encode();
                }
            }
        });
        let broken = check(&file.encode(), None).expect_err(what);
        assert_eq!(broken.part, name, "{what}: {broken}");
    }
    // Listed above a table that has not reached it, it counts; another refusal does not.
    for (subject, revision, counts) in [
        (*USER.as_bytes(), REFUSAL, true),
        (*USER.as_bytes(), REFUSAL + 1, false),
        (*CARD.as_bytes(), REFUSAL, false),
    ] {
        let listing = Acknowledgement {
            above: vec![Above {
                subject,
                revision: Revision::new(revision),
            }],
            ..said(REFUSAL - 2, 21)
        };
        let evidence = DoorEvidence {
            receipt: Some(word(listing.statement(), 21, 20)),
            ..confirmed(&keys, 21)
        };
        let shown = check(&made(&keys, vec![evidence]).encode(), None).expect("it holds");
        let confirms = matches!(shown.doors[0].standing, Standing::Confirmed { .. });
        assert_eq!(confirms, counts, "{subject:?} at {revision}");
    }
    // At the very revision of the refusal it counts.
    let exact = DoorEvidence {
        receipt: Some(word(good.statement(), 21, 20)),
        ..confirmed(&keys, 21)
    };
    let shown = check(&made(&keys, vec![exact]).encode(), None).expect("it holds");
    assert!(matches!(
        shown.doors[0].standing,
        Standing::Confirmed { .. }
    ));
}

#[test]
fn whatever_else_does_not_follow_is_refused_in_its_part() {
    let keys = authority(10);
    let stranger = authority(40);
    let name = door_part(door(21));
    type Parts = Vec<(String, Vec<u8>)>;
    let set = |part: &'static str, bytes: Vec<u8>| {
        move |parts: &mut Parts| {
            for (known, part_bytes) in parts {
                if known == part {
                    part_bytes.clone_from(&bytes);
                }
            }
        }
    };
    let door_as = |evidence: DoorEvidence| {
        let (name, bytes) = (name.clone(), evidence.encode());
        move |parts: &mut Parts| {
            for (known, part) in parts {
                if *known == name {
                    part.clone_from(&bytes);
                }
            }
        }
    };
    let refused = |file: ProofFile, part: &str, why: &str| {
        let broken = check(&file.encode(), None).expect_err(why);
        assert_eq!(broken.part, part, "{why}: {broken}");
    };
    // Another kind of entry, about somebody else, of another epoch, signed by another store.
    for (decided, why) in [
        (decision(&keys, 9, EPOCH), "no refusal"),
        (decision(&keys, 5, EPOCH), "a lost card of somebody active"),
        (
            decision(
                &keys,
                REFUSAL,
                Epoch {
                    counter: 2,
                    nonce: [4; 16],
                },
            ),
            "another epoch",
        ),
        (decision(&stranger, REFUSAL, EPOCH), "another root"),
    ] {
        let file = by_a_liar(&keys, set(DECISION, decided.encode()));
        refused(file, DECISION, why);
    }
    let somebody_else = Subject {
        user: UserId::from_bytes([1; 16]),
        credential: None,
    };
    refused(
        by_a_liar(&keys, set(SUBJECT, somebody_else.encode())),
        DECISION,
        "somebody else",
    );
    let mut forged = entry(9);
    forged.leaf = leaf(10);
    for (entries, why) in [
        (vec![forged], "not in the log"),
        (vec![entry(3)], "earlier"),
        (vec![entry(9), entry(9)], "twice"),
    ] {
        refused(
            by_a_liar(&keys, set(SINCE, parts::since(&entries))),
            SINCE,
            why,
        );
    }
    let good = confirmed(&keys, 21);
    for (evidence, why) in [
        (
            DoorEvidence {
                agents: vec![vouched(&stranger, 21)],
                ..good.clone()
            },
            "an agent of another store",
        ),
        (
            DoorEvidence {
                standing: DoorStanding::Waiting,
                ..good.clone()
            },
            "a receipt of a door that waits",
        ),
        (
            DoorEvidence {
                standing: DoorStanding::EndedByLimit { at: at(101) },
                ..ended(&keys, 21)
            },
            "a limit that is over too early",
        ),
        (
            DoorEvidence {
                standing: DoorStanding::EndedByLimit { at: at(1001) },
                ..ended(&keys, 21)
            },
            "a limit that is not over",
        ),
        (
            DoorEvidence {
                answers: vec![word(question::statement(&answer(22, REFUSED)), 21, 21)],
                ..good.clone()
            },
            "an answer about another door",
        ),
        (
            DoorEvidence {
                answers: vec![word(question::statement(&answer(21, REFUSED)), 22, 21)],
                ..good.clone()
            },
            "an answer of another agent",
        ),
        (
            DoorEvidence {
                door: door(22),
                ..good
            },
            "another door under this name",
        ),
    ] {
        refused(by_a_liar(&keys, door_as(evidence)), &name, why);
    }
}

#[test]
fn it_says_what_it_shows_and_no_more() {
    let keys = authority(10);
    let time = |at: Timestamp| format!("{}", at.seconds() - START);
    let mut waiting = ended(&keys, 23);
    waiting.standing = DoorStanding::MayStillOpen {
        silent_since: Some(at(3)),
        until: Some(at(2000)),
    };
    let doors = vec![confirmed(&keys, 21), ended(&keys, 22), waiting];
    let shown = check(&made(&keys, doors).encode(), None).expect("it holds");
    assert!(!shown.is_final());
    assert_eq!(
        shows(&shown, time),
        [
            "This person was deactivated on 4: entry 4 of a log that was signed for when it had \
             13 entries.",
            "1 of 3 doors said so in words signed with their own keys, which are in this file; 1 \
             by the end of a time limit.",
            "1 door was asked whether they would open now: none would for this person.",
            "It is interim: not every door that counts has been shown to refuse. Another proof \
             can be made later.",
        ]
    );
    assert_eq!(period(&shown, time), "From 4 on, as of 1000.");
    let words: Vec<String> = shown
        .doors
        .iter()
        .map(|door| door_sentence(door, time))
        .collect();
    assert_eq!(
        words,
        [
            "Confirmed: its signed word came at 20. Asked about 1 credential at 21, it refuses: \
             deactivated.",
            "Cut off, and refuses by its time limit since 200: it was last allowed to go on at 2, \
             and works on its own for 100 seconds.",
            "Not confirmed: it has not answered since 3; may still open until 2000.",
        ]
    );

    // A door that says that it would open keeps it from being final, until it says otherwise.
    let granted = word(
        question::statement(&answer(21, Said::Granted { holder: CARD })),
        21,
        22,
    );
    let mut admits = confirmed(&keys, 21);
    admits.answers.push(granted);
    let shown = check(&made(&keys, vec![admits.clone()]).encode(), None).expect("it holds");
    assert!(shown.doors[0].admits() && !shown.is_final());
    assert!(shows(&shown, time)[2].contains("1 WOULD OPEN"));
    admits.answers.rotate_left(1);
    let shown = check(&made(&keys, vec![admits]).encode(), None).expect("it holds");
    assert!(!shown.doors[0].admits() && shown.is_final());
    assert_eq!(
        shown.doors[0]
            .last_answers()
            .next()
            .map(|it| it.answer.verdict()),
        Some(Verdict::Refuses(Reason::Deactivated))
    );

    // Reactivated since, and a lost card.
    let mut again = facts(&keys, vec![confirmed(&keys, 21)]);
    again.since = vec![entry(9)];
    let shown = check(&sign(&keys, assemble(again)).encode(), None).expect("it holds");
    assert_eq!(
        period(&shown, time),
        "From 4 until 9, when they were admitted again; as of 1000."
    );
    let mut lost = facts(&keys, vec![confirmed(&keys, 21)]);
    lost.subject.credential = Some(CARD);
    lost.decision = decision(&keys, 5, EPOCH);
    let shown = check(&sign(&keys, assemble(lost)).encode(), None).expect("it holds");
    assert!(shows(&shown, time)[0].starts_with("A credential of this person was reported lost"));
}

fn any_door() -> impl Strategy<Value = (u8, u8, bool)> {
    (0..10_u8, 0..3_u8, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a store has on record, what it makes of it holds, and is read back the same.
    #[test]
    fn what_was_made_holds(doors in prop::collection::vec(any_door(), 0..6), later in any::<bool>(), revision in 0..12_u64) {
        let keys = authority(10);
        let mut evidence = Vec::new();
        for (number, (standing, answers, receipt)) in (21..).zip(&doors) {
            let mut door = confirmed(&keys, number);
            let (silent_since, until) = (Some(at(1)), None);
            door.standing = match standing {
                0 => DoorStanding::Confirmed { at: at(20) },
                1 => DoorStanding::EndedByLimit { at: at(103) },
                2 => DoorStanding::EndedByLimit { at: at(50) },
                3 => DoorStanding::MayStillOpen { silent_since, until },
                4 => DoorStanding::OnEmergencyList { silent_since, until },
                5 => DoorStanding::KeepsLastTable { silent_since },
                6 => DoorStanding::Waiting,
                7 => DoorStanding::Failed {
                    fault: Fault::DiskFails,
                },
                8 => DoorStanding::Failed {
                    fault: Fault::OtherTable,
                },
                _ => DoorStanding::Overdue,
            };
            door.basis = Some(LimitBasis { renewed_at: at(1), lease_seconds: 100 });
            let word_of = door.receipt.take();
            if *standing == 0 && *receipt {
                door.receipt = word_of.map(|_| word(said(revision, number).statement(), number, 20));
            }
            door.answers = (0..*answers).map(|at| word(question::statement(&answer(number, REFUSED)), number, at.into())).collect();
            evidence.push(door);
        }
        let mut facts = facts(&keys, evidence);
        if later {
            facts.since = vec![entry(9)];
        }
        let file = sign(&keys, assemble(facts));
        let bytes = file.encode();
        prop_assert_eq!(ProofFile::decode(&bytes), Ok(file));
        let shown = check(&bytes, Some(keys.fingerprint()));
        let shown = match shown {
            Ok(shown) => shown,
            Err(broken) => return Err(TestCaseError::fail(broken.to_string())),
        };
        prop_assert_eq!(shown.doors.len(), doors.len());
        for (door, (standing, _, receipt)) in shown.doors.iter().zip(&doors) {
            let counts = *standing == 0 && *receipt && revision >= REFUSAL;
            prop_assert_eq!(matches!(door.standing, Standing::Confirmed { .. }), counts);
        }
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(check(&bytes, None).is_err());
    }
}

#[test]
fn how_a_door_stood_is_told_where_its_contact_said_it() {
    let keys = authority(10);
    let file = |stood: Option<Position>| {
        let evidence = DoorEvidence {
            stood,
            ..confirmed(&keys, 21)
        };
        made(&keys, vec![evidence, confirmed(&keys, 22)]).encode()
    };
    let time = |at: Timestamp| at.seconds().to_string();
    let told = |stood: Option<Position>| {
        let shown = check(&file(stood), None).expect("it holds");
        assert_eq!(shown.doors[0].stood, stood);
        assert_eq!(shown.doors[1].stood, None);
        let door = door_sentence(&shown.doors[0], time);
        (shows(&shown, time).join(" "), door)
    };
    let (all, door) = told(Some(Position::Open));
    assert!(
        all.contains("The contacts of 1 of 2 doors told the store"),
        "{all}"
    );
    assert!(all.contains("1 STOOD OPEN."), "{all}");
    assert!(
        door.contains("It STOOD OPEN when this was decided"),
        "{door}"
    );
    let (all, door) = told(Some(Position::Closed));
    assert!(all.contains("none stood open."), "{all}");
    assert!(!door.contains("STOOD"), "{door}");
    let (all, door) = told(None);
    assert!(!all.contains("stood"), "{all}");
    assert!(!door.contains("STOOD"), "{door}");
    // A file from before there was such a field is the same as one that does not know.
    let field = file(Some(Position::Closed)).len() - file(None).len();
    assert_eq!(field, 1);
}
