//! Whom a dialing side trusts.

use std::{path::PathBuf, sync::Arc};

/// The roots that a gateway's certificate must lead to.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Trust what the operating system trusts.
    pub system_roots: bool,
    /// Trust the certificates of these PEM files as well.
    pub ca_files: Vec<PathBuf>,
    /// Trust these PEM certificates as well.
    pub ca_pem: Option<String>,
    /// Trust only the CA whose SubjectPublicKeyInfo has this SHA-256, wherever it stands in the presented chain.
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
        source: rustls_pki_types::pem::Error,
    },
    /// A CA certificate in PEM text cannot be read.
    #[error("the CA certificate is no PEM certificate")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// Nothing to trust was named.
    #[error("no certificate authority is trusted: give system roots, a CA file or a CA fingerprint")]
    Nobody,
    /// The TLS library refuses the configuration.
    #[error("the TLS configuration is not usable")]
    Config(#[source] rustls::Error),
    /// The TLS library refuses the roots.
    #[error("the trusted certificates are not usable")]
    Roots(#[source] rustls::client::VerifierBuilderError),
}

#[expect(clippy::todo, reason = "signatures ahead of the driver")]
impl Trust {
    /// A client configuration that trusts accordingly and offers these ALPN protocols.
    pub fn client_config(&self, _alpn: &[&[u8]]) -> Result<Arc<rustls::ClientConfig>, TlsError> {
        todo!()
    }
}
