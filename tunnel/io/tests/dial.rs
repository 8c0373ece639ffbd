//! Dialing over real loopback connections: TLS, trust, the challenge, refusals, a proxy, and gateways that misbehave.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod server;

use http::HeaderValue;
use postern_tunnel_io::{
    Challenge, Credentials, Dial, DialError, Event, LinkConfig, Open, Proxy, dial,
    tls::{Client, Trust, spki_sha256},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use server::{Authority, Server, read_head};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// Signs challenges by echoing them, and remembers what it was asked.
#[derive(Default)]
struct Echo {
    asked: Vec<Option<Challenge>>,
}

impl Credentials for Echo {
    fn authorization(&mut self, challenge: Option<&Challenge>) -> Option<HeaderValue> {
        self.asked.push(challenge.cloned());
        challenge.map(|challenge| HeaderValue::try_from(format!("Postern-Dial {}", challenge.nonce)).unwrap())
    }
}

async fn dial_with(url: &str, trust: impl Into<Client>, proxy: Proxy) -> (Result<(), DialError>, Echo) {
    let mut credentials = Echo::default();
    let url = Url::parse(url).unwrap();
    let dialed = dial(Dial {
        url,
        tls: trust.into(),
        proxy,
        credentials: &mut credentials,
        config: LinkConfig::default(),
    })
    .await;
    let outcome = match dialed {
        Ok((link, _incoming)) => {
            let opened = link.open(Open { metadata: "hello".into(), ..Open::default() }).await.unwrap();
            assert_eq!(opened.metadata, "hello");
            Ok(())
        }
        Err(error) => Err(error),
    };
    (outcome, credentials)
}

async fn dial_plain(address: std::net::SocketAddr) -> Result<(), DialError> {
    dial_with(&format!("http://{address}/tunnel/client"), Trust::default(), Proxy::direct()).await.0
}

#[tokio::test]
async fn a_pinned_authority_is_found_in_the_chain_and_the_challenge_is_answered_on_the_same_connection() {
    let authority = Authority::new();
    let server = Server::start(Some(&authority)).await;
    let trust = Trust::pinned(authority.spki_sha256());
    let (outcome, credentials) = dial_with(&server.url(), trust, Proxy::direct()).await;
    outcome.unwrap();
    let challenge = Challenge { nonce: "n0nce".to_owned(), gateway_time: Some(1_700_000_000_000_000) };
    assert_eq!(credentials.asked, [None, Some(challenge)]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_ca_file_and_ca_text_are_trusted_and_nobody_else_is() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Server::start(Some(&authority)).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let by_file = Trust { ca_files: vec![file.path().to_path_buf()], ..Trust::default() };
    dial_with(&server.url(), by_file, Proxy::direct()).await.0.unwrap();
    let by_text = Trust { ca_pem: Some(authority.pem().to_owned()), ..Trust::default() };
    dial_with(&server.url(), by_text, Proxy::direct()).await.0.unwrap();
    for trust in [
        Trust::pinned(stranger.spki_sha256()),
        Trust { ca_pem: Some(stranger.pem().to_owned()), ..Trust::default() },
        Trust::system(),
    ] {
        let refused = dial_with(&server.url(), trust, Proxy::direct()).await.0;
        assert!(matches!(refused, Err(DialError::Tls { .. })), "{refused:?}");
    }
    let missing = Trust { ca_files: vec!["/nowhere/ca.pem".into()], ..Trust::default() };
    assert!(matches!(dial_with(&server.url(), missing, Proxy::direct()).await.0, Err(DialError::Trust(_))));
    assert!(matches!(
        dial_with(&server.url(), Trust::default(), Proxy::direct()).await.0,
        Err(DialError::Trust(_))
    ));
}

#[tokio::test]
async fn a_second_dial_with_the_same_client_resumes_the_tls_session() {
    let authority = Authority::new();
    let server = Server::start(Some(&authority)).await;
    let client = Client::from(Trust::pinned(authority.spki_sha256()));
    for _ in 0..2 {
        dial_with(&server.url(), client.clone(), Proxy::direct()).await.0.unwrap();
    }
    assert_eq!((server.connections(), server.resumed()), (2, 1));
}

#[tokio::test]
async fn a_pin_does_not_excuse_a_wrong_name() {
    let authority = Authority::new();
    let server = Server::start_as(Some(&authority), "other.example").await;
    let refused = dial_with(&server.url(), Trust::pinned(authority.spki_sha256()), Proxy::direct()).await.0;
    assert!(matches!(refused, Err(DialError::Tls { .. })), "{refused:?}");
}

#[test]
fn the_fingerprint_is_that_of_the_public_key() {
    let authority = Authority::new();
    let certificate = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    assert_eq!(spki_sha256(&certificate), Some(authority.spki_sha256()));
    assert_eq!(spki_sha256(&CertificateDer::from(vec![1, 2, 3])), None);
}

#[tokio::test]
async fn a_dial_goes_through_a_proxy_with_connect() {
    let authority = Authority::new();
    let server = Server::start(Some(&authority)).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let way = Proxy::new(Some(&format!("http://user:pass@{}", proxy.local_addr().unwrap())), None);
    let proxying = tokio::spawn(async move {
        let (mut near, _) = proxy.accept().await.unwrap();
        let head = read_head(&mut near).await;
        let mut far = TcpStream::connect(head.split(' ').nth(1).unwrap()).await.unwrap();
        near.write_all(b"HTTP/1.0 200 Connection established\r\nVia: test\r\n\r\n").await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        head
    });
    dial_with(&server.url(), Trust::pinned(authority.spki_sha256()), way).await.0.unwrap();
    let head = proxying.await.unwrap();
    assert!(head.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_refuses_or_cannot_be_used_is_named() {
    let answers = answer_once(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    let way = Proxy::new(Some(&format!("http://{answers}")), None);
    let refused = dial_with("https://gw.example/tunnel/client", Trust::pinned([0; 32]), way).await.0;
    assert!(matches!(refused, Err(DialError::Proxy { status: 407, .. })), "{refused:?}");
    let way = Proxy::new(Some("socks5://127.0.0.1:1080"), None);
    let refused = dial_with("https://gw.example/tunnel/client", Trust::pinned([0; 32]), way).await.0;
    assert!(matches!(refused, Err(DialError::ProxyScheme { .. })), "{refused:?}");
}

/// A server that reads one request and gives this answer to it.
async fn answer_once(answer: &'static [u8]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        read_head(&mut tcp).await;
        let _ = tcp.write_all(answer).await;
        let _ = tcp.read(&mut [0; 1]).await;
    });
    address
}

async fn refused_with(answer: &'static [u8]) -> DialError {
    dial_plain(answer_once(answer).await).await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_is_read_as_a_problem_and_says_whether_it_is_final() {
    let error = refused_with(
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nContent-Length: 67\r\n\r\n\
          {\"code\":\"connector_revoked\",\"detail\":\"gone since today\",\"x\":\"yyyy\"}",
    )
    .await;
    assert!(error.is_final());
    let DialError::Refused { refused } = error else { panic!("{error:?}") };
    assert_eq!((refused.status.as_u16(), refused.code.as_deref()), (403, Some("connector_revoked")));
    assert_eq!(refused.detail.as_deref(), Some("gone since today"));

    let busy = refused_with(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy").await;
    assert!(!busy.is_final());
    let DialError::Refused { refused } = busy else { panic!("{busy:?}") };
    assert_eq!((refused.status.as_u16(), refused.retry_after), (503, Some(Duration::from_secs(7))));

    let chunked = refused_with(
        b"HTTP/1.1 403 No\r\nContent-Type: application/problem+json\r\nTransfer-Encoding: chunked\r\n\r\n\
          16\r\n{\"close_code\":4412   }\r\n0\r\n\r\n",
    )
    .await;
    assert!(chunked.is_final());
}

#[tokio::test]
async fn a_second_challenge_is_a_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            read_head(&mut tcp).await;
            let answer = b"HTTP/1.1 401 Unauthorized\r\nPostern-Nonce: n\r\nContent-Length: 0\r\n\r\n";
            tcp.write_all(answer).await.unwrap();
        }
        let _ = tcp.read(&mut [0; 1]).await;
    });
    let refused = dial_plain(address).await;
    assert!(matches!(&refused, Err(DialError::Refused { refused }) if refused.status == 401), "{refused:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_prove_the_upgrade_is_malformed() {
    for answer in [
        &b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"[..],
        b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
        b"HTTP/1.1 101 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.0 101 OK\r\n\r\n",
    ] {
        let error = refused_with(answer).await;
        assert!(matches!(error, DialError::Malformed(_)), "{error:?}");
    }
}

#[tokio::test]
async fn t18_an_answer_with_a_megabyte_of_header_or_too_many_headers_is_refused() {
    let mut long = b"HTTP/1.1 101 OK\r\nX: ".to_vec();
    long.extend(vec![b'a'; 1 << 20]);
    let mut many = b"HTTP/1.1 101 OK\r\n".to_vec();
    for _ in 0..125 {
        many.extend(b"X: y\r\n");
    }
    many.extend(b"\r\n");
    for answer in [long, many] {
        let error = refused_with(answer.leak()).await;
        assert!(matches!(error, DialError::Malformed(_) | DialError::Io(_)), "{error:?}");
    }
}

#[tokio::test]
async fn t18_a_refusal_with_an_endless_body_is_still_a_refusal() {
    let mut endless = b"HTTP/1.1 500 Oops\r\n\r\n".to_vec();
    endless.extend(vec![b'a'; 4 << 20]);
    let error = refused_with(endless.leak()).await;
    assert!(matches!(error, DialError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn t18_a_gateway_that_drips_its_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 101 OK\r\nX: ").await.unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tick.tick().await;
            if tcp.write_all(b"H").await.is_err() {
                return;
            }
        }
    });
    let begun = Instant::now();
    let given_up = tokio::time::timeout(Duration::from_secs(30), dial_plain(address)).await.unwrap();
    assert!(matches!(given_up, Err(DialError::Timeout { .. })), "{given_up:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_gateway_may_speak_right_behind_its_answer() {
    // The first message of the link comes in the same segment as the answer.
    let server = Server::start(None).await;
    let (link, mut incoming) = {
        let mut credentials = Echo::default();
        let url = Url::parse(&server.url()).unwrap();
        let (trust, config) = (Trust::default(), LinkConfig::default());
        dial(Dial { url, tls: trust.into(), proxy: Proxy::direct(), credentials: &mut credentials, config })
            .await
            .unwrap()
    };
    link.open(Open::default()).await.unwrap();
    server.go_away();
    assert!(matches!(incoming.next().await, Some(Event::GoAway { .. })));
}
