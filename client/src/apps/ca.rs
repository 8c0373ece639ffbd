//! The authority that curl has to trust, as a file: curl knows nothing of a profile.

use crate::{
    failure::{Failure, chain},
    home::{Home, Profile},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use postern_private_file as private_file;
use postern_tunnel_io::{Proxy, connect_tcp, tls::spki_sha256};
use rustls_pki_types::{CertificateDer, ServerName};
use std::{path::PathBuf, time::Duration};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const FILE: &str = "gateway-ca.pem";
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// The file with the gateway's own authority; none where the system's authorities are trusted.
pub(super) async fn file(home: &Home, profile: &Profile) -> Result<Option<PathBuf>, Failure> {
    let pem = match (&profile.ca_pem, profile.trust().ca_sha256) {
        (Some(pem), _) => pem.clone(),
        (None, Some(pin)) => pem(&pinned(profile, pin, &Proxy::from_env()).await?),
        (None, None) => return Ok(None),
    };
    let path = home.file(FILE);
    private_file::write(&path, pem.as_bytes())?;
    Ok(Some(path))
}

/// The authority that a fingerprint names: it stands in what the gateway presents.
///
/// It is asked for on the way that curl takes, and every other part of this command: through the proxy, where there is one.
async fn pinned(profile: &Profile, pin: [u8; 32], proxy: &Proxy) -> Result<CertificateDer<'static>, Failure> {
    let unreachable = |e: String| Failure::unavailable(format!("{} cannot be reached: {e}", profile.gateway));
    let config = profile.trust().client_config(&[b"http/1.1"]).map_err(|e| Failure::usage(chain(&e)))?;
    let host = profile.gateway.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = profile.gateway.port_or_known_default().unwrap_or(443);
    let name = ServerName::try_from(host.to_owned()).map_err(|e| Failure::usage(e.to_string()))?;
    let stream = connect_tcp(host, port, proxy).await.map_err(|e| unreachable(chain(&e)))?;
    let connected = timeout(HANDSHAKE_MAX, TlsConnector::from(config).connect(name, stream)).await;
    let connected = connected.map_err(|e| unreachable(e.to_string()))?;
    let connection = connected.map_err(|e| unreachable(chain(&e)))?;
    let presented = connection.get_ref().1.peer_certificates().unwrap_or_default();
    let authority = presented.iter().find(|certificate| spki_sha256(certificate) == Some(pin));
    let missing = || unreachable("it does not present its own authority".to_owned());
    authority.map(|certificate| certificate.clone().into_owned()).ok_or_else(missing)
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = STANDARD.encode(certificate);
    let lines: Vec<&str> =
        (0..encoded.len()).step_by(64).filter_map(|at| encoded.get(at..encoded.len().min(at + 64))).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    #[tokio::test]
    async fn the_pinned_authority_is_asked_for_through_the_proxy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap();
        let profile = Profile::new("https://gateway.invalid:8443", Some("ab".repeat(32)), None).unwrap();
        let asked = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 1024];
            let length = stream.read(&mut head).await.unwrap();
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(head.get(..length).unwrap()).into_owned()
        };
        let proxy = Proxy::new(Some(&place.to_string()), None);
        let (failed, asked) = tokio::join!(pinned(&profile, [0xab; 32], &proxy), asked);
        assert!(asked.starts_with("CONNECT gateway.invalid:8443 HTTP/1.1\r\n"), "{asked}");
        let failed = failed.unwrap_err();
        assert!(failed.sentence.contains("502"), "{failed}");
        // An exception is honored: nobody resolves this name.
        let excepted = Proxy::new(Some(&place.to_string()), Some("gateway.invalid"));
        let failed = pinned(&profile, [0xab; 32], &excepted).await.unwrap_err();
        assert!(failed.sentence.contains("resolved"), "{failed}");
    }
}
