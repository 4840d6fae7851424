//! The certificate browsers see: the site's own files, or one made here at first start.
//!
//! Apart from the link's certificates on purpose: agents pin their root and never see this one,
//! so it may change at any time.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use offgate_core::calendar::local;
use offgate_core::parameters::{Clock, Timestamp};
use offgate_core::place::ZoneName;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use tokio::sync::watch;

use crate::{Shared, keys};

/// A certificate of the site's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those that vouch for it, PEM, the site's own first.
    pub chain: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// The certificate for browsers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{0} cannot be read as PEM")]
    Unreadable(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// Key and certificate do not go together, or are of a kind that is not known.
    #[error("the certificate and its key cannot be used")]
    Unusable(#[from] rustls::Error),
    /// None could be made.
    #[error("a certificate cannot be made")]
    NotMade(#[from] rcgen::Error),
    /// The one that was made cannot be kept.
    #[error(transparent)]
    NotKept(#[from] keys::KeysError),
}

const KEPT: &str = "console-certificate.pem";
/// For how many days one is made: browsers take no longer.
const DAYS: u64 = 397;
/// How many days before its end another is made.
const RENEW: u64 = 60;

/// Where the certificate comes from.
pub(crate) struct Source {
    pub(crate) data: PathBuf,
    pub(crate) files: Option<CertificateFiles>,
    pub(crate) listen: IpAddr,
}

/// How often the files are looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(12 * 3600);

/// Reads the certificate again from time to time: the site's files may have been renewed, and the
/// one made here has to be.
pub(crate) async fn renew(
    source: Source,
    renewed: watch::Sender<Arc<ServerConfig>>,
    shared: Arc<Shared>,
) {
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match source.config(&*shared.clock) {
            Ok(config) => {
                renewed.send_replace(config);
            }
            Err(error) => tracing::error!(%error, "the certificate for browsers stays as it is"),
        }
    }
}

impl Source {
    /// How browsers are met on the TLS port.
    pub(crate) fn config(&self, clock: &dyn Clock) -> Result<Arc<ServerConfig>, CertificateError> {
        match &self.files {
            Some(files) => read(&files.chain, &files.key),
            None => {
                let kept = own(&self.data, self.listen, clock.now())?;
                read(&kept, &kept)
            }
        }
    }
}

fn read(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, CertificateError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| CertificateError::Unreadable(path, error)
    };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(unreadable(chain))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The file with the certificate made here, made anew when it ends soon. Its first line says when
/// it was made; readers of PEM pass over it.
fn own(data: &Path, listen: IpAddr, now: Timestamp) -> Result<PathBuf, CertificateError> {
    let folder = keys::Folder::open(data)?;
    let path = folder.path(KEPT);
    let made_at = std::fs::read_to_string(&path).ok().and_then(|text| {
        let line = text.lines().next()?;
        line.strip_prefix("made at ")?.parse().ok()
    });
    let day = std::time::Duration::from_secs(24 * 3600);
    if let Some(made_at) = made_at {
        let age = now.since(Timestamp::from_seconds(made_at));
        if age.as_secs() < (DAYS - RENEW) * day.as_secs() {
            return Ok(path);
        }
    }
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(names(listen))?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "Offgate");
    parameters.distinguished_name = name;
    let date = |at: Timestamp| {
        let utc = ZoneName::parse("UTC").unwrap_or_else(|_| unreachable!("UTC is a zone"));
        let (year, month, day) = local(&utc, at).0.date();
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        date_time_ymd(i32::from(year), part(month), part(day))
    };
    parameters.not_before = date(now.minus(day));
    parameters.not_after = date(now.plus(day * u32::try_from(DAYS).unwrap_or(u32::MAX)));
    let certificate = parameters.self_signed(&key)?;
    let text = format!(
        "made at {}\n{}{}",
        now.seconds(),
        certificate.pem(),
        key.serialize_pem()
    );
    folder.write(KEPT, text.as_bytes())?;
    Ok(path)
}

/// By what names this machine may be called.
fn names(listen: IpAddr) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    if let Ok(name) = std::fs::read_to_string("/etc/hostname") {
        let name = name.trim();
        if name.is_ascii() && !name.is_empty() {
            names.push(name.to_owned());
        }
    }
    names
}
