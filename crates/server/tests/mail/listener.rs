//! A mail server for tests: speaks ESMTP with TLS from the first byte, after STARTTLS or not at all,
//! and behaves as it is told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Tls,
    StartTls,
    Clear,
}

/// How it behaves from the next connection on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    RefusesForNow,
    RefusesForGood,
    RefusesSignIn,
    Hangs,
    CutsLetters,
}

/// What it heard.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) connections: usize,
    /// Every line that was said without TLS.
    pub(crate) in_the_clear: Vec<String>,
    /// Every line that was said with it.
    pub(crate) in_secret: Vec<String>,
    /// Letters it took, as they came.
    pub(crate) letters: Vec<String>,
    /// Connections that are kept without a word.
    hanging: Vec<TcpStream>,
}

#[derive(Clone)]
struct Shared {
    way: Way,
    config: Arc<ServerConfig>,
    mood: Arc<Mutex<Mood>>,
    heard: Arc<Mutex<Heard>>,
}

pub(crate) struct Listener {
    shared: Shared,
    pub(crate) port: u16,
    /// Who vouches for it, in PEM.
    pub(crate) authority: String,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An authority, and a certificate of it for this machine.
pub(crate) fn certificates() -> (String, ServerConfig) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own_key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(names)
        .and_then(|parameters| parameters.signed_by(&own_key, &authority))
        .expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = PrivateKeyDer::try_from(own_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], private)
        .expect("a configuration");
    (authority.pem(), config)
}

impl Listener {
    pub(crate) fn start(way: Way) -> Self {
        let (authority, config) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Shared {
            way,
            config: Arc::new(config),
            mood: Arc::new(Mutex::new(Mood::Takes)),
            heard: Arc::default(),
        };
        let listening = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = listening.clone();
                // Whoever hangs up in the middle has said all there was.
                std::thread::spawn(move || shared.meet(stream).ok());
            }
        });
        Self {
            shared,
            port,
            authority,
        }
    }

    pub(crate) fn behave(&self, mood: Mood) {
        *locked(&self.shared.mood) = mood;
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        locked(&self.shared.heard)
    }
}

/// A line, read byte by byte so that nothing of what follows is taken.
fn line(stream: &mut impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n") {
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn say(stream: &mut impl Write, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes())?;
    stream.flush()
}

/// How a part of a conversation ended.
enum End {
    Over,
    StartTls,
}

impl Shared {
    fn meet(&self, mut stream: TcpStream) -> std::io::Result<()> {
        locked(&self.heard).connections += 1;
        let mood = *locked(&self.mood);
        if mood == Mood::Hangs {
            locked(&self.heard).hanging.push(stream);
            return Ok(());
        }
        if self.way == Way::Tls {
            let mut stream = self.secret(stream)?;
            say(&mut stream, "220 mail.test ESMTP")?;
            self.talk(&mut stream, mood, Way::Tls)?;
            return Ok(());
        }
        say(&mut stream, "220 mail.test ESMTP")?;
        if let End::StartTls = self.talk(&mut stream, mood, Way::Clear)? {
            let mut stream = self.secret(stream)?;
            self.talk(&mut stream, mood, Way::Tls)?;
        }
        Ok(())
    }

    fn secret(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<StreamOwned<ServerConnection, TcpStream>> {
        let connection =
            ServerConnection::new(Arc::clone(&self.config)).map_err(std::io::Error::other)?;
        Ok(StreamOwned::new(connection, stream))
    }

    fn talk<S: Read + Write>(&self, stream: &mut S, mood: Mood, now: Way) -> std::io::Result<End> {
        loop {
            let heard = line(stream)?;
            {
                let mut all = locked(&self.heard);
                match now {
                    Way::Clear => all.in_the_clear.push(heard.clone()),
                    Way::Tls | Way::StartTls => all.in_secret.push(heard.clone()),
                }
            }
            let word: String = heard.chars().take(4).collect();
            match word.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    say(stream, "250-mail.test")?;
                    if now == Way::Clear && self.way == Way::StartTls {
                        say(stream, "250-STARTTLS")?;
                    }
                    say(stream, "250-AUTH PLAIN LOGIN")?;
                    say(stream, "250 8BITMIME")?;
                }
                "STAR" => {
                    say(stream, "220 go on")?;
                    return Ok(End::StartTls);
                }
                "AUTH" if mood == Mood::RefusesSignIn => {
                    say(stream, &format!("535 5.7.8 not {heard}"))?
                }
                "AUTH" => say(stream, "235 welcome")?,
                "MAIL" => say(stream, "250 ok")?,
                "RCPT" => match mood {
                    Mood::RefusesForNow => say(stream, "451 4.7.1 come back later")?,
                    Mood::RefusesForGood => say(stream, "550 5.1.1 nobody of that name")?,
                    _ => say(stream, "250 ok")?,
                },
                "DATA" => {
                    say(stream, "354 go on")?;
                    if mood == Mood::CutsLetters {
                        line(stream)?;
                        return Ok(End::Over);
                    }
                    let mut letter = Vec::new();
                    loop {
                        match line(stream)?.as_str() {
                            "." => break,
                            text => letter.push(text.strip_prefix('.').unwrap_or(text).to_owned()),
                        }
                    }
                    locked(&self.heard).letters.push(letter.join("\r\n"));
                    say(stream, "250 2.0.0 queued as 7")?;
                }
                "QUIT" => {
                    say(stream, "221 bye")?;
                    return Ok(End::Over);
                }
                _ => say(stream, "502 what?")?,
            }
        }
    }
}
