//! A gateway in a few lines: it challenges, checks the dial, and hands over the link; the tunnel behind is the real one.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use postern_connector::{
    allow::{AllowList, Entry},
    config::Limits,
    identity::{Enrolled, Identity, StateDir},
    link::Final,
    run::{self, Orders, Setup},
    status::{STATUS_FILE, Status, machine_now},
    target::SystemResolver,
};
use postern_ids::{ConnectorId, InstanceId, ResourceId, SessionId, Timestamp};
use postern_token::{Alg, GrantClaims, SigningKey, VerifyingKey, mint_grant, verify_dial};
use postern_tunnel_io::{Incoming, Link, LinkConfig, Open, OpenError, Opened, accept, upgrade_response};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub(crate) const ISSUER: &str = "https://gw.example";

/// Longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a connector is started with.
pub(crate) struct Scene<'a> {
    pub(crate) allow: &'a [String],
    /// What the gateways believe the time is.
    pub(crate) now: Timestamp,
    /// Gateways that it knows.
    pub(crate) gateways: usize,
    pub(crate) limits: &'a str,
}

impl Default for Scene<'_> {
    fn default() -> Self {
        Self { allow: &[], now: machine_now(), gateways: 1, limits: "slots = 1" }
    }
}

/// One installation: gateways that share keys and a clock.
pub(crate) struct Gateway {
    listeners: Vec<TcpListener>,
    pub(crate) connector: ConnectorId,
    pub(crate) connector_key: VerifyingKey,
    pub(crate) grant_key: SigningKey,
    /// What this gateway believes the time is.
    pub(crate) now: Timestamp,
}

/// A dial that passed.
pub(crate) struct Dialed {
    pub(crate) link: Link,
    pub(crate) incoming: Incoming,
    pub(crate) instance: InstanceId,
    pub(crate) slot: u8,
}

pub(crate) struct Running {
    pub(crate) dir: TempDir,
    pub(crate) orders: Orders,
    pub(crate) task: JoinHandle<Result<(), Final>>,
}

