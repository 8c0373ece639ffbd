//! The certificate that is presented, replaceable while connections come in.

use crate::config::CertificateFiles;
use arc_swap::ArcSwap;
use postern_tunnel_io::tls::crypto_provider;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::{Ticketer, sign::any_supported_type},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{path::PathBuf, sync::Arc};

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read as PEM.
    #[error("{path}: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// The chain is empty.
    #[error("{path} holds no certificate")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Key and certificate do not belong together, or the TLS library does not take them.
    #[error("the certificate and its key cannot be used")]
    Rejected(#[source] rustls::Error),
}

/// The certificate in use; new connections get the newest.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<CertifiedKey>,
}

impl Certificates {
    /// Begins with `first`.
    pub fn new(first: CertifiedKey) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::from_pointee(first) })
    }

    /// New connections get `next`; those that live keep what they have.
    pub fn replace(&self, next: CertifiedKey) {
        self.current.store(Arc::new(next));
    }

    /// Reads a certificate from files.
    pub fn read(files: &CertificateFiles) -> Result<CertifiedKey, CertificateError> {
        let pem = |path: &PathBuf| {
            let path = path.clone();
            move |source| CertificateError::Pem { path, source }
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.chain)
            .and_then(Iterator::collect)
            .map_err(pem(&files.chain))?;
        if chain.is_empty() {
            return Err(CertificateError::Empty { path: files.chain.clone() });
        }
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
        let key = any_supported_type(&key).map_err(CertificateError::Rejected)?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(CertificateError::Rejected)?;
        Ok(certified)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// TLS 1.2 and 1.3 with session tickets; HTTP/2 and HTTP/1.1 by ALPN.
pub fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Ticketer::new()?;
    Ok(Arc::new(config))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (make("a.example"), make("b.example"));
        let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
        fs::write(&chain, &one.0).unwrap();
        fs::write(&key, &other.1).unwrap();
        let files = CertificateFiles { chain, key };
        assert!(matches!(Certificates::read(&files), Err(CertificateError::Rejected(_))));
        fs::write(&files.key, &one.1).unwrap();
        Certificates::read(&files).unwrap();
        fs::write(&files.chain, "").unwrap();
        assert!(Certificates::read(&files).is_err());
    }

    fn make(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }
}
