//! The deciding thread with a table made by hand and clocks set by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use offgate_core::agent::HashKey;
use offgate_core::credential::CardToken;
use offgate_core::id::{AgentId, CredentialId, QuestionId};
use offgate_core::pin::Pin;
use offgate_core::table::admission::Reason;
use offgate_core::table::entry::{DoorEntry, KeypadEntry, PolicyEntry, ScheduleEntry, UserEntry};

use offgate_core::door_event::{DoorEvent, Happening};

use super::*;
use crate::disk::simulated::SimulatedDisk;
use crate::events::recorder::Recorder;
use crate::events::ring::EventRing;
use crate::strike::SimulatedStrike;

const DOOR: DoorId = DoorId::from_bytes([1; 16]);
const USER: [u8; 16] = [2; 16];
const POLICY: [u8; 16] = [3; 16];
const SITE: [u8; 16] = [4; 16];
const SALT: [u8; 16] = [5; 16];
const LEASE: u64 = 60;

/// Both clocks, in microseconds.
struct HandSet(AtomicU64);

impl HandSet {
    fn set(&self, seconds: u64) {
        self.0.store(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl BootClock for HandSet {
    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for HandSet {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(self.0.load(Ordering::SeqCst) as i64)
    }
}

struct Doorway {
    decisions: Decisions,
    boot: Arc<HandSet>,
    wall: Arc<HandSet>,
    strike: Arc<SimulatedStrike>,
    recorder: Recorder,
}

fn user(standing: u8) -> Entry {
    let key = HashKey::from_bytes([6; 32]);
    let pin = Pin::parse("739156")
        .expect("a PIN")
        .digest(&PinSalt::from_bytes(SALT));
    let hashes = [Presented::Pin(pin), card("04A1B2C3")].map(|presented| presented.hash(&key).0);
    let mut credentials: Vec<_> = hashes
        .iter()
        .zip(1..)
        .map(|(hash, id)| ((*hash).into(), [id; 16].into(), 0))
        .collect();
    credentials.sort_by_key(|(hash, _, _): &(minicbor::bytes::ByteArray<16>, _, _)| **hash);
    Entry::User(UserEntry {
        user: USER.into(),
        standing,
        starts: None,
        ends: None,
        policies: if standing == 0 {
            vec![POLICY.into()]
        } else {
            vec![]
        },
        credentials,
    })
}

fn policy(schedule: Option<[u8; 16]>) -> Entry {
    Entry::Policy(PolicyEntry {
        policy: POLICY.into(),
        doors: vec![(*DOOR.as_bytes()).into()],
        schedule: schedule.map(Into::into),
    })
}

fn card(token: &str) -> Presented {
    Presented::NfcCard(CardToken::parse(token).expect("a token"))
}

fn table() -> Table {
    let mut table = Table::empty(HashKey::from_bytes([6; 32]));
    table.put(Entry::Keypad(KeypadEntry { salt: SALT.into() }));
    table.put(Entry::Site(offgate_core::table::entry::SiteEntry {
        site: SITE.into(),
        first_offset: 0,
        changes: vec![],
    }));
    table.put(Entry::Door(DoorEntry {
        door: (*DOOR.as_bytes()).into(),
        site: SITE.into(),
        lease_seconds: LEASE as u32,
        readers: vec![([8; 16].into(), 0), ([9; 16].into(), 1)],
        when_cut_off: None,
    }));
    table.put(policy(None));
    table.put(user(0));
    table
}

impl Doorway {
    fn with(table: Option<Table>) -> Self {
        let ring = EventRing::open(SimulatedDisk::default(), AgentId::from_bytes([1; 16]), 100);
        let (recorder, _) = Recorder::start(ring).expect("a thread");
        let [boot, wall] = [(); 2].map(|()| Arc::new(HandSet(AtomicU64::new(0))));
        let strike = Arc::new(SimulatedStrike::default());
        let surroundings = Surroundings {
            clock: Arc::clone(&wall) as Arc<dyn Clock>,
            boot_clock: Arc::clone(&boot) as Arc<dyn BootClock>,
            strike: Arc::clone(&strike) as Arc<dyn Strike>,
            record: recorder.clone().hand_over(),
        };
        let (decisions, _) = Decisions::start(table, None, surroundings).expect("a thread");
        boot.set(1_000);
        wall.set(5_000_000);
        Self {
            decisions,
            boot,
            wall,
            strike,
            recorder,
        }
    }

    async fn offer(&self, direction: Direction, offered: Offered) -> Answer {
        self.decisions
            .present(DOOR, direction, offered)
            .await
            .expect("it runs")
    }

    async fn card(&self) -> Answer {
        let token = CardToken::parse("04A1B2C3").expect("a token");
        self.offer(Direction::In, Offered::NfcCard(token)).await
    }

    async fn pin(&self, pin: &str) -> Answer {
        self.offer(Direction::In, Offered::Pin(Pin::parse(pin).expect("a PIN")))
            .await
    }
}

#[tokio::test]
async fn the_lease_is_checked_at_the_moment_of_the_decision() {
    let doorway = Doorway::with(Some(table()));
    assert_eq!(
        doorway.card().await,
        Answer::Refused(Reason::CutOff),
        "not heard since the start"
    );
    doorway
        .decisions
        .renewed(Duration::from_secs(1_000))
        .expect("room");
    assert_eq!(doorway.card().await, Answer::Granted);
    assert_eq!(doorway.pin("739156").await, Answer::Granted);
    assert_eq!(doorway.strike.times(DOOR), 2);
    doorway.boot.set(1_000 + LEASE - 1);
    assert_eq!(doorway.card().await, Answer::Granted);
    assert_eq!(
        doorway
            .decisions
            .look()
            .await
            .expect("it runs")
            .lease_left
            .as_secs(),
        1
    );
    doorway.boot.set(1_000 + LEASE);
    assert_eq!(doorway.card().await, Answer::Refused(Reason::CutOff));
    // An answer to an older question does not make it longer, nor a newer one shorter.
    doorway
        .decisions
        .renewed(Duration::from_secs(1_030))
        .expect("room");
    doorway
        .decisions
        .renewed(Duration::from_secs(900))
        .expect("room");
    assert_eq!(doorway.card().await, Answer::Granted);
    doorway
        .decisions
        .disk(DiskState::Fails)
        .await
        .expect("it runs");
    assert_eq!(doorway.card().await, Answer::Refused(Reason::CutOff));
    assert_eq!(doorway.strike.times(DOOR), 4);
}

#[tokio::test]
async fn a_question_is_decided_as_a_presentation_and_leaves_no_trace() {
    let doorway = Doorway::with(Some(table()));
    let key = HashKey::from_bytes([6; 32]);
    let pin = |digits: &str| {
        let pin = Pin::parse(digits).expect("a PIN");
        Presented::Pin(pin.digest(&PinSalt::from_bytes(SALT)))
    };
    let would = async |presented: Presented, direction| {
        let question = Question {
            id: QuestionId::from_bytes([1; 16]),
            credential: CredentialId::from_bytes([1; 16]),
            sought: presented.sought(&key),
            door: DOOR,
            direction,
        };
        doorway.decisions.question(question).await.expect("it runs")
    };
    let refused = |reason| Said::Refused { reason };
    let known = || card("04A1B2C3");
    assert_eq!(
        would(known(), Direction::In).await.said,
        refused(Reason::CutOff)
    );
    assert_eq!(would(known(), Direction::Out).await.said, Said::WayOut);
    doorway
        .decisions
        .renewed(Duration::from_secs(1_000))
        .expect("room");
    // The second of the two that this person holds.
    let holder = CredentialId::from_bytes([2; 16]);
    let asked = would(known(), Direction::In).await;
    assert_eq!(asked.said, Said::Granted { holder });
    assert_eq!(asked.hash, table().hash(), "of the table that decides");
    assert_eq!(asked.at, Timestamp::from_seconds(5_000_000));
    assert_eq!(asked.clock, ClockTrust::Untrusted);
    doorway
        .decisions
        .told(Timestamp::from_seconds(5_000_000))
        .expect("room");
    assert_eq!(
        would(known(), Direction::In).await.clock,
        ClockTrust::Trusted
    );
    // However often: a keypad is not slowed by being asked.
    for _ in 0..20 {
        assert_eq!(
            would(pin("0000"), Direction::In).await.said,
            refused(Reason::Unknown)
        );
    }
    assert!(matches!(
        would(pin("739156"), Direction::In).await.said,
        Said::Granted { .. }
    ));
    assert_eq!(doorway.strike.times(DOOR), 0, "nothing was opened");
    assert_eq!(doorway.recorder.after(0, 99).await.events.len(), 0);
    // Nor does a right one that was asked about clear the count of wrong ones.
    for _ in 0..3 {
        assert_eq!(doorway.pin("0000").await, Answer::Refused(Reason::Unknown));
    }
    for digits in ["739156", "0000"] {
        assert_eq!(
            would(pin(digits), Direction::In).await.said,
            refused(Reason::TooManyAttempts)
        );
    }
    assert_eq!(
        doorway.pin("739156").await,
        Answer::Refused(Reason::TooManyAttempts)
    );
    let mut deactivated = table();
    deactivated.put(user(1));
    doorway
        .decisions
        .replace(Box::new(deactivated))
        .await
        .expect("it runs");
    assert_eq!(
        would(known(), Direction::In).await.said,
        refused(Reason::Deactivated)
    );
    let doorway = Doorway::with(None);
    let question = Question {
        id: QuestionId::from_bytes([1; 16]),
        credential: holder,
        sought: known().sought(&key),
        door: DOOR,
        direction: Direction::In,
    };
    let asked = doorway.decisions.question(question).await.expect("it runs");
    assert_eq!(asked.said, refused(Reason::CutOff), "no table, no way in");
    assert_eq!(asked.hash, TableHash::EMPTY);
}

#[tokio::test]
async fn a_change_holds_for_every_decision_after_it() {
    let doorway = Doorway::with(Some(table()));
    doorway
        .decisions
        .renewed(Duration::from_secs(1_000))
        .expect("room");
    assert_eq!(doorway.card().await, Answer::Granted);
    let mut expected = table();
    let change = |changes, becomes| doorway.decisions.change(changes, becomes);
    let changed = change(vec![EntryChange::Put(user(1))], expected.hash()).await;
    assert_eq!(changed, Ok(Changed::Mismatch));
    assert_eq!(doorway.card().await, Answer::Granted, "nothing was changed");
    expected.put(user(1));
    // Twice the same entry, and one that goes and comes back.
    let policy = || policy(None);
    let changes = vec![
        EntryChange::Delete(policy().key()),
        EntryChange::Put(user(0)),
        EntryChange::Put(user(1)),
        EntryChange::Put(policy()),
    ];
    assert_eq!(change(changes, expected.hash()).await, Ok(Changed::InForce));
    assert_eq!(doorway.card().await, Answer::Refused(Reason::Deactivated));
    expected.delete(user(1).key());
    let gone = vec![EntryChange::Delete(user(1).key())];
    assert_eq!(change(gone, expected.hash()).await, Ok(Changed::InForce));
    assert_eq!(doorway.card().await, Answer::Refused(Reason::Unknown));
    doorway
        .decisions
        .replace(Box::new(table()))
        .await
        .expect("it runs");
    assert_eq!(doorway.card().await, Answer::Granted);
}

#[tokio::test]
async fn nobody_is_kept_from_leaving() {
    for table in [None, Some(table())] {
        let doorway = Doorway::with(table);
        for _ in 0..10 {
            let offered = Offered::Pin(Pin::parse("0000").expect("a PIN"));
            assert_eq!(
                doorway.offer(Direction::Out, offered).await,
                Answer::Granted
            );
        }
        assert_eq!(doorway.strike.times(DOOR), 10);
    }
    let doorway = Doorway::with(None);
    doorway
        .decisions
        .renewed(Duration::from_secs(1_000))
        .expect("room");
    assert_eq!(
        doorway.card().await,
        Answer::Refused(Reason::CutOff),
        "no table, no way in"
    );
    assert_eq!(doorway.pin("739156").await, Answer::Refused(Reason::CutOff));
}

#[tokio::test]
async fn wrong_pins_slow_the_keypad_and_never_stop_cards() {
    let doorway = Doorway::with(Some(table()));
    doorway
        .decisions
        .renewed(Duration::from_secs(1_000))
        .expect("room");
    for _ in 0..3 {
        assert_eq!(doorway.pin("0000").await, Answer::Refused(Reason::Unknown));
    }
    // Right or wrong: no difference while it waits.
    assert_eq!(
        doorway.pin("0000").await,
        Answer::Refused(Reason::TooManyAttempts)
    );
    assert_eq!(
        doorway.pin("739156").await,
        Answer::Refused(Reason::TooManyAttempts)
    );
    assert_eq!(doorway.card().await, Answer::Granted);
    doorway.boot.set(1_002);
    assert_eq!(doorway.pin("739156").await, Answer::Granted);
    assert_eq!(
        doorway.pin("0000").await,
        Answer::Refused(Reason::Unknown),
        "forgotten"
    );
    let mut kept = doorway.recorder.kept();
    kept.wait_for(|kept| kept.durable == 9)
        .await
        .expect("it runs");
    let events = doorway.recorder.after(0, 99).await.events;
    let slowed = events
        .iter()
        .filter_map(|bytes| DoorEvent::decode(bytes))
        .filter(|event| event.happening == Happening::KeypadSlowed);
    assert_eq!(slowed.count(), 1);
}

#[tokio::test]
async fn a_rule_by_the_clock_waits_until_the_clock_is_believed() {
    let mut timed = table();
    timed.put(Entry::Schedule(ScheduleEntry {
        schedule: [7; 16].into(),
        weekly: (0..7).map(|day| (day * 1440, 1440)).collect(),
        holiday: vec![],
        days: vec![],
    }));
    timed.put(policy(Some([7; 16])));
    let doorway = Doorway::with(Some(timed));
    doorway
        .decisions
        .renewed(Duration::from_secs(1_000))
        .expect("room");
    assert_eq!(
        doorway.card().await,
        Answer::Refused(Reason::ClockNotTrusted)
    );
    doorway
        .decisions
        .told(Timestamp::from_seconds(5_000_100))
        .expect("room");
    assert_eq!(doorway.card().await, Answer::Granted);
    doorway.wall.set(6_000_000);
    assert_eq!(
        doorway.card().await,
        Answer::Refused(Reason::ClockNotTrusted)
    );
}
