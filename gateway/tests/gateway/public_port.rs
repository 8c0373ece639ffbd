//! What anybody on the Internet can send to the public port.

use crate::support::{PATIENCE, Scene};
use postern_tunnel_io::{Proxy, connect, tls::Trust};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

impl Scene {
    async fn open(&self) -> impl AsyncRead + AsyncWrite + Unpin {
        let trust = Trust::pinned(self.node.ca_sha256().unwrap());
        connect(&self.node.public_url, &trust, &Proxy::direct()).await.unwrap()
    }

    /// Sends bytes on a connection of their own and gives everything that comes back.
    async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.open().await;
        // The gateway may answer and close before it has read all of it.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(PATIENCE, read).await.expect("an answer and a close");
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(&self, target: &str, extra: &str) -> String {
        let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{extra}\r\n");
        self.send(request.as_bytes()).await
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn h17_a_head_or_target_above_its_limit_is_answered_with_its_status() {
    let scene = Scene::start().await;
    let long = "a".repeat(64 * 1024);
    assert_eq!(status(&scene.get(&format!("/{long}"), "").await), "414");
    assert_eq!(status(&scene.get(&format!("/{}", &long[..9_000]), "").await), "414");
    assert_eq!(status(&scene.get("/", &format!("X-Long: {long}\r\n")).await), "431");
    assert_eq!(status(&scene.get("/", &format!("X-Long: {}\r\n", &long[..33_000])).await), "431");
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_an_upgrade_with_a_head_without_end_is_answered_with_431_and_no_link() {
    let scene = Scene::start().await;
    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: postern.tunnel.v1\r\n";
    let many: String = (0..125).map(|n| format!("X-{n}: x\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "a".repeat(1024 * 1024));
    for path in ["/tunnel/connector", "/tunnel/client"] {
        for extra in [&many, &large] {
            let answer = scene.get(path, &format!("{upgrade}{extra}")).await;
            assert_eq!(status(&answer), "431", "{path} {} B: {answer}", extra.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_health_and_metrics_are_not_on_the_public_port() {
    let scene = Scene::start().await;
    for path in ["/healthz", "/readyz", "/metrics", "/internal/metrics"] {
        assert_eq!(status(&scene.get(path, "").await), "404", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c05_a_name_that_somebody_else_points_at_the_gateway_gets_no_page() {
    let proxied = [("listen.mode", "http_behind_proxy"), ("listen.trusted_proxies", "127.0.0.0/8")];
    let scene = Scene::start_with(&proxied).await;
    let get = async |host: &str, path: &str| {
        let mut tcp = tokio::net::TcpStream::connect(scene.node.public).await.unwrap();
        let from = "X-Forwarded-For: 192.0.2.7\r\nConnection: close";
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{from}\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, tcp.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    };
    assert!(get("127.0.0.1", "/sign-in").await.contains("name=\"csrf\""));
    for host in ["evil.example", "127.0.0.1.evil.example", "evil.example:443", "localhost", "gw.example"] {
        for path in ["/sign-in", "/device", "/api/v1/me", "/oauth/authorize", "/.well-known/jwks.json"] {
            let answer = get(host, path).await;
            assert_eq!(status(&answer), "404", "{host}{path}");
            let lower = answer.to_lowercase();
            assert!(!lower.contains("csrf") && !lower.contains("set-cookie"), "{host}{path}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_internal_port_tells_readiness_and_metrics_until_the_drain() {
    let scene = Scene::start().await;
    let internal = async |path: &str| {
        let mut tcp = tokio::net::TcpStream::connect(scene.node.internal).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert_eq!(status(&internal("/healthz").await), "200");
    assert_eq!(status(&internal("/readyz").await), "200");
    assert!(internal("/metrics").await.contains("postern_"));
    scene.node.begin_stop();
    let unready = internal("/readyz").await;
    assert!(status(&unready) == "503" && unready.contains("draining"), "{unready}");
    assert_eq!(status(&internal("/healthz").await), "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn r02_upgrades_without_credentials_are_limited_even_on_one_connection() {
    let limits = [("limits.connection_burst_per_ip", "10"), ("limits.connection_rate_per_ip", "1")];
    let scene = Scene::start_with(&limits).await;
    let upgrade = "GET /tunnel/connector HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: postern.tunnel.v1\r\n\r\n";
    let mut stream = scene.open().await;
    let mut answers = String::new();
    for _ in 0..30 {
        if answers.contains("HTTP/1.1 429") {
            break;
        }
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4_096];
        let read =
            tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.expect("an answer").unwrap();
        answers.push_str(&String::from_utf8_lossy(&answer[..read]));
    }
    assert!(answers.contains("HTTP/1.1 401") && answers.contains("HTTP/1.1 429"), "{answers}");
    assert!(answers.to_ascii_lowercase().contains("retry-after: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_to_a_tunnel_path_is_told_what_the_path_takes() {
    let scene = Scene::start().await;
    let answer = scene.get("/tunnel/client", "").await;
    assert_eq!(status(&answer), "426");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_request_reaches_the_pages() {
    // The API of the web room answers both protocols; here only that HTTP/2 is spoken at all.
    let scene = Scene::start().await;
    let trust = Trust::pinned(scene.node.ca_sha256().unwrap());
    let config = trust.client_config(&[b"h2"]).unwrap();
    let tcp = tokio::net::TcpStream::connect(scene.node.public).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let tls = tokio_rustls::TlsConnector::from(config).connect(name, tcp).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(tls);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://127.0.0.1/metrics").body(axum::body::Body::empty()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 404);
}
