#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cut_short;
mod http2;

use super::*;
use crate::tls::{Authority, Certificates, server_config};
use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use rustls::pki_types::ServerName;
use std::num::NonZeroU32;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

#[derive(Clone, Default)]
struct Hello {
    /// Told when an answer without end was given up.
    given_up: Arc<Notify>,
    /// Breaks off the answer that listens to it.
    word: Arc<Notify>,
}

struct Given(Arc<Notify>);

impl Drop for Given {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Hello {
    fn endless(&self) -> Response<Body> {
        let given = Given(Arc::clone(&self.given_up));
        Response::new(Body::from_stream(futures_util::stream::repeat_with(move || {
            let Given(_) = &given;
            Ok::<_, std::convert::Infallible>(Bytes::from_static(&[0; 100_000]))
        })))
    }
}

impl Handler for Hello {
    async fn handle(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        if request.uri().path() == "/hold" {
            std::future::pending::<()>().await;
        }
        if request.uri().path() == "/endless" {
            return self.endless();
        }
        if request.uri().path() == "/until-a-word" {
            return cut_short::until_a_word(self);
        }
        let mut response = Response::new(Body::from(client.address.to_string()));
        *response.status_mut() = StatusCode::OK;
        response
    }

    fn refuse(&self, refused: postern_canonical::Refused) -> Response<Body> {
        let mut response = Response::new(Body::from(refused.label()));
        *response.status_mut() = StatusCode::from_u16(refused.status()).unwrap();
        response
    }
}

struct Fixture {
    address: SocketAddr,
    connector: TlsConnector,
    lifecycle: Lifecycle,
    mode: Arc<ArcSwap<Mode>>,
    hello: Hello,
}

fn limits(per_ip: u32) -> Arc<ConnectionLimits> {
    let n = |value| NonZeroU32::new(value).unwrap();
    ConnectionLimits::new(&crate::config::Limits {
        connections: n(1_000),
        connections_per_ip: n(per_ip),
        connection_rate_per_ip: n(1_000),
        connection_burst_per_ip: n(1_000),
        sessions_per_principal: n(1),
        opens_per_second: n(1),
        opens_burst: n(1),
        drain: Duration::ZERO,
    })
}

fn start(mode: Mode, per_ip: u32) -> Fixture {
    let short = Duration::from_millis(150);
    start_with(mode, per_ip, Deadlines { proxy_header: short, tls: short, headers: short, stall: short })
}

fn start_with(mode: Mode, per_ip: u32, deadlines: Deadlines) -> Fixture {
    let authority = Authority::from_pkcs8(&Authority::generate_key().unwrap()).unwrap();
    let now = postern_ids::Timestamp::from_system(std::time::SystemTime::now());
    let leaf = authority.issue(&[url::Host::Domain("gate.test".to_owned())], [1; 16], now).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(leaf.cert[1].clone()).unwrap();
    let client =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let mode = Arc::new(ArcSwap::from_pointee(mode));
    let door = Door {
        mode: Arc::clone(&mode),
        tls: server_config(Certificates::new(leaf)).unwrap(),
        deadlines,
        limits: limits(per_ip),
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, lifecycle) = (listener.local, Lifecycle::new());
    let hello = Hello::default();
    lifecycle.spawn(listener.run(door, hello.clone(), lifecycle.clone()));
    Fixture { address, connector: TlsConnector::from(Arc::new(client)), lifecycle, mode, hello }
}

async fn get(io: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), extra: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: gate.test\r\nConnection: close\r\n{extra}\r\n");
    io.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = io.read_to_string(&mut answer).await;
    answer
}

impl Fixture {
    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn get(&self) -> io::Result<String> {
        let name = ServerName::try_from("gate.test").unwrap();
        let mut tls = self.connector.connect(name, self.tcp().await).await?;
        Ok(get(&mut tls, "").await)
    }

    async fn h2(&self) -> TlsStream<TcpStream> {
        let mut config = self.connector.config().as_ref().clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("gate.test").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await).await.unwrap()
    }
}

/// Waits until the other side closed the connection; the test's own time limit is the harness's.
async fn closed(io: impl AsyncReadExt + Unpin) {
    rest(io).await;
}

/// What the other side still says before it closes the connection.
async fn rest(mut io: impl AsyncReadExt + Unpin) -> String {
    let mut rest = Vec::new();
    let _ = io.read_to_end(&mut rest).await;
    String::from_utf8_lossy(&rest).into_owned()
}

#[tokio::test]
async fn h16_stalled_peers_are_closed_and_delay_nobody() {
    let fixture = start(Mode::Tls, 100);
    let stalled_in_tls = fixture.tcp().await;
    let name = ServerName::try_from("gate.test").unwrap();
    let mut stalled_in_head = fixture.connector.connect(name, fixture.tcp().await).await.unwrap();
    stalled_in_head.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    assert!(fixture.get().await.unwrap().ends_with("127.0.0.1"));
    closed(stalled_in_tls).await;
    let told = rest(stalled_in_head).await;
    assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("connection: close"), "{told}");
}

