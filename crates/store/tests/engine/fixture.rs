//! Databases of older schemas as text: how one is filled, written down, and made again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use offgate_core::agent::{JoinSecretHash, JoinToken, JoinTokenState};
use offgate_core::backup::Restored;
use offgate_core::command::{Command, Expected, Unconfirmed};
use offgate_core::credential::{CredentialKind, NewCredential, NewMeans, Plate, PlateSharing};
use offgate_core::disagreement::Disagreement;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::door_position::{Position, SaidPosition};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{HolidayGroupId, JoinTokenId, OperatorId, ScheduleId};
use offgate_core::keeping::{ErasureWait, Keeping};
use offgate_core::longer_limit::LongerLimit;
use offgate_core::parameters::{Clock as _, Epoch, Revision, Timestamp};
use offgate_core::pin::{Pin, PinCandidate};
use offgate_core::place::{Direction, LeaseLength, Site, ZoneName};
use offgate_core::policy::{
    Holiday, HolidayGroup, HolidayHours, Policy, PolicyHours, Recurrence, Schedule, Weekday, Window,
};
use offgate_core::question;
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::admission::Holder;
use offgate_core::text::Note;
use offgate_core::tree::TreeHash;
use offgate_store::questions::NewAnswer;
use offgate_store::sign_in::{LinkPurpose, OneTimeLink, SecretHash, Session, SignInChange};
use offgate_store::{DATABASE_FILE, Heard, VAULT_FOLDER, Verdict, Witnessed};
use rusqlite::Connection;

use crate::organisation::*;
use crate::{alerts, fail_modes, mail};

const HOLIDAYS: HolidayGroupId = HolidayGroupId::from_bytes([4; 16]);
const HOLIDAY_HOURS: ScheduleId = ScheduleId::from_bytes([3; 16]);
const WRAPPING_KEY: &str = "wrapping-1.key";

/// The fixtures' folder.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The fixture of a schema: `offgate.sql`, and from the third schema on the vault's two files.
fn of(schema: i64) -> PathBuf {
    folder().join(format!("schema-{schema}"))
}

/// The newest schema: how many migrations there are.
pub(crate) fn newest() -> i64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    i64::try_from(std::fs::read_dir(folder).expect("the migrations").count()).expect("a few")
}

fn note(text: &str) -> Note {
    Note::parse(text).expect("a note")
}

fn pin(opened: &Opened, number: u8, digits: &str) -> Command {
    let pin = Pin::parse(digits).expect("a PIN");
    Command::AddCredential {
        user: user(number),
        credential: NewCredential {
            id: credential(number + 20),
            label: None,
            means: NewMeans::Pin(PinCandidate::new(&pin, &opened.store.identity().pin_salt)),
        },
    }
}