impl Running {
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn status(&self) -> Option<Status> {
        let text = std::fs::read(self.state_dir().join(STATUS_FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Waits until the status file says so.
    pub(crate) async fn until(&self, what: impl Fn(&Status) -> bool) -> Status {
        let wait = async {
            loop {
                match self.status() {
                    Some(status) if what(&status) => return status,
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the status came to say so")
    }

    pub(crate) async fn ended(self) -> Result<(), Final> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ended in time").expect("it did not panic")
    }
}

impl Gateway {
    /// A gateway with one enrolled connector, which runs with this allow-list.
    pub(crate) async fn with_connector(allow: &[String]) -> (Self, Running) {
        Self::start(Scene { allow, ..Scene::default() }).await
    }

    pub(crate) async fn start(scene: Scene<'_>) -> (Self, Running) {
        let now = scene.now;
        let mut listeners = vec![];
        for _ in 0..scene.gateways {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let key = SigningKey::generate(Alg::EdDsa).unwrap();
        let gateway = Self {
            connector: ConnectorId::mint(now, rand::random()),
            connector_key: key.verifying().clone(),
            grant_key: SigningKey::generate(Alg::EdDsa).unwrap(),
            listeners,
            now,
        };
        let running = gateway.run(key, &scene);
        (gateway, running)
    }

    fn run(&self, key: SigningKey, scene: &Scene<'_>) -> Running {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let enrolled = Enrolled {
            connector: self.connector,
            name: "office-1".parse().unwrap(),
            site: "office".parse().unwrap(),
            issuer: ISSUER.to_owned(),
            gateways: self.listeners.iter().map(url).collect(),
            ca_sha256: None,
            grant_keys: vec![self.grant_key.verifying().to_jwk()],
            enrolled_at: Timestamp::EPOCH,
        };
        let limits: Limits = toml::from_str(scene.limits).unwrap();
        let setup = Setup {
            identity: Identity::new(enrolled, key).unwrap(),
            allow: scene.allow.iter().map(|line| line.parse::<Entry>().unwrap()).collect::<AllowList>(),
            limits,
            ca_files: vec![],
            gateways: vec![],
            resolver: SystemResolver,
        };
        let orders = Orders::default();
        let task = tokio::spawn({
            let orders = orders.clone();
            async move { run::run(setup, &state, orders).await }
        });
        Running { dir, orders, task }
    }

    fn listener(&self, gateway: usize) -> &TcpListener {
        self.listeners.get(gateway).unwrap()
    }

    /// Takes the next dial, challenges it, and lets it in.
    pub(crate) async fn accept(&self) -> Dialed {
        self.accept_at(0).await
    }

    /// The same, at one of several gateways.
    pub(crate) async fn accept_at(&self, gateway: usize) -> Dialed {
        let take = async {
            let (mut tcp, _) = self.listener(gateway).accept().await.unwrap();
            let first = read_request(&mut tcp).await;
            assert!(first.get(http::header::AUTHORIZATION).is_none(), "nothing is sent before the challenge");
            let challenge = format!(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Postern-Dial\r\nPostern-Nonce: n0nce\r\n\
                 Postern-Time: {}\r\nContent-Length: 0\r\n\r\n",
                self.now.as_micros()
            );
            tcp.write_all(challenge.as_bytes()).await.unwrap();
            let second = read_request(&mut tcp).await;
            let token = second.get(http::header::AUTHORIZATION).unwrap().to_str().unwrap();
            let token = token.strip_prefix("Postern-Dial ").unwrap();
            let claims = verify_dial(token, self.connector, &self.connector_key, ISSUER, self.now).unwrap();
            assert_eq!(claims.nonce, "n0nce");
            let (instance, slot) = (claims.instance, claims.slot);
            let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
            for (name, value) in &upgrade_response(&second).unwrap() {
                answer.extend_from_slice(name.as_str().as_bytes());
                answer.extend_from_slice(b": ");
                answer.extend_from_slice(value.as_bytes());
                answer.extend_from_slice(b"\r\n");
            }
            answer.extend_from_slice(b"\r\n");
            tcp.write_all(&answer).await.unwrap();
            let (link, incoming) = accept(tcp, Bytes::new(), LinkConfig::default());
            Dialed { link, incoming, instance, slot }
        };
        tokio::time::timeout(PATIENCE, take).await.expect("a dial came")
    }

    /// Turns the next dial away with this problem.
    pub(crate) async fn refuse(&self, status: &str, problem: &str) {
        let (mut tcp, _) = self.listener(0).accept().await.unwrap();
        read_request(&mut tcp).await;
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{problem}",
            problem.len()
        );
        tcp.write_all(answer.as_bytes()).await.unwrap();
    }

    /// The claims of a good grant for this target.
    pub(crate) fn claims(&self, target: SocketAddr) -> GrantClaims {
        let now = self.now;
        GrantClaims {
            iss: ISSUER.to_owned(),
            aud: self.connector,
            session: SessionId::mint(now, rand::random()),
            resource: ResourceId::mint(now, rand::random()),
            resource_name: "bastion".to_owned(),
            target_host: target.ip().to_string(),
            target_port: target.port(),
            principal: "alice".to_owned(),
            cnf: None,
            stream: None,
            ses: None,
            iat: now,
            nbf: now,
            exp: now.plus(Duration::from_secs(60)),
            jti: format!("{:x}", rand::random::<u128>()),
        }
    }

    pub(crate) async fn open(&self, link: &Link, claims: &GrantClaims) -> Result<Opened, OpenError> {
        open_with(link, claims, &self.grant_key).await
    }
}

fn url(listener: &TcpListener) -> url::Url {
    format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()
}

pub(crate) async fn open_with(
    link: &Link,
    claims: &GrantClaims,
    key: &SigningKey,
) -> Result<Opened, OpenError> {
    let metadata = mint_grant(claims, key).unwrap().into();
    let open = link.open(Open { metadata, ..Open::default() });
    tokio::time::timeout(PATIENCE, open).await.expect("the connector answered")
}

async fn read_request(tcp: &mut TcpStream) -> HeaderMap {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    let text = String::from_utf8(head).unwrap();
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next(), Some("GET /tunnel/connector HTTP/1.1"));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}