#[tokio::test]
async fn h16_who_owes_a_request_is_told_408_and_who_owes_none_is_closed_in_silence() {
    let fixture = start(Mode::HttpBehindProxy(vec!["127.0.0.0/8".parse().unwrap()]), 100);
    assert!(rest(fixture.tcp().await).await.starts_with("HTTP/1.1 408 "), "it never began");
    let request = b"GET / HTTP/1.1\r\nHost: gate.test\r\n\r\n";
    let mut idle = fixture.tcp().await;
    idle.write_all(request).await.unwrap();
    let told = rest(idle).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.ends_with("127.0.0.1"), "{told}");
    let mut stalled_in_the_second = fixture.tcp().await;
    stalled_in_the_second.write_all(request).await.unwrap();
    let mut answer = vec![0; told.len()];
    stalled_in_the_second.read_exact(&mut answer).await.unwrap();
    stalled_in_the_second.write_all(b"GET / HT").await.unwrap();
    assert!(rest(stalled_in_the_second).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn t18_a_head_that_drips_is_given_up_however_steadily_it_comes() {
    let fixture = start(Mode::HttpBehindProxy(vec!["127.0.0.0/8".parse().unwrap()]), 100);
    let (mut heard, mut said) = fixture.tcp().await.into_split();
    let drip = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        said.write_all(b"GET /tunnel/client HTTP/1.1\r\nX: ").await.unwrap();
        while said.write_all(b"a").await.is_ok() {
            ticks.tick().await;
        }
    };
    let mut told = Vec::new();
    tokio::select! {
        () = drip => {}
        read = heard.read_to_end(&mut told) => { let _ = read; }
    }
    assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&told));
}

#[test]
fn h15_h16_nobody_waits_longer_than_is_promised() {
    let Deadlines { proxy_header, tls, headers, stall } = Deadlines::default();
    let ten = Duration::from_secs(10);
    assert!(proxy_header <= ten && tls <= ten && headers <= ten && stall <= Duration::from_secs(60));
}

#[test]
fn h08_a_connection_is_for_the_host_that_its_handshake_named() {
    let ticket = || limits(1).enter("192.0.2.1".parse().unwrap(), Instant::now()).unwrap();
    let is_misdirected = |sni: Option<&str>, host: &str| {
        let address = "192.0.2.1".parse().unwrap();
        let client = Client { address, sni: sni.map(Into::into), ticket: Arc::new(ticket()) };
        client.is_misdirected(&host.parse().unwrap())
    };
    assert!(!is_misdirected(Some("a.example"), "A.example:8443"));
    assert!(is_misdirected(Some("a.example"), "b.example"));
    assert!(is_misdirected(Some("a.example"), "192.0.2.9"));
    assert!(is_misdirected(Some(""), "a.example"), "every client that knows a name says it");
    assert!(!is_misdirected(Some(""), "192.0.2.9") && !is_misdirected(Some(""), "[2001:db8::1]:443"));
    assert!(!is_misdirected(None, "a.example"), "the TLS of a proxy in front");
}

#[tokio::test]
async fn r02_a_connection_above_the_limit_is_closed_at_once_and_its_place_comes_back() {
    let fixture = start(Mode::Tls, 1);
    let held = fixture.tcp().await;
    closed(fixture.tcp().await).await;
    closed(held).await;
    // The place is given back by the task that just ended; asking again is how a client would find out.
    while fixture.get().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stopped_listener_accepts_nobody() {
    let fixture = start(Mode::Tls, 100);
    fixture.lifecycle.stop();
    assert!(fixture.lifecycle.kill(Duration::from_secs(5)).await);
    assert!(TcpStream::connect(fixture.address).await.is_err());
}

#[tokio::test]
async fn behind_a_proxy_the_client_is_whom_the_trusted_proxy_names() {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let fixture = start(Mode::HttpBehindProxy(proxies.clone()), 100);
    let answer = get(&mut fixture.tcp().await, "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n").await;
    assert!(answer.ends_with("192.0.2.7"), "{answer}");

    let fixture = start(Mode::TlsProxyV2(proxies), 100);
    let mut tcp = fixture.tcp().await;
    tcp.write_all(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\x10\x00\x01\xbb")
        .await
        .unwrap();
    let mut tls = fixture.connector.connect(ServerName::try_from("gate.test").unwrap(), tcp).await.unwrap();
    assert!(get(&mut tls, "").await.ends_with("192.0.2.7"));
}

#[tokio::test]
async fn r02_a_client_above_its_limit_behind_a_proxy_is_told_when_to_come_back() {
    let fixture = start(Mode::HttpBehindProxy(vec!["127.0.0.0/8".parse().unwrap()]), 1);
    let mut holder = fixture.tcp().await;
    holder
        .write_all(b"GET /hold HTTP/1.1\r\nHost: gate.test\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
        .await
        .unwrap();
    loop {
        let answer = get(&mut fixture.tcp().await, "X-Forwarded-For: 192.0.2.7\r\n").await;
        if answer.contains("429") {
            assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
            break;
        }
    }
    assert!(get(&mut fixture.tcp().await, "X-Forwarded-For: 192.0.2.8\r\n").await.contains("200"));
}

#[tokio::test]
async fn a_peer_that_is_no_trusted_proxy_is_closed_until_it_is_one() {
    let fixture = start(Mode::HttpBehindProxy(vec!["192.0.2.0/24".parse().unwrap()]), 100);
    closed(fixture.tcp().await).await;
    fixture.mode.store(Arc::new(Mode::HttpBehindProxy(vec!["127.0.0.0/8".parse().unwrap()])));
    let answer = get(&mut fixture.tcp().await, "X-Forwarded-For: 192.0.2.7\r\n").await;
    assert!(answer.ends_with("192.0.2.7"), "{answer}");
}
