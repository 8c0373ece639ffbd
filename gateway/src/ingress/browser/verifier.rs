//! How the certificates of `https` applications are checked.

use postern_policy::model::{UpstreamProtocol, UpstreamTls};
use postern_tunnel_io::tls::{TlsError, Trust, crypto_provider};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Configurations kept; one for each way of checking that resources ask for.
const KEPT_MAX: usize = 256;

type Way = (Option<Arc<str>>, bool, UpstreamProtocol);

/// The configurations that were made, so that TLS sessions are resumed.
#[derive(Debug, Default)]
pub(super) struct Verifiers(Mutex<HashMap<Way, Arc<ClientConfig>>>);

impl Verifiers {
    /// The configuration for this way of checking.
    pub(super) fn get(
        &self,
        tls: &UpstreamTls,
        protocol: UpstreamProtocol,
    ) -> Result<Arc<ClientConfig>, TlsError> {
        let way = (tls.ca.clone(), tls.insecure, protocol);
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&way) {
            return Ok(Arc::clone(known));
        }
        let made = make(tls, protocol)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(way, Arc::clone(&made));
        Ok(made)
    }
}

fn make(tls: &UpstreamTls, protocol: UpstreamProtocol) -> Result<Arc<ClientConfig>, TlsError> {
    let alpn: &[u8] = match protocol {
        UpstreamProtocol::Http1 => b"http/1.1",
        UpstreamProtocol::Http2 => b"h2",
    };
    if tls.insecure {
        return unchecked(alpn);
    }
    let ca_pem = tls.ca.as_deref().map(ToOwned::to_owned);
    let trust = Trust { system_roots: ca_pem.is_none(), ca_pem, ..Trust::default() };
    trust.client_config(&[alpn])
}

fn unchecked(alpn: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = crypto_provider();
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unchecked(schemes)))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(Arc::new(config))
}

/// Believes everybody, for a resource whose administrator said so.
#[derive(Debug)]
struct Unchecked(Vec<SignatureScheme>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
