//! The private socket, with real sockets in real folders.

use offgate_core::place::Direction;
use offgate_core::table::admission::Reason;

use super::*;
use crate::status::{LinkState, TableState};

struct OneDoor;

impl Doors for OneDoor {
    async fn present(&self, at: At, offered: Offered) -> Result<Answer, String> {
        match (at.door.as_str(), at.direction, offered) {
            ("Front door", Direction::Out, _) => Ok(Answer::Granted),
            ("Front door", Direction::In, Offered::Pin(pin)) if pin.digits() == "739156" => {
                Ok(Answer::Granted)
            }
            ("Front door", Direction::In, _) => Ok(Answer::Refused(Reason::Unknown)),
            _ => Err("there is no such door here".to_owned()),
        }
    }

    fn contact(&self, door: &str, _position: Position) -> Result<(), String> {
        match door {
            "Front door" => Ok(()),
            _ => Err("there is no such door here".to_owned()),
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["Front door".to_owned(), "Räum 2".to_owned()]
    }

    async fn status(&self) -> Status {
        Status {
            agent: None,
            link: LinkState::Searching,
            table: TableState::Missing,
            lease_seconds: 0,
            events_waiting: 0,
            events_lost: 0,
        }
    }
}

struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn start(folder: &Path) -> Running {
    let listener = bind(folder).expect("a socket");
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, Arc::new(OneDoor), stop.clone()));
    Running { stop, task }
}

async fn blocking<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(ask)
        .await
        .expect("it does not panic")
}

fn at(door: &str, direction: Direction) -> At {
    At {
        door: door.to_owned(),
        direction,
    }
}

#[tokio::test]
async fn what_is_presented_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    // Longer than the address of a socket may be, and left behind by one that was killed.
    let data = folder.path().join("a".repeat(90)).join("b".repeat(90));
    std::fs::create_dir_all(&data).expect("a folder");
    drop(bind(&data).expect("a socket"));
    let running = start(&data);
    let mode = std::fs::metadata(data.join(NAME))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    blocking(move || {
        let ask = |door: &str, direction, kind, value: &str| {
            present(&data, at(door, direction), kind, value)
        };
        let pin = CredentialKind::Pin;
        let granted = ask("Front door", Direction::In, pin, "739156").expect("an answer");
        assert_eq!(
            (granted, granted.light()),
            (Answer::Granted, super::super::Light::Green)
        );
        let refused = ask(
            "Front door",
            Direction::In,
            CredentialKind::NfcCard,
            "04A1B2",
        );
        assert_eq!(
            refused.expect("an answer"),
            Answer::Refused(Reason::Unknown)
        );
        let out = ask(
            "Front door",
            Direction::Out,
            CredentialKind::LicencePlate,
            "B AB 1",
        );
        assert_eq!(out.expect("an answer"), Answer::Granted);
        for (door, value) in [
            ("No door", "739156"),
            ("Front door", "7"),
            ("Front\tdoor", "739156"),
        ] {
            let error = ask(door, Direction::In, pin, value).expect_err("no answer");
            assert!(matches!(error, PresentError::NotUnderstood(_)), "{error:?}");
        }
        assert_eq!(doors(&data).expect("an answer"), ["Front door", "Räum 2"]);
        assert_eq!(status(&data).expect("an answer").table, TableState::Missing);
    })
    .await;
    running.stop.cancel();
    running.task.await.expect("it ends");
}

#[tokio::test]
async fn nonsense_gets_an_error_and_silence_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = start(folder.path());
    let path = folder.path().join(NAME);
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS - 1 {
        silent.push(UnixStream::connect(&path).await.expect("it listens"));
    }
    for nonsense in [
        &b"open\n"[..],
        b"\xff\xfe\n",
        &[b'a'; 3_000],
        b"present\tin\tpin\t1\n",
        b"",
    ] {
        let mut stream = UnixStream::connect(&path).await.expect("it listens");
        // It may have answered and closed before all of a long line was written.
        let _ = stream.write_all(nonsense).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        assert!(
            read.is_err() || answer.starts_with(b"error: "),
            "{answer:?}"
        );
    }
    running.stop.cancel();
    running
        .task
        .await
        .expect("it ends although others still hold on");
    let data = folder.path().to_owned();
    let gone = blocking(move || doors(&data)).await;
    assert!(matches!(gone, Err(PresentError::NoAgent(_))), "{gone:?}");
}
