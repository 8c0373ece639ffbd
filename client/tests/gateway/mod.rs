//! A gateway in a few lines: a token endpoint that counts, and client links whose lanes the test answers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use postern_client::home::{Home, Profile, Tokens};
use postern_ids::{Ended, Refusal, Timestamp};
use postern_tunnel_io::{Event, Lane, LinkConfig, accept, upgrade_response};
use std::{
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the token endpoint does with a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    Works,
    Ended,
    Fails,
}

/// What a lane meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Sends everything back in upper case once the request is complete.
    Echo,
    /// Refused with this code and detail.
    Refused(Refusal, &'static str),
    /// Says a word, then is cut.
    Cut(Ended),
}

pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) refreshes: Arc<AtomicUsize>,
    pub(crate) links: Arc<AtomicUsize>,
    _server: Server,
}

/// The serving thread's runtime; gone with the test.
struct Server(Option<tokio::runtime::Runtime>);

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone)]
struct Behavior {
    refresh: Refresh,
    resource: Resource,
    host_keys: Vec<String>,
    refreshes: Arc<AtomicUsize>,
    links: Arc<AtomicUsize>,
}

impl Gateway {
    pub(crate) fn start(refresh: Refresh, resource: Resource, host_keys: &[&str]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (refreshes, links) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let behavior = Behavior {
            refresh,
            resource,
            host_keys: host_keys.iter().map(ToString::to_string).collect(),
            refreshes: refreshes.clone(),
            links: links.clone(),
        };
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, behavior.clone()));
            }
        });
        Self { url, refreshes, links, _server: Server(Some(runtime)) }
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::SeqCst)
    }

    pub(crate) fn links(&self) -> usize {
        self.links.load(Ordering::SeqCst)
    }
}

/// A state directory with a sign-in at `url` whose access token came and ends at these offsets from now, in seconds.
pub(crate) fn signed_in(url: &str, obtained: i64, expires: i64) -> (TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(Some(&dir.path().join("state"))).unwrap();
    Profile::new(url, None, None).unwrap().save(&home).unwrap();
    let now = Timestamp::from_system(SystemTime::now()).as_secs();
    let tokens = Tokens {
        gateway: url.to_owned(),
        access_token: "old-access".into(),
        refresh_token: "old-refresh".into(),
        obtained_at: Timestamp::from_secs(now + obtained),
        expires_at: Timestamp::from_secs(now + expires),
    };
    tokens.save(&home).unwrap();
    (dir, home)
}

/// The command, with nothing of this machine's own state.
pub(crate) fn postern(home: &Home, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("POSTERN_HOME", home.dir()).env("HOME", home.dir());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn serve(mut tcp: TcpStream, behavior: Behavior) {
    let Some((target, headers)) = read_head(&mut tcp).await else { return };
    if target.starts_with("GET /tunnel/client ") {
        return serve_link(tcp, &headers, behavior).await;
    }
    let length = headers.get("content-length").and_then(|v| v.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    tcp.read_exact(&mut body).await.unwrap();
    let (status, answer) = if target.starts_with("POST /oauth/token ") {
        behavior.refreshes.fetch_add(1, Ordering::SeqCst);
        assert!(String::from_utf8_lossy(&body).contains("refresh_token=old-refresh"));
        // Slow enough that commands started together meet while it runs.
        tokio::time::sleep(Duration::from_millis(200)).await;
        match behavior.refresh {
            Refresh::Works => (
                "200 OK",
                r#"{"access_token":"new-access","token_type":"Bearer","expires_in":900,"refresh_token":"new-refresh"}"#,
            ),
            Refresh::Ended => ("400 Bad Request", r#"{"error":"invalid_grant"}"#),
            Refresh::Fails => ("503 Service Unavailable", "{}"),
        }
    } else {
        ("404 Not Found", "{}")
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    let _ = tcp.write_all(answer.as_bytes()).await;
}

async fn serve_link(mut tcp: TcpStream, headers: &HeaderMap, behavior: Behavior) {
    behavior.links.fetch_add(1, Ordering::SeqCst);
    let authorization = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    assert!(
        ["Bearer old-access", "Bearer new-access", "Bearer pst_x"].contains(&authorization),
        "{authorization}"
    );
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    for (name, value) in &upgrade_response(headers).unwrap() {
        answer.extend_from_slice(format!("{name}: ").as_bytes());
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    tcp.write_all(&answer).await.unwrap();
    let (_link, mut incoming) = accept(tcp, Bytes::new(), LinkConfig::default());
    while let Some(event) = incoming.next().await {
        let Event::Open(lane) = event else { continue };
        match behavior.resource {
            Resource::Refused(refusal, detail) => lane.refuse(refusal.code(), detail.as_bytes()),
            Resource::Echo => {
                tokio::spawn(echo(lane.accept(open_reply(&behavior.host_keys))));
            }
            Resource::Cut(ended) => {
                let mut lane = lane.accept(open_reply(&behavior.host_keys));
                lane.write_all(b"hello").await.unwrap();
                lane.read_u8().await.unwrap();
                lane.reset(ended.code());
            }
        }
    }
}

fn open_reply(host_keys: &[String]) -> Bytes {
    let zeros = "0".repeat(26);
    let reply = serde_json::json!({
        "session": format!("ses_{zeros}"),
        "decision": format!("dec_{zeros}"),
        "resource": { "id": format!("res_{zeros}"), "name": "bastion", "kind": "ssh" },
        "host_keys": host_keys,
    });
    reply.to_string().into()
}

async fn echo(mut lane: Lane) {
    let mut request = Vec::new();
    lane.read_to_end(&mut request).await.unwrap();
    request.make_ascii_uppercase();
    lane.write_all(&request).await.unwrap();
    lane.shutdown().await.unwrap();
}

async fn read_head(tcp: &mut TcpStream) -> Option<(String, HeaderMap)> {
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
