//! Whom a dialing side trusts, and the cryptography that both sides use.

use crate::proven::Proven;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        VerifierBuilderError, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs as provider, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{
    CertificateDer, ServerName, UnixTime,
    pem::{self, PemObject},
};
use rustls_platform_verifier::Verifier;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// The roots that a gateway's certificate must lead to.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Trust what the operating system trusts.
    pub system_roots: bool,
    /// Trust the certificates of these PEM files as well.
    pub ca_files: Vec<PathBuf>,
    /// Trust these PEM certificates as well.
    pub ca_pem: Option<String>,
    /// Trust only the CA whose SubjectPublicKeyInfo has this SHA-256; it must stand in the presented chain. Given
    /// this, the other fields mean nothing.
    pub ca_sha256: Option<[u8; 32]>,
}

/// Why a TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A CA file cannot be read.
    #[error("CA file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// A CA certificate in PEM text cannot be read.
    #[error("the CA certificate is no PEM certificate")]
    Pem(#[source] pem::Error),
    /// Nothing to trust was named.
    #[error("no certificate authority is trusted: give system roots, a CA file or a CA fingerprint")]
    Nobody,
    /// The TLS library refuses the configuration.
    #[error("the TLS configuration is not usable")]
    Config(#[source] rustls::Error),
    /// The TLS library refuses the roots.
    #[error("the trusted certificates are not usable")]
    Roots(#[source] VerifierBuilderError),
}

impl Trust {
    /// Trusts what the operating system trusts.
    pub fn system() -> Self {
        Self { system_roots: true, ..Self::default() }
    }

    /// Trusts one CA by the SHA-256 of its SubjectPublicKeyInfo.
    pub fn pinned(ca_sha256: [u8; 32]) -> Self {
        Self { ca_sha256: Some(ca_sha256), ..Self::default() }
    }

    /// A client configuration that trusts accordingly and offers these ALPN protocols.
    pub fn client_config(&self, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = crypto_provider();
        let verifier = self.verifier(&provider)?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        if let Some(ca_sha256) = self.ca_sha256 {
            return Ok(Arc::new(Pinned { ca_sha256, provider: Arc::clone(provider) }));
        }
        let extra = self.extra_roots()?;
        if self.system_roots {
            let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(provider));
            return Ok(Arc::new(verifier.map_err(TlsError::Config)?));
        }
        if extra.is_empty() {
            return Err(TlsError::Nobody);
        }
        let mut roots = RootCertStore::empty();
        for root in extra {
            roots.add(root).map_err(TlsError::Config)?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        Ok(verifier.map_err(TlsError::Roots)?)
    }

    fn extra_roots(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let mut roots = Vec::new();
        for path in &self.ca_files {
            roots
                .extend(read_pem_file(path).map_err(|source| TlsError::Read { path: path.clone(), source })?);
        }
        if let Some(text) = &self.ca_pem {
            let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
            roots.extend(parsed.map_err(TlsError::Pem)?);
        }
        Ok(roots)
    }
}

/// A trust made usable once: what is dialed with it again resumes the TLS session of an earlier connection, which spares
/// both sides most of the handshake, and a host whose name leads nowhere is looked for where it proved itself last. Clones
/// share all of it.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    trust: Trust,
    config: OnceLock<Arc<ClientConfig>>,
    proven: Proven,
}

impl From<Trust> for Client {
    fn from(trust: Trust) -> Self {
        Self(Arc::new(Shared { trust, config: OnceLock::new(), proven: Proven::default() }))
    }
}

impl Client {
    pub(crate) fn proven(&self) -> &Proven {
        &self.0.proven
    }

    /// The configuration, made at the first call that succeeds: a CA file that was wrong may be put right meanwhile.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let Shared { trust, config, .. } = &*self.0;
        match config.get() {
            Some(config) => Ok(Arc::clone(config)),
            None => {
                let made = trust.client_config(&[b"http/1.1"])?;
                Ok(Arc::clone(config.get_or_init(|| made)))
            }
        }
    }
}

fn read_pem_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let roots: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    if roots.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(roots) }
}

/// aws-lc-rs with the cheapest good suite of this machine first: AES-128-GCM where the processor has AES
/// instructions, ChaCha20 elsewhere. Both sides of a link use it.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    let mut crypto = provider::default_provider();
    let first = if has_aes_instructions() {
        provider::cipher_suite::TLS13_AES_128_GCM_SHA256
    } else {
        provider::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256
    };
    crypto.cipher_suites.sort_by_key(|suite| suite.suite() != first.suite());
    Arc::new(crypto)
}

/// Bytes that TLS may hold encrypted and unsent: one message, so that it goes out with one system call.
const UNSENT_MAX: usize = 80 * 1024;

/// Prepares the TLS of an established connection for a link.
pub fn tune<Data>(connection: &mut rustls::ConnectionCommon<Data>) {
    connection.set_buffer_limit(Some(UNSENT_MAX));
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_aes_instructions() -> bool {
    std::is_x86_feature_detected!("aes")
}

#[cfg(target_arch = "aarch64")]
fn has_aes_instructions() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes_instructions() -> bool {
    false
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo, which [`Trust::ca_sha256`] is compared with. `None` when this
/// is no certificate.
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    digest(&SHA256, parsed.subject_public_key_info().as_ref()).as_ref().try_into().ok()
}

/// Finds the pinned CA in the presented chain and verifies with it as the only root. The chain is the peer's claim;
/// the pin makes one certificate of it a root, and signatures, names and times are checked as ever.
#[derive(Debug)]
struct Pinned {
    ca_sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let ca = intermediates
            .iter()
            .find(|certificate| spki_sha256(certificate) == Some(self.ca_sha256))
            .ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|e| rustls::Error::General(e.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
