//! It is found on the port of the doors too, stops at once, and says where a backup stands.

use std::sync::Arc;
use std::time::Duration;

use offgate_core::operator::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::{Answer, House};

#[tokio::test]
async fn it_stops_at_once_with_a_stream_open() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    let mut stream = TcpStream::connect(house.address())
        .await
        .expect("connected");
    let address = house.address();
    let request =
        format!("GET /doors/live HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = vec![0; 4096];
    let mut seen = String::new();
    while !seen.contains("event: part") {
        let read = stream.read(&mut bytes).await.expect("answered");
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert!(seen.contains("text/event-stream"));
    let stopped = tokio::time::timeout(Duration::from_secs(5), house.running.stop());
    assert!(stopped.await.is_ok(), "it stops within five seconds");
}

#[tokio::test]
async fn browsers_find_the_console_on_the_tls_port() {
    use rustls::pki_types::ServerName;
    let house = House::open().await;
    let pem =
        std::fs::read(house.folder.path().join("keys/console-certificate.pem")).expect("made");
    use rustls::pki_types::pem::PemObject as _;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let tcp = TcpStream::connect(house.running.address())
        .await
        .expect("connected");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, tcp).await.expect("a handshake");
    let shown = stream
        .get_ref()
        .1
        .peer_certificates()
        .expect("a certificate")[0]
        .clone();
    let kept = rustls::pki_types::CertificateDer::pem_slice_iter(&pem).next();
    assert_eq!(
        kept.expect("one").expect("whole"),
        shown,
        "the one that is kept"
    );
    stream
        .write_all(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .expect("sent");
    let mut bytes = Vec::new();
    // The end of the stream may come without TLS saying goodbye.
    let _ = stream.read_to_end(&mut bytes).await;
    let answer = Answer(String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(answer.status(), 200, "{}", answer.0);
    assert!(answer.header("strict-transport-security").is_some());
    house.running.stop().await;
}

/// The certificate is compared byte by byte instead.
#[derive(Debug)]
struct Anything;

impl rustls::client::danger::ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Gets a page until it says this.
async fn until_it_says(house: &House, cookie: &str, path: &str, words: &str) -> Answer {
    let since = std::time::Instant::now();
    loop {
        let page = house.get(path, cookie).await;
        if page.says(words) {
            return page;
        }
        let waited = since.elapsed();
        assert!(waited < Duration::from_secs(60), "{words}: {}", page.0);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_said_where_one_looks_and_one_that_is_made_too() {
    let place = tempfile::tempdir().expect("a folder");
    let taken = place.path().join("a-file");
    std::fs::write(&taken, b"in the way").expect("a file");
    let house = House::with_backups(Some(&taken)).await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    until_it_says(&house, &cookie, "/", "No backup could be made on").await;
    let system = house.get("/system", &cookie).await;
    assert!(system.says("No backup could be made on"), "{}", system.0);
    house.running.stop().await;

    let shelf = place.path().join("shelf");
    let house = House::with_backups(Some(&shelf)).await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    let made = "The last backup was made on";
    let system = until_it_says(&house, &cookie, "/system", made).await;
    assert!(system.says("shelf"), "{}", system.0);
    assert!(!system.says("No backup"), "{}", system.0);
    let today = house.get("/", &cookie).await;
    assert!(!today.says("backup"), "nothing to say: {}", today.0);
    house.running.stop().await;
}
