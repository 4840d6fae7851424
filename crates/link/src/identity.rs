//! By which certificates a store and its agents know each other.
//!
//! A root signs one issuing key; that one signs the server's link key and each agent's key. Agents
//! trust the root's fingerprint and nothing else, so the server's certificate may be renewed, and
//! the server rebuilt, without a visit to a door. An agent may have no clock, so no certificate is
//! judged by the time of day: who may speak is decided by the store, at every connection.
//!
//! Keys and certificates go in and out as bytes; where they are kept is the runtime's affair.

use std::sync::Arc;

use offgate_core::agent::AgentKey;
use offgate_core::id::AgentId;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, SubjectPublicKeyInfo,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};

use crate::acknowledgement::SigningKey;
use crate::join_token::RootFingerprint;

/// How a connection of the link is told from a browser's on the same port.
pub const ALPN: &[u8] = b"offgate-door/1";

/// The name in the server's link certificate, whatever its address.
const LINK_NAME: &str = "link.offgate.internal";

/// Inside every certificate's validity; stands where a clock would.
const ALWAYS: u64 = 1_800_000_000;

/// A certificate or key could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The library that makes certificates refused.
    #[error("a certificate could not be made")]
    Making(#[from] rcgen::Error),
    /// The library that speaks TLS refused.
    #[error("a certificate could not be used")]
    Using(#[from] rustls::Error),
    /// A verifier could not be built.
    #[error("a verifier could not be built")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    /// Not an Ed25519 key.
    #[error("not an Ed25519 key")]
    NotAKey,
}

/// A key and the chain that vouches for it.
pub struct Identity {
    /// The private key, PKCS#8. A secret.
    pub key: Vec<u8>,
    /// Certificates in DER: its own, then those above it, the root last.
    pub chain: Vec<Vec<u8>>,
}

/// A store's keys of the link: the root, the issuing key below it, and the server's link key.
pub struct Authority {
    /// Signs the issuing key, and nothing else.
    pub root: Identity,
    /// Signs link keys and agents' keys.
    pub issuing: Identity,
    /// With which the server speaks to agents.
    pub link: Identity,
}

impl Authority {
    /// Makes the keys of a new store from three seeds.
    ///
    /// # Errors
    /// A certificate could not be made.
    pub fn create(seeds: [[u8; 32]; 3]) -> Result<Self, IdentityError> {
        let [root, issuing, link] = seeds.map(|seed| signing_key(&seed));
        let (root, issuing, link) = (root?, issuing?, link?);
        let root_pair = pair(&root)?;
        let root_certificate = authority("Offgate root", 1).self_signed(&root_pair)?;
        let root_issuer = Issuer::new(authority("Offgate root", 1), root_pair);
        let issuing_pair = pair(&issuing)?;
        let issuing_certificate =
            authority("Offgate issuing", 0).signed_by(&issuing_pair, &root_issuer)?;
        let issuing_issuer = Issuer::new(authority("Offgate issuing", 0), issuing_pair);
        let link_certificate = leaf(LINK_NAME, ExtendedKeyUsagePurpose::ServerAuth)?
            .signed_by(&pair(&link)?, &issuing_issuer)?;
        let root_chain = vec![root_certificate.der().to_vec()];
        let issuing_chain = [vec![issuing_certificate.der().to_vec()], root_chain.clone()].concat();
        let link_chain = [vec![link_certificate.der().to_vec()], issuing_chain.clone()].concat();
        Ok(Self {
            root: Identity {
                key: root,
                chain: root_chain,
            },
            issuing: Identity {
                key: issuing,
                chain: issuing_chain,
            },
            link: Identity {
                key: link,
                chain: link_chain,
            },
        })
    }

    /// By what agents know this store.
    #[must_use]
    pub fn fingerprint(&self) -> RootFingerprint {
        self.root
            .chain
            .first()
            .map_or(RootFingerprint([0; 32]), |root| RootFingerprint::of(root))
    }
}

impl Identity {
    /// Vouches for an agent's key. Called on the issuing identity.
    ///
    /// # Errors
    /// A certificate could not be made.
    pub fn vouch(&self, agent: AgentId, key: &AgentKey) -> Result<Vec<Vec<u8>>, IdentityError> {
        let issuer = Issuer::new(authority("Offgate issuing", 0), pair(&self.key)?);
        // An Ed25519 SubjectPublicKeyInfo is this prefix and the key (RFC 8410, section 4).
        let mut info = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        info.extend_from_slice(&key.0);
        let info = SubjectPublicKeyInfo::from_der(&info)?;
        let certificate = leaf(&agent.to_string(), ExtendedKeyUsagePurpose::ClientAuth)?
            .signed_by(&info, &issuer)?;
        Ok([vec![certificate.der().to_vec()], self.chain.clone()].concat())
    }

    fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.chain
            .iter()
            .cloned()
            .map(CertificateDer::from)
            .collect()
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Identity(…)")
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority(…)")
    }
}

