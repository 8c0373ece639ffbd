//! A gateway that challenges every dialer once and accepts every lane with the metadata it came with.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use postern_tunnel_io::{Event, Link, LinkConfig, accept, tls, upgrade_response};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::HandshakeKind;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    fmt::Write,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::{machine::TryParse, server::Request};

/// A certificate authority of a test.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    spki_sha256: [u8; 32],
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let spki_sha256 = digest(&SHA256, &key.subject_public_key_info()).as_ref().try_into().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem, spki_sha256 }
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn spki_sha256(&self) -> [u8; 32] {
        self.spki_sha256
    }

    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let server =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let chain = [server.pem(), self.pem.clone()]
            .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(tls::crypto_provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.to_vec(), key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    resumed: AtomicUsize,
    links: Mutex<Vec<Link>>,
}

pub(super) struct Server {
    address: SocketAddr,
    is_tls: bool,
    seen: Arc<Seen>,
}

impl Server {
    pub(super) async fn start(authority: Option<&Authority>) -> Self {
        Self::start_as(authority, "127.0.0.1").await
    }

    /// With a certificate for this name.
    pub(super) async fn start_as(authority: Option<&Authority>, name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = authority.map(|authority| authority.acceptor(name));
        let seen = Arc::new(Seen::default());
        let server = Self { address, is_tls: acceptor.is_some(), seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                seen.connections.fetch_add(1, Ordering::Relaxed);
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(tcp, &seen).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(tcp).await {
                                let kind = stream.get_ref().1.handshake_kind();
                                let is_resumed = kind == Some(HandshakeKind::Resumed);
                                seen.resumed.fetch_add(usize::from(is_resumed), Ordering::Relaxed);
                                serve(stream, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}/tunnel/connector", if self.is_tls { "https" } else { "http" }, self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    pub(super) fn resumed(&self) -> usize {
        self.seen.resumed.load(Ordering::Relaxed)
    }

    pub(super) fn go_away(&self) {
        for link in self.seen.links.lock().unwrap().iter() {
            link.go_away(1012, "later");
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(mut stream: S, seen: &Seen) {
    read_head(&mut stream).await;
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Postern-Dial\r\nPostern-Nonce: n0nce\r\n\
                     Postern-Time: 1700000000000000\r\nContent-Length: 7\r\n\r\nsign it";
    stream.write_all(challenge.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.contains("Authorization: Postern-Dial n0nce\r\n"), "{head}");
    let (_, request) = Request::try_parse(head.as_bytes()).unwrap().unwrap();
    let mut answer = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in &upgrade_response(request.headers()).unwrap() {
        write!(answer, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    answer.push_str("\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    let (link, mut incoming) = accept(stream, Bytes::new(), LinkConfig::default());
    seen.links.lock().unwrap().push(link);
    let mut lanes = Vec::new();
    while let Some(event) = incoming.next().await {
        if let Event::Open(lane) = event {
            let metadata = lane.metadata.clone();
            lanes.push(lane.accept(metadata));
        }
    }
}

/// A request's head, up to and with its empty line.
pub(super) async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { break };
        head.push(byte);
    }
    String::from_utf8(head).unwrap()
}
