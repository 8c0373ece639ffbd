//! Certificates that change while people come in.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Authority, Certificates, server_config};
use postern_ids::Timestamp;
use rustls::{ClientConfig, RootCertStore, client::Resumption, pki_types::ServerName, sign::CertifiedKey};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};
use url::Host;

const NAME: &str = "gate.example";

fn issue(authority: &Authority) -> CertifiedKey {
    let now = Timestamp::from_system(SystemTime::now());
    authority.issue(&[Host::Domain(NAME.to_owned())], [9; 16], now).unwrap()
}

/// A server that says everything back, and a client that goes by the authorities that it knows.
struct Pair {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Pair {
    fn new(certificates: &Arc<Certificates>, authorities: &[Authority]) -> Self {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(issue(authority).cert[1].clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        // A resumed session shows the certificate of the first.
        client.resumption = Resumption::disabled();
        let server = server_config(Arc::clone(certificates)).unwrap();
        Self { acceptor: TlsAcceptor::from(server), connector: TlsConnector::from(Arc::new(client)) }
    }

    async fn open(&self) -> TlsStream<DuplexStream> {
        let (near, far) = duplex(16 * 1024);
        let accepted = self.acceptor.accept(far);
        tokio::spawn(async move {
            let (mut from, mut to) = tokio::io::split(accepted.await.unwrap());
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
        self.connector.connect(ServerName::try_from(NAME).unwrap(), near).await.unwrap()
    }
}

async fn says_back(tls: &mut TlsStream<DuplexStream>) {
    tls.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    tls.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_no_handshake_fails_and_no_connection_breaks_while_certificates_are_rotated() {
    let new = || Authority::from_pkcs8(&Authority::generate_key().unwrap()).unwrap();
    let authorities = [new(), new()];
    let certificates = Certificates::new(issue(&authorities[0]));
    let pair = Pair::new(&certificates, &authorities);
    let mut old = pair.open().await;
    says_back(&mut old).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let rotate = {
        let (certificates, is_over) = (Arc::clone(&certificates), Arc::clone(&is_over));
        tokio::task::spawn_blocking(move || {
            let mut rotations = 0;
            while !is_over.load(Ordering::Relaxed) {
                certificates.replace(vec![issue(&authorities[rotations % 2])]);
                rotations += 1;
            }
            rotations
        })
    };
    let mut seen = HashSet::new();
    for _ in 0..300 {
        let mut tls = pair.open().await;
        says_back(&mut tls).await;
        seen.insert(tls.get_ref().1.peer_certificates().unwrap()[0].to_vec());
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(rotate.await.unwrap() > 10 && seen.len() > 10, "{} certificates were seen", seen.len());
    says_back(&mut old).await;
}

#[test]
fn f24_what_connectors_pinned_outlives_every_rotation() {
    let key = Authority::generate_key().unwrap();
    let (before, after) = (Authority::from_pkcs8(&key).unwrap(), Authority::from_pkcs8(&key).unwrap());
    let (one, other) = (issue(&before), issue(&after));
    assert_ne!(one.cert[0], other.cert[0], "another leaf with another key");
    assert_eq!(before.fingerprint(), after.fingerprint(), "under the authority that was pinned");
}