fn signing_key(seed: &[u8; 32]) -> Result<Vec<u8>, IdentityError> {
    let key = SigningKey::from_seed(seed).map_err(|_| IdentityError::NotAKey)?;
    Ok(key.pkcs8().to_vec())
}

fn pair(pkcs8: &[u8]) -> Result<KeyPair, IdentityError> {
    let document = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(
        &document,
        &PKCS_ED25519,
    )?)
}

fn named(name: &str, parameters: CertificateParams) -> CertificateParams {
    let mut parameters = parameters;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = rcgen::date_time_ymd(2000, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(9999, 12, 31);
    parameters
}

fn authority(name: &str, below: u8) -> CertificateParams {
    let mut parameters = named(name, CertificateParams::default());
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

fn leaf(name: &str, purpose: ExtendedKeyUsagePurpose) -> Result<CertificateParams, IdentityError> {
    let mut parameters = named(name, CertificateParams::new([LINK_NAME.to_owned()])?);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![purpose];
    Ok(parameters)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

const fn always() -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(ALWAYS))
}

/// The server's side of the link: it shows its link certificate, and asks for an agent's, which a
/// connection that wants to enrol may lack.
///
/// # Errors
/// A certificate could not be used.
pub fn server_config(link: &Identity, root: &[u8]) -> Result<ServerConfig, IdentityError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec()))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(TimelessClient(verifier)))
        .with_single_cert(link.certificates(), link.private_key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// An agent's side of the link: it trusts the root with this fingerprint, and shows its own
/// certificate if it has one yet.
///
/// # Errors
/// A certificate could not be used.
pub fn client_config(
    root: RootFingerprint,
    own: Option<&Identity>,
) -> Result<ClientConfig, IdentityError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedRoot {
            root,
            provider: provider(),
        }));
    let mut config = match own {
        Some(own) => builder.with_client_auth_cert(own.certificates(), own.private_key())?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// The name with which every connection of the link is opened.
#[must_use]
pub fn server_name() -> ServerName<'static> {
    ServerName::try_from(LINK_NAME).unwrap_or_else(|_| unreachable!("a constant DNS name"))
}

/// The key of the agent that showed this certificate in a handshake.
///
/// # Errors
/// The certificate is not of an Ed25519 key.
pub fn agent_key(certificate: &CertificateDer<'_>) -> Result<AgentKey, IdentityError> {
    let parsed = rustls::server::ParsedCertificate::try_from(certificate)?;
    let info = parsed.subject_public_key_info();
    let key = info
        .as_ref()
        .strip_prefix(&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0]);
    match key.map(<[u8; 32]>::try_from) {
        Some(Ok(key)) => Ok(AgentKey(key)),
        _ => Err(IdentityError::NotAKey),
    }
}

/// Believes a server whose chain ends in the root with this fingerprint.
#[derive(Debug)]
struct PinnedRoot {
    root: RootFingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedRoot {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let root = intermediates
            .iter()
            .find(|certificate| RootFingerprint::of(certificate) == self.root)
            .ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|_| unknown())?
            .verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                always(),
            )
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General(
            "the link speaks TLS 1.3 only".to_owned(),
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Judges agents' certificates without a clock.
#[derive(Debug)]
struct TimelessClient(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for TimelessClient {
    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0
            .verify_client_cert(end_entity, intermediates, always())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
