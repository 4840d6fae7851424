//! The example's keys, ids and table.

use offgate_core::agent::HashKey;
use offgate_core::credential::{CardToken, Plate};
use offgate_core::parameters::Revision;
use offgate_core::pin::{Pin, PinSalt};
use offgate_core::ruling::{Ruled, Ruling, Seal};
use offgate_core::table::Table;
use offgate_core::table::admission::Presented;
use offgate_core::table::entry::{
    DoorEntry, Entry, KeypadEntry, PolicyEntry, RulingEntry, ScheduleEntry, SiteEntry, UserEntry,
    WhenCutOff,
};
use offgate_link::acknowledgement::SigningKey;
use offgate_link::message::WireEpoch;

pub(crate) const KEY: [u8; 32] = [0x21; 32];
pub(crate) const SEED: [u8; 32] = [0x22; 32];
pub(crate) const SALT: [u8; 16] = [0x23; 16];
pub(crate) const STORE: [u8; 16] = [0x24; 16];
pub(crate) const NONCE: [u8; 16] = [0x25; 16];
pub(crate) const SECRET: [u8; 16] = [0x26; 16];
pub(crate) const ROOT: [u8; 32] = [0x27; 32];
pub(crate) const SITE: [u8; 16] = [0x31; 16];
pub(crate) const DOOR: [u8; 16] = [0x32; 16];
pub(crate) const SCHEDULE: [u8; 16] = [0x33; 16];
pub(crate) const POLICY: [u8; 16] = [0x34; 16];
pub(crate) const USER: [u8; 16] = [0x35; 16];
pub(crate) const CREDENTIALS: [[u8; 16]; 3] = [[0x36; 16], [0x37; 16], [0x38; 16]];
pub(crate) const READER: [u8; 16] = [0x39; 16];
/// 2026-11-24 05:00:00 UTC.
pub(crate) const NOW: i64 = 1_795_496_400_000_000;

pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_seed(&SEED).expect("a key")
}

pub(crate) fn presented() -> [Presented; 3] {
    let pin = Pin::parse("482731").expect("a PIN");
    [
        Presented::Pin(pin.digest(&PinSalt::from_bytes(SALT))),
        Presented::NfcCard(CardToken::parse("04:a2:2b:19:f0").expect("a card")),
        Presented::LicencePlate(Plate::parse("hh-ab 123").expect("a plate")),
    ]
}

pub(crate) fn credential_hash(presented: &Presented) -> [u8; 16] {
    presented.hash(&HashKey::from_bytes(KEY)).0
}

/// One of each kind, in the order of their numbers, and a second person.
pub(crate) fn entries() -> Vec<(&'static str, Entry)> {
    let mut credentials: Vec<_> = presented()
        .iter()
        .map(credential_hash)
        .zip(CREDENTIALS)
        .zip([0, 1, 0])
        .map(|((hash, id), state)| (hash.into(), id.into(), state))
        .collect();
    credentials.sort_unstable_by_key(|(hash, ..): &(minicbor::bytes::ByteArray<16>, _, _)| **hash);
    let all = vec![
        Entry::Keypad(KeypadEntry { salt: SALT.into() }),
        Entry::Site(SiteEntry {
            site: SITE.into(),
            first_offset: 3600,
            changes: vec![(1_806_195_600, 7200), (1_824_944_400, 3600)],
        }),
        Entry::Door(DoorEntry {
            door: DOOR.into(),
            site: SITE.into(),
            lease_seconds: 259_200,
            readers: vec![(READER.into(), 0)],
            when_cut_off: None,
        }),
        // Mondays 08:00 to 18:00; on holidays 10:00 to 12:00; one holiday, 2026-12-25.
        Entry::Schedule(ScheduleEntry {
            schedule: SCHEDULE.into(),
            weekly: vec![(480, 600)],
            holiday: vec![(600, 120)],
            days: vec![20_812],
        }),
        Entry::Policy(PolicyEntry {
            policy: POLICY.into(),
            doors: vec![DOOR.into()],
            schedule: Some(SCHEDULE.into()),
        }),
        Entry::User(UserEntry {
            user: USER.into(),
            standing: 0,
            starts: None,
            ends: Some(NOW),
            policies: vec![POLICY.into()],
            credentials,
        }),
        // Doors that admit somebody after their lease.
        Entry::Door(DoorEntry {
            door: [0x22; 16].into(),
            site: SITE.into(),
            lease_seconds: 43_200,
            readers: vec![(READER.into(), 0)],
            when_cut_off: Some(WhenCutOff::EmergencyList {
                limit_seconds: 1_209_600,
                people: vec![USER.into(), [0x66; 16].into()],
            }),
        }),
        Entry::Door(DoorEntry {
            door: [0x23; 16].into(),
            site: SITE.into(),
            lease_seconds: 43_200,
            readers: vec![],
            when_cut_off: Some(WhenCutOff::KeepLastTable),
        }),
        // A policy without a schedule, and somebody deactivated.
        Entry::Policy(PolicyEntry {
            policy: [0x44; 16].into(),
            doors: vec![DOOR.into()],
            schedule: None,
        }),
        Entry::User(UserEntry {
            user: [0x45; 16].into(),
            standing: 1,
            starts: None,
            ends: None,
            policies: vec![],
            credentials: vec![],
        }),
        Entry::Ruling(ruling()),
    ];
    all.into_iter()
        .map(|entry| (entry_name(&entry), entry))
        .collect()
}

pub(crate) fn ruling() -> RulingEntry {
    let ruling = Ruling {
        subject: CREDENTIALS[1],
        ruled: Ruled::Lost,
        epoch: epoch().into(),
        revision: Revision::new(1200),
    };
    RulingEntry::new(&ruling, Seal([9; 32]))
}

/// Its name in the grammar.
pub(crate) fn entry_name(entry: &Entry) -> &'static str {
    match entry {
        Entry::Keypad(_) => "keypad-entry",
        Entry::Site(_) => "site-entry",
        Entry::Door(_) => "door-entry",
        Entry::Schedule(_) => "schedule-entry",
        Entry::Policy(_) => "policy-entry",
        Entry::User(_) => "user-entry",
        Entry::Ruling(_) => "ruling-entry",
    }
}

pub(crate) fn table() -> Table {
    let mut table = Table::empty(HashKey::from_bytes(KEY));
    entries()
        .into_iter()
        .for_each(|(_, entry)| table.put(entry));
    table
}

pub(crate) fn epoch() -> WireEpoch {
    WireEpoch {
        counter: 3,
        nonce: NONCE.into(),
    }
}