/// Something for every table. Ada holds a card, a plate and a PIN, and was deactivated and
/// reactivated; Zoë is deactivated and her card lost; Eve had a PIN and a lost card, and was removed
/// and erased; Kim was removed and is held.
fn live(opened: &Opened) {
    mail::live(opened);
    opened.done(Command::CreateHolidayGroup(HolidayGroup {
        id: HOLIDAYS,
        revision: Revision::ZERO,
        name: title("Holidays"),
        holidays: vec![Holiday {
            name: title("New Year"),
            first: offgate_core::policy::Day(20_454),
            last: offgate_core::policy::Day(20_454),
            recurrence: Recurrence::EveryYear,
        }],
    }));
    opened.done(Command::CreateSchedule(Schedule {
        id: HOLIDAY_HOURS,
        revision: Revision::ZERO,
        name: title("Hours with holidays"),
        weekly: vec![(Weekday::Tuesday, Window::new(480, 1020).expect("a window"))],
        holidays: Some(HolidayHours {
            group: HOLIDAYS,
            windows: vec![Window::new(600, 720).expect("a window")],
        }),
    }));
    opened.done(Command::CreatePolicy(Policy {
        id: policy(3),
        revision: Revision::ZERO,
        name: title("Policy 3"),
        doors: BTreeSet::from([door(1)]),
        door_groups: BTreeSet::new(),
        hours: PolicyHours::Scheduled(HOLIDAY_HOURS),
    }));
    opened.done(Command::EditSite(
        Site {
            id: site(1),
            revision: Revision::ZERO,
            name: title("Site 1"),
            zone: ZoneName::parse("Europe/Berlin").expect("a zone"),
            default_policy: Some(policy(1)),
        },
        Expected::Whatever,
    ));
    for (number, name) in [(1, "Ada"), (2, "Zoë"), (3, "Eve")] {
        let groups = BTreeSet::from([group(number.min(2))]);
        let policies = BTreeSet::from([policy(2), policy(3)]);
        opened.done(create(number, groups, policies, name));
    }
    opened.done(Command::AddCredential {
        user: user(1),
        credential: NewCredential {
            id: credential(11),
            label: None,
            means: NewMeans::LicencePlate {
                plate: Plate::parse("AB 123").expect("a plate"),
                sharing: PlateSharing::Shared,
            },
        },
    });
    opened.done(pin(opened, 1, "481937"));
    opened.done(pin(opened, 3, "739164"));
    // Since schema 6.
    opened.done(Command::CreateEmergencyList(fail_modes::list(&[1, 2])));
    opened.done(Command::EditDoor(
        front_door(1, FailMode::EmergencyList(fail_modes::LIST)),
        Expected::Whatever,
    ));
    // Since schema 16.
    opened.done(Command::LengthenLimit(LongerLimit {
        door: door(1),
        lease: LeaseLength::from_seconds(7 * 24 * 3600).expect("a length"),
        until: opened.clock.now().plus(Duration::from_secs(24 * 3600)),
        reason: note("moving the server"),
    }));
    for number in 1..=3 {
        opened.done(deactivate(number));
    }
    opened.done(Command::ReactivateUser { user: user(1) });
    for number in [2, 3] {
        opened.done(Command::ReportLost {
            credential: credential(number),
        });
    }
    opened.done(Command::RemoveUser {
        user: user(3),
        unconfirmed: Unconfirmed::Override(note("the door was taken out")),
    });
    // Since schema 5.
    opened.done(Command::ChangeKeeping(Keeping {
        erasure_wait: ErasureWait::from_days(30).expect("days"),
        ..Keeping::default()
    }));
    opened.done(create(4, BTreeSet::new(), BTreeSet::new(), "Kim"));
    opened.done(deactivate(4));
    opened.done(Command::RemoveUser {
        user: user(4),
        unconfirmed: Unconfirmed::Wait,
    });
    opened.done(Command::HoldErasure {
        user: user(4),
        reason: note("a dispute"),
    });
    // Since schema 7.
    opened.done(Command::AnnounceAddresses(
        ServerAddresses::from_lines("offgate.example.org:8443").expect("an address"),
    ));
    // Since schema 9. Its door has no agent after that.
    opened.done(Command::ReportAgentStolen {
        agent: agent(2),
        token: None,
    });
    // Since schema 10.
    opened.done(Command::NoteRestore(Restored {
        made_at: Timestamp::from_seconds(START - 3000),
        epoch: Epoch {
            counter: 0,
            nonce: [5; 16],
        },
        last: Revision::new(1),
    }));
    // Since schema 11.
    alerts::live(opened);
    // Since schema 14.
    alerts::live_webhook(opened);
    // Since schema 1 again.
    opened.done(Command::CreateJoinToken(JoinToken {
        id: JoinTokenId::from_bytes([83; 16]),
        secret: JoinSecretHash([3; 32]),
        name: title("Agent 3"),
        doors: BTreeSet::from([door(2)]),
        expires_at: Timestamp::from_seconds(START + 3000),
        state: JoinTokenState::Open,
    }));
}

