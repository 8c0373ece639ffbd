//! The certificates that are presented, chosen by the name that is asked for, replaceable while connections come in.

use super::{per_host::PerHost, validity::Validity};
use crate::config::CertificateFiles;
use arc_swap::ArcSwap;
use postern_tunnel_io::tls::crypto_provider;
use rustls::{
    ServerConfig,
    client::verify_server_name,
    crypto::aws_lc_rs::{Ticketer, sign::any_supported_type},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
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

/// The certificates in use; new connections get the newest.
#[derive(Debug)]
pub struct Certificates {
    /// Never empty; the first is for those whose name none covers.
    current: ArcSwap<Vec<Arc<CertifiedKey>>>,
    per_host: Option<PerHost>,
}

impl Certificates {
    /// Begins with `first` for every name.
    pub fn new(first: CertifiedKey) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::from_pointee(vec![Arc::new(first)]), per_host: None })
    }

    /// Begins with `first`; the names of applications get certificates of their own.
    pub fn issuing(first: CertifiedKey, per_host: PerHost) -> Arc<Self> {
        Arc::new(Self { per_host: Some(per_host), ..Self::of(vec![first]) })
    }

    /// Begins with several, of which there has to be one.
    pub fn several(all: Vec<CertifiedKey>) -> Arc<Self> {
        Arc::new(Self::of(all))
    }

    fn of(all: Vec<CertifiedKey>) -> Self {
        Self { current: ArcSwap::from_pointee(all.into_iter().map(Arc::new).collect()), per_host: None }
    }

    /// New connections get one of `next`; those that live keep what they have.
    pub fn replace(&self, next: Vec<CertifiedKey>) {
        self.current.store(Arc::new(next.into_iter().map(Arc::new).collect()));
        if let Some(per_host) = &self.per_host {
            per_host.forget();
        }
    }

    /// The certificates that are chosen from, without those of applications.
    pub fn presented(&self) -> Arc<Vec<Arc<CertifiedKey>>> {
        self.current.load_full()
    }

    /// Says under which hosts applications are published, once: only these get certificates of their own.
    pub fn publish(&self, is_published: impl Fn(&str) -> bool + Send + Sync + 'static) {
        if let Some(per_host) = &self.per_host {
            per_host.publish(Box::new(is_published));
        }
    }

    /// The certificate for somebody who asks for this name.
    pub(super) fn select(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load();
        let Some(name) = name else { return current.first().cloned() };
        let covering = current.iter().find(|certified| covers(certified, name)).cloned();
        let issued = || self.per_host.as_ref()?.certificate(name);
        covering.or_else(issued).or_else(|| current.first().cloned())
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
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.select(hello.server_name())
    }
}

/// When a certificate is good; none if that cannot be read.
pub fn validity(certified: &CertifiedKey) -> Option<Validity> {
    Validity::of(certified.cert.first()?)
}

/// Whether clients take a certificate for this name, wildcards included.
pub fn covers(certified: &CertifiedKey, name: &str) -> bool {
    let Some(leaf) = certified.cert.first() else { return false };
    let (Ok(parsed), Ok(name)) = (ParsedCertificate::try_from(leaf), ServerName::try_from(name)) else {
        return false;
    };
    verify_server_name(&parsed, &name).is_ok()
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

    #[test]
    fn h08_each_name_gets_the_certificate_that_covers_it_and_a_strange_one_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str| {
            let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
            let made = make(name);
            fs::write(&chain, made.0).unwrap();
            fs::write(&key, made.1).unwrap();
            Certificates::read(&CertificateFiles { chain, key }).unwrap()
        };
        let certificates = Certificates::several(vec![
            read("postern.example.com"),
            read("*.apps.example.com"),
            read("wiki.example.org"),
        ]);
        let chosen = |name: Option<&str>| {
            let chosen = certificates.select(name).unwrap();
            certificates.current.load().iter().position(|known| Arc::ptr_eq(known, &chosen)).unwrap()
        };
        for (name, place) in [
            ("postern.example.com", 0),
            ("grafana.apps.example.com", 1),
            ("GRAFANA.apps.example.com", 1),
            ("wiki.example.org", 2),
            ("a.b.apps.example.com", 0),
            ("apps.example.com", 0),
            ("other.example", 0),
        ] {
            assert_eq!(chosen(Some(name)), place, "{name}");
        }
        assert_eq!(chosen(None), 0);
        certificates.replace(vec![read("wiki.example.org")]);
        assert_eq!(chosen(Some("grafana.apps.example.com")), 0);
    }

    fn make(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }
}
