//! The gateway's listener: tokens, and the upgrade to a link.

use super::{Refresh, Shared, lanes};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use postern_tunnel_io::{Incoming, Link, LinkConfig, accept, upgrade_response};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Nobody becomes its first owner any more.
const OWNED: &str = r#"{"type":"about:blank","title":"Conflict","status":409,"code":"conflict",
    "detail":"this installation has its owner already","next":"sign in as an owner"}"#;

pub(super) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((tcp, _)) = listener.accept().await {
        if shared.is_dead.load(Ordering::SeqCst) {
            shared.dropped.add();
        } else {
            tokio::spawn(serve(tcp, shared.clone()));
        }
    }
}

async fn serve(mut tcp: TcpStream, shared: Arc<Shared>) {
    let Some((target, headers)) = read_head(&mut tcp).await else { return };
    if target.starts_with("GET /tunnel/client ") {
        return serve_link(tcp, &headers, shared).await;
    }
    let length = headers.get("content-length").and_then(|v| v.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    tcp.read_exact(&mut body).await.unwrap();
    let (status, answer) = if target.starts_with("POST /oauth/token ") {
        shared.refreshes.fetch_add(1, Ordering::SeqCst);
        assert!(String::from_utf8_lossy(&body).contains("refresh_token=old-refresh"));
        tokio::time::sleep(match shared.refresh {
            Refresh::WorksLate(late) => late,
            // Slow enough that commands started together meet while it runs.
            Refresh::Works | Refresh::Ended | Refresh::Fails => Duration::from_millis(200),
        })
        .await;
        tokens(&shared)
    } else if target.starts_with("POST /api/v1/bootstrap ") {
        ("409 Conflict", OWNED.to_owned())
    } else if target.starts_with("GET /api/v1/sessions?") {
        ("200 OK", r#"{"items":[]}"#.to_owned())
    } else {
        ("404 Not Found", "{}".to_owned())
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    let _ = tcp.write_all(answer.as_bytes()).await;
}

fn tokens(shared: &Shared) -> (&'static str, String) {
    match shared.refresh {
        Refresh::Works | Refresh::WorksLate(_) => {
            let reply = serde_json::json!({
                "access_token": "new-access",
                "token_type": "Bearer",
                "expires_in": 900,
                "refresh_token": "new-refresh",
                "gateways": *shared.nodes.lock().unwrap(),
            });
            ("200 OK", reply.to_string())
        }
        Refresh::Ended => ("400 Bad Request", r#"{"error":"invalid_grant"}"#.to_owned()),
        Refresh::Fails => ("503 Service Unavailable", "{}".to_owned()),
    }
}

async fn serve_link(tcp: TcpStream, headers: &HeaderMap, shared: Arc<Shared>) {
    let authorization = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let token = authorization.strip_prefix("Bearer ").unwrap();
    assert!(["old-access", "new-access", "pst_x"].contains(&token), "{token}");
    shared.shown.lock().unwrap().push(token.to_owned());
    let tcp = tcp.into_std().unwrap();
    let socket = tcp.try_clone().unwrap();
    let (link, incoming) = upgrade(TcpStream::from_std(tcp).unwrap(), headers).await;
    {
        let mut live = shared.live.lock().unwrap();
        live.sockets.push(socket);
        live.links.push(link);
    }
    // It may have died meanwhile.
    if shared.is_dead.load(Ordering::SeqCst) {
        return;
    }
    lanes::serve(incoming, shared).await;
}

/// Answers the upgrade and begins the link.
pub(super) async fn upgrade(mut tcp: TcpStream, headers: &HeaderMap) -> (Link, Incoming) {
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    for (name, value) in &upgrade_response(headers).unwrap() {
        answer.extend_from_slice(format!("{name}: ").as_bytes());
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    // The client may have gone: the link ends then.
    let _ = tcp.write_all(&answer).await;
    accept(tcp, Bytes::new(), LinkConfig::default())
}

pub(super) async fn read_head(tcp: &mut TcpStream) -> Option<(String, HeaderMap)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let target = lines.next()?.to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    Some((target, headers))
}