/// What agents and operators add.
fn hear(opened: &Opened) {
    let head = opened.store.read().head().expect("a head");
    let store = &opened.store;
    tokio_runtime().block_on(async {
        // Since schema 12.
        store.record_start().await.expect("recorded");
        let contact = async |heard| {
            let recorded = store.record_contact(agent(1), heard).await;
            recorded.expect("recorded");
        };
        // Since schema 16.
        contact(Heard::Connected).await;
        contact(Heard::Gone).await;
        opened.clock.0.fetch_add(60_000_000, Ordering::SeqCst);
        // Since schema 1.
        contact(Heard::Connected).await;
        contact(Heard::AsksRenewal).await;
        store
            .record_acknowledgement(agent(1), receipt(head))
            .await
            .expect("recorded");
        // Since schema 19.
        let open = SaidPosition {
            door: door(1),
            position: Position::Open,
            lasts: Duration::from_secs(9),
        };
        store
            .record_positions(agent(1), vec![open])
            .await
            .expect("recorded");
        // Since schema 15.
        let another = Disagreement::Another(head);
        store
            .record_disagreement(agent(1), another)
            .await
            .expect("recorded");
        // Since schema 2.
        let event = |sequence, presented, happening| DoorEvent {
            sequence,
            at: Timestamp::from_seconds(START),
            door: door(1),
            direction: Direction::In,
            presented,
            happening,
        };
        let holder = Holder {
            credential: credential(1),
            user: user(1),
        };
        let policy = policy(3);
        let events = vec![
            event(1, CredentialKind::Pin, Happening::KeypadSlowed),
            event(
                2,
                CredentialKind::NfcCard,
                Happening::Granted { holder, policy },
            ),
        ];
        store
            .record_events(agent(1), 2, events)
            .await
            .expect("recorded");
        // Since schema 11. The first is answered, the second waits.
        for _ in 0..2 {
            store.ask_doors(user(2)).await.expect("asked");
            let reader = store.read();
            let open = reader.open_questions(agent(1), 1, opened.clock.now());
            if let [question] = open.expect("an answer")[..]
                && reader.admitting_answers().expect("an answer").is_empty()
            {
                let answer = NewAnswer {
                    question: question.id,
                    verdict: question::Verdict::Admits,
                    statement: b"said".to_vec(),
                    signature: [9; 64],
                };
                store
                    .record_answer(agent(1), answer)
                    .await
                    .expect("recorded");
            }
        }
        let far = Timestamp::from_seconds(START + 40_000_000);
        let session = Session {
            token: SecretHash([5; 32]),
            operator: OperatorId::from_bytes([7; 16]),
            started_at: Timestamp::from_seconds(START),
            authenticated_at: Timestamp::from_seconds(START),
            expires_at: far,
        };
        let link = OneTimeLink {
            secret: SecretHash([6; 32]),
            purpose: LinkPurpose::SetUp,
            expires_at: far,
        };
        for change in [
            SignInChange::Started(session),
            SignInChange::LinkCreated(link),
        ] {
            store.sign_in(change).await.expect("recorded");
        }
        // Since schema 4.
        let seen = Witnessed {
            epoch: store.identity().epoch,
            size: head.number(),
            root: TreeHash([8; 32]),
            verdict: Verdict::Seen,
        };
        store
            .record_witness(agent(1), seen)
            .await
            .expect("recorded");
    });
}

fn text(connection: &Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = connection.prepare(sql).expect("a statement");
    let columns = statement.column_count();
    statement
        .query_map([], |row| {
            (0..columns).map(|column| row.get(column)).collect()
        })
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("text")
}

/// The tables of a database and how each was made, without those that the search index makes.
pub(crate) fn tables(connection: &Connection) -> Vec<(String, String)> {
    let all = text(
        connection,
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY rowid",
    );
    let index: Vec<String> = all
        .iter()
        .filter(|row| row[1].starts_with("CREATE VIRTUAL"))
        .map(|row| row[0].clone())
        .collect();
    let is_shadow = |name: &str| {
        index
            .iter()
            .filter_map(|table| name.strip_prefix(table.as_str()))
            .any(|rest| ["_data", "_idx", "_content", "_docsize", "_config"].contains(&rest))
    };
    all.into_iter()
        .filter(|row| !is_shadow(&row[0]))
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect()
}

