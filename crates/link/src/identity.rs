//! By which certificates a store and its agents know each other.
//!
//! A root signs one issuing key; that one signs the server's link key, the key of the store's log,
//! and each agent's key. Each certificate says what it is for, and is good for nothing else. Agents
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
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};
use webpki::KeyUsage;

use crate::acknowledgement::SigningKey;
use crate::chain::{self, IssuingNumber, NotVouchedFor};
use crate::join_token::RootFingerprint;
use crate::log_key;

/// How a connection of the link is told from a browser's on the same port.
pub const ALPN: &[u8] = b"offgate-door/1";

/// The name in the server's link certificate, whatever its address.
const LINK_NAME: &str = "link.offgate.internal";

/// The names in the certificates of the two that sign others.
const ROOT_NAME: &str = "Offgate root";
const ISSUING_NAME: &str = "Offgate issuing";

/// An Ed25519 SubjectPublicKeyInfo is this prefix and the key (RFC 8410, section 4).
const ED25519_INFO: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

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

/// The keys of a store at its beginning: the root, the issuing key below it, and the server's link
/// key and the log's key below that. Later the root is put away, and those below it may be
/// replaced one by one.
pub struct Authority {
    /// Signs issuing keys, and nothing else.
    pub root: Identity,
    /// Signs link keys, log keys and agents' keys.
    pub issuing: Identity,
    /// With which the server speaks to agents.
    pub link: Identity,
    /// With which the server signs the store's log.
    pub log: Identity,
}

impl Authority {
    /// Makes the keys of a new store from four seeds.
    ///
    /// # Errors
    /// A certificate could not be made.
    pub fn create(seeds: [[u8; 32]; 4], number: IssuingNumber) -> Result<Self, IdentityError> {
        let [root, issuing, link, log] = seeds;
        let root = Identity::root(&root)?;
        let issuing = root.issuing_key(&issuing, number)?;
        Ok(Self {
            link: issuing.link_key(&link)?,
            log: issuing.log_key(&log)?,
            root,
            issuing,
        })
    }

    /// By what agents know this store.
    #[must_use]
    pub fn fingerprint(&self) -> RootFingerprint {
        self.root.fingerprint()
    }
}

impl Identity {
    /// A root, which vouches for itself.
    ///
    /// # Errors
    /// Here and below: a certificate could not be made.
    pub fn root(seed: &[u8; 32]) -> Result<Self, IdentityError> {
        let key = signing_key(seed)?;
        let certificate = authority(ROOT_NAME, 1).self_signed(&pair(&key)?)?;
        Ok(Self {
            key,
            chain: vec![certificate.der().to_vec()],
        })
    }

    /// The key made from this seed, with a chain that was made for it before, its own certificate
    /// first.
    ///
    /// # Errors
    /// Never for 32 bytes; the library that makes it says so by a value.
    pub fn known(seed: &[u8; 32], chain: Vec<Vec<u8>>) -> Result<Self, IdentityError> {
        let key = signing_key(seed)?;
        Ok(Self { key, chain })
    }

    /// By what the last certificate of the chain, the root's, is known.
    #[must_use]
    pub fn fingerprint(&self) -> RootFingerprint {
        RootFingerprint::of(self.chain.last().map_or(&[][..], Vec::as_slice))
    }

    /// Vouches for an issuing key made from this seed. Called on the root.
    ///
    /// # Errors
    /// As for [`Self::root`].
    pub fn issuing_key(
        &self,
        seed: &[u8; 32],
        number: IssuingNumber,
    ) -> Result<Self, IdentityError> {
        let mut parameters = authority(ISSUING_NAME, 0);
        parameters.serial_number = Some(number.0.into());
        self.below(ROOT_NAME, 1, seed, &parameters)
    }

    /// Vouches for a key with which the server speaks to agents, made from this seed. Called on
    /// the issuing identity.
    ///
    /// # Errors
    /// As for [`Self::root`].
    pub fn link_key(&self, seed: &[u8; 32]) -> Result<Self, IdentityError> {
        let parameters = leaf(LINK_NAME, LINK_NAME, ExtendedKeyUsagePurpose::ServerAuth)?;
        self.below(ISSUING_NAME, 0, seed, &parameters)
    }

    /// Vouches for an agent's key. Called on the issuing identity.
    ///
    /// # Errors
    /// A certificate could not be made.
    pub fn vouch(&self, agent: AgentId, key: &AgentKey) -> Result<Vec<Vec<u8>>, IdentityError> {
        let issuer = Issuer::new(authority(ISSUING_NAME, 0), pair(&self.key)?);
        let info = SubjectPublicKeyInfo::from_der(&[&ED25519_INFO[..], &key.0].concat())?;
        let certificate = leaf(
            &agent.to_string(),
            LINK_NAME,
            ExtendedKeyUsagePurpose::ClientAuth,
        )?
        .signed_by(&info, &issuer)?;
        Ok([vec![certificate.der().to_vec()], self.chain.clone()].concat())
    }

