//! A CA and a server certificate for the relays that are not the real gateway.

use anyhow::Result;
use postern_tunnel_io::tls;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::TlsAcceptor;

/// Where the files of one run lie.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    pub(crate) ca: PathBuf,
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Self {
            ca: directory.join("ca.pem"),
            chain: directory.join("chain.pem"),
            key: directory.join("key.pem"),
        }
    }

    pub(crate) fn make(directory: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate()?;
        let ca = params.self_signed(&ca_key)?;
        let issuer = Issuer::new(params, ca_key);
        let key = KeyPair::generate()?;
        let server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        let server = server.signed_by(&key, &issuer)?;
        let files = Self::in_directory(directory);
        std::fs::write(&files.ca, ca.pem())?;
        std::fs::write(&files.chain, format!("{}{}", server.pem(), ca.pem()))?;
        std::fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }

    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor> {
        let chain = CertificateDer::pem_file_iter(&self.chain)?.collect::<Result<Vec<_>, _>>()?;
        let config = rustls::ServerConfig::builder_with_provider(tls::crypto_provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(&self.key)?)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    pub(crate) fn trust(&self) -> tls::Trust {
        tls::Trust { ca_files: vec![self.ca.clone()], ..tls::Trust::default() }
    }
}