/// A database as statements that make it again.
fn dump(path: &Path) -> String {
    let connection = Connection::open(path).expect("a database");
    let mut dumped = String::new();
    let version = text(
        &connection,
        "SELECT CAST(user_version AS TEXT) FROM pragma_user_version",
    );
    writeln!(dumped, "PRAGMA user_version = {};", version[0][0]).expect("a string");
    for (name, sql) in tables(&connection) {
        writeln!(dumped, "{sql};").expect("a string");
        let is_index = sql.starts_with("CREATE VIRTUAL");
        let mut columns: Vec<String> = text(
            &connection,
            &format!("SELECT name FROM pragma_table_info('{name}')"),
        )
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
        if is_index {
            columns.insert(0, "rowid".to_owned());
        }
        let quoted: Vec<_> = columns
            .iter()
            .map(|column| {
                // The engine quotes a text only as far as the first zero in it.
                format!(
                    "CASE WHEN typeof({column}) = 'text' AND instr({column}, char(0)) > 0 \
                     THEN 'CAST(X''' || hex({column}) || ''' AS TEXT)' ELSE quote({column}) END"
                )
            })
            .collect();
        let rows = text(
            &connection,
            &format!(
                "SELECT {} FROM {name} ORDER BY {}",
                quoted.join(" || ', ' || "),
                if is_index {
                    "rowid".to_owned()
                } else {
                    columns.join(", ")
                },
            ),
        );
        for row in rows {
            writeln!(
                dumped,
                "INSERT INTO {name} ({}) VALUES ({});",
                columns.join(", "),
                row[0]
            )
            .expect("a string");
        }
        if is_index {
            let settings =
                format!("SELECT k, CAST(v AS TEXT) FROM {name}_config WHERE k <> 'version'");
            for row in text(&connection, &settings) {
                writeln!(
                    dumped,
                    "INSERT INTO {name} ({name}, rank) VALUES ('{}', {});",
                    row[0], row[1]
                )
                .expect("a string");
            }
        }
    }
    for row in text(
        &connection,
        "SELECT sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL ORDER BY rowid",
    ) {
        writeln!(dumped, "{};", row[0]).expect("a string");
    }
    dumped
}

fn load(from: &Path, path: &Path) {
    let connection = Connection::open(path).expect("a database");
    connection
        .pragma_update(None, "foreign_keys", false)
        .expect("a setting");
    let sql = std::fs::read_to_string(from).expect("the fixture");
    connection
        .execute_batch(&format!("BEGIN; {sql} COMMIT;"))
        .expect("the fixture");
}

/// Asserts that a database is that of a fixture.
pub(crate) fn assert_is(path: &Path, schema: i64) {
    let was = std::fs::read_to_string(of(schema).join("offgate.sql")).expect("the fixture");
    let is = dump(path);
    // A copy has its tables in another order: lines are compared, one by one so that a difference
    // can be read.
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (is, was) = (sorted(&is), sorted(&was));
    for (is, was) in is.iter().zip(&was) {
        assert_eq!(is, was, "{} is schema {schema}", path.display());
    }
    assert_eq!(is.len(), was.len());
}

/// Makes the store of a fixture in a directory.
pub(crate) fn restore(schema: i64, directory: &Path) {
    let from = of(schema);
    load(&from.join("offgate.sql"), &directory.join(DATABASE_FILE));
    if schema < 3 {
        return;
    }
    let vault = directory.join(VAULT_FOLDER);
    std::fs::create_dir(&vault).expect("a folder");
    load(&from.join("vault.sql"), &vault.join("vault.db"));
    let key = std::fs::read_to_string(from.join("wrapping-1.txt")).expect("the key");
    let key = data_encoding::HEXLOWER
        .decode(key.trim().as_bytes())
        .expect("a key");
    std::fs::write(vault.join(WRAPPING_KEY), key).expect("written");
}

/// Not a test: writes the fixture of the schema that this build makes. To be run, and its files
/// committed, before a migration is added.
#[test]
#[ignore = "writes files into the source tree"]
fn write_the_fixture_of_this_schema() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 1);
    live(&opened);
    hear(&opened);
    drop(opened);
    let to = of(newest());
    std::fs::create_dir_all(&to).expect("a folder");
    let write = |name: &str, text: String| std::fs::write(to.join(name), text).expect("written");
    write("offgate.sql", dump(&directory.path().join(DATABASE_FILE)));
    // Since schema 3.
    let vault = directory.path().join(VAULT_FOLDER);
    write("vault.sql", dump(&vault.join("vault.db")));
    let key = std::fs::read(vault.join(WRAPPING_KEY)).expect("the key");
    write(
        "wrapping-1.txt",
        data_encoding::HEXLOWER.encode(&key) + "\n",
    );
}