    /// Vouches for a key that signs the store's log, made from this seed. Called on the issuing
    /// identity.
    ///
    /// # Errors
    /// As for [`Self::root`].
    pub fn log_key(&self, seed: &[u8; 32]) -> Result<Self, IdentityError> {
        let purpose = ExtendedKeyUsagePurpose::Other(log_key::PURPOSE.to_vec());
        self.below(
            ISSUING_NAME,
            0,
            seed,
            &leaf(log_key::NAME, log_key::NAME, purpose)?,
        )
    }

    fn below(
        &self,
        own_name: &str,
        depth: u8,
        seed: &[u8; 32],
        parameters: &CertificateParams,
    ) -> Result<Self, IdentityError> {
        let key = signing_key(seed)?;
        let issuer = Issuer::new(authority(own_name, depth), pair(&self.key)?);
        let certificate = parameters.signed_by(&pair(&key)?, &issuer)?;
        Ok(Self {
            key,
            chain: [vec![certificate.der().to_vec()], self.chain.clone()].concat(),
        })
    }

    /// Signs bytes. What they are for is part of them, so that no signature can be shown for
    /// something else.
    ///
    /// # Errors
    /// The key is none.
    pub fn sign(&self, statement: &[u8]) -> Result<[u8; 64], IdentityError> {
        let key = SigningKey::from_pkcs8(self.key.clone()).map_err(|_| IdentityError::NotAKey)?;
        Ok(key.sign(statement))
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

/// The key of the agent to whom a chain (its own certificate first) belongs, below the root with
/// this fingerprint.
///
/// # Errors
/// The chain shows nothing of the kind.
pub fn agent_key_below<C: AsRef<[u8]>>(
    chain: &[C],
    root: RootFingerprint,
) -> Result<AgentKey, NotVouchedFor> {
    let certificates: Vec<CertificateDer<'_>> = chain
        .iter()
        .map(|certificate| CertificateDer::from(certificate.as_ref()))
        .collect();
    let (own, above) = certificates
        .split_first()
        .ok_or(NotVouchedFor::AnotherRoot)?;
    let usage = KeyUsage::client_auth();
    let shown = chain::follow(own, above, root, usage, &server_name())?;
    Ok(AgentKey(shown.key))
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

fn leaf(
    name: &str,
    host: &str,
    purpose: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, IdentityError> {
    let mut parameters = named(name, CertificateParams::new([host.to_owned()])?);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![purpose];
    Ok(parameters)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub(crate) const fn always() -> UnixTime {
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

/// An agent's side of the link: it trusts the root with this fingerprint below which it has seen
/// issuing keys up to this number, and shows its own certificate if it has one yet.
///
/// # Errors
/// A certificate could not be used.
pub fn client_config(
    root: RootFingerprint,
    seen: IssuingNumber,
    own: Option<&Identity>,
) -> Result<ClientConfig, IdentityError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedRoot {
            root,
            seen,
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
    public_key(parsed.subject_public_key_info().as_ref())
        .map(AgentKey)
        .ok_or(IdentityError::NotAKey)
}

/// The Ed25519 key in a SubjectPublicKeyInfo, if it is one (RFC 8410, section 4).
pub(crate) fn public_key(info: &[u8]) -> Option<[u8; 32]> {
    info.strip_prefix(&ED25519_INFO)?.try_into().ok()
}

/// Which issuing key vouches for a server whose chain leads to this root.
///
/// # Errors
/// The chain is none that [`client_config`] would have believed.
pub fn issued_under(
    chain: &[CertificateDer<'_>],
    root: RootFingerprint,
) -> Result<IssuingNumber, NotVouchedFor> {
    let (own, above) = chain.split_first().ok_or(NotVouchedFor::AnotherRoot)?;
    let usage = KeyUsage::server_auth();
    Ok(chain::follow(own, above, root, usage, &server_name())?.issued_under)
}

/// Believes a server whose chain ends in the root with this fingerprint, unless it is vouched for
/// by an issuing key that was replaced by one seen before.
#[derive(Debug)]
struct PinnedRoot {
    root: RootFingerprint,
    seen: IssuingNumber,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedRoot {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let usage = KeyUsage::server_auth();
        let believed = chain::follow(end_entity, intermediates, self.root, usage, server_name);
        match believed {
            Ok(shown) if shown.issued_under >= self.seen => Ok(ServerCertVerified::assertion()),
            Ok(_) => Err(rustls::CertificateError::Revoked.into()),
            Err(_) => Err(rustls::CertificateError::UnknownIssuer.into()),
        }
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
