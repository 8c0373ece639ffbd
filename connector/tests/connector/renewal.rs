//! A connector that its gateway does not know any more: when it comes back by itself, and when it says goodbye instead.

use clap::Parser;
use postern_connector::{
    cli::Cli,
    command::{ExitCode, Failure, execute},
    identity::{Enrolled, StateDir},
    run::Orders,
    status::machine_now,
};
use postern_ids::{ConnectorId, Timestamp};
use postern_token::{
    Alg, EnrollReply, EnrolmentToken, SigningKey, claimed_connector,
    opaque::{Opaque, OpaqueKind},
};
use std::{path::Path, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const PATIENCE: Duration = Duration::from_secs(20);
const ISSUER: &str = "https://gw.example";

struct Scene {
    dir: TempDir,
    listener: TcpListener,
    connector: ConnectorId,
}

impl Scene {
    /// A state directory that was enrolled at this time with a gateway of ours.
    async fn enrolled_at(enrolled_at: Timestamp) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connector = ConnectorId::mint(enrolled_at, rand::random());
        let scene = Self { dir, listener, connector };
        let state = StateDir::open(&scene.state_dir()).unwrap();
        state.key().unwrap();
        let enrolled = Enrolled {
            connector,
            name: "office-1".parse().unwrap(),
            site: "office".parse().unwrap(),
            issuer: ISSUER.to_owned(),
            gateways: vec![scene.url().parse().unwrap()],
            ca_sha256: None,
            grant_keys: vec![grant_key()],
            enrolled_at,
        };
        state.keep(&enrolled).unwrap();
        scene
    }

    fn state_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    fn token_file(&self) -> String {
        let path = self.dir.path().join("token");
        let secret = Opaque::from_entropy(OpaqueKind::Enrolment, [7; 32]);
        let token = EnrolmentToken { url: self.url(), ca_sha256: None, secret };
        postern_private_file::write(&path, token.to_string().as_bytes()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, more: &[&str]) -> (Orders, JoinHandle<Result<(), Failure>>) {
        let state_dir = self.state_dir();
        let args = ["postern-connector", "--state-dir", path(&state_dir), "run"];
        let cli = Cli::try_parse_from(args.iter().chain(more)).unwrap();
        let orders = Orders::default();
        (orders.clone(), tokio::spawn(execute(cli, orders)))
    }

    /// The next request on a connection of its own.
    async fn request(&self) -> (TcpStream, String) {
        let (mut tcp, _) = tokio::time::timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        let head = head(&mut tcp).await;
        (tcp, head)
    }

    /// Turns every dial away with this problem, as often as there are links, until something else is asked for.
    async fn refuse_dials(&self, code: &str) -> (TcpStream, String) {
        let refuse = async {
            loop {
                let (mut tcp, head) = self.request().await;
                if !head.starts_with("GET /tunnel/connector ") {
                    return (tcp, head);
                }
                answer(&mut tcp, "403 Forbidden", &problem(code)).await;
            }
        };
        tokio::time::timeout(PATIENCE, refuse).await.expect("something else than a dial came")
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn grant_key() -> serde_json::Value {
    SigningKey::generate(Alg::EdDsa).unwrap().verifying().to_jwk()
}

fn problem(code: &str) -> String {
    format!(
        r#"{{"type":"about:blank","title":"t","status":403,"code":"{code}","detail":"told by the gateway","next":""}}"#
    )
}

async fn head(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn answer(tcp: &mut TcpStream, status: &str, body: &str) {
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tcp.write_all(text.as_bytes()).await.unwrap();
}

async fn ended(task: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap()
}

/// Whoever was removed, and not revoked, runs until the task ends; nothing but dials is asked of the gateway meanwhile.
async fn refused(scene: &Scene, code: &str, args: &[&str]) -> Failure {
    let (_orders, task) = scene.run(args);
    tokio::select! {
        ended = ended(task) => ended.unwrap_err(),
        (_, head) = scene.refuse_dials(code) => unreachable!("it asked for something else: {head}"),
    }
}

#[tokio::test]
async fn a_connector_that_was_removed_enrolls_again_with_its_token_and_serves_as_a_new_one() {
    let scene = Scene::enrolled_at(Timestamp::EPOCH).await;
    let (orders, task) = scene.run(&["--token-file", &scene.token_file()]);
    let (mut tcp, head) = scene.refuse_dials("connector_unknown").await;
    assert!(head.starts_with("POST /api/v1/enroll "), "{head}");
    let reply = EnrollReply {
        connector: ConnectorId::mint(machine_now(), rand::random()),
        name: "office-2".parse().unwrap(),
        site: "office".parse().unwrap(),
        issuer: ISSUER.to_owned(),
        gateways: Vec::new(),
        grant_keys: vec![grant_key()],
    };
    answer(&mut tcp, "201 Created", &serde_json::to_string(&reply).unwrap()).await;
    let (mut tcp, head) = scene.request().await;
    assert!(head.starts_with("GET /tunnel/connector "), "{head}");
    let challenge = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Postern-Dial\r\nPostern-Nonce: n0nce\r\n\
         Postern-Time: {}\r\nContent-Length: 0\r\n\r\n",
        machine_now().as_micros()
    );
    tcp.write_all(challenge.as_bytes()).await.unwrap();
    let head = self::head(&mut tcp).await;
    let token = head.split("Postern-Dial ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(claimed_connector(token).unwrap(), reply.connector);
    assert_ne!(reply.connector, scene.connector);
    orders.stop.cancel();
    ended(task).await.unwrap();
}

#[tokio::test]
async fn without_a_token_a_removed_connector_ends_and_says_what_it_lacks() {
    let scene = Scene::enrolled_at(Timestamp::EPOCH).await;
    let failure = refused(&scene, "connector_unknown", &[]).await;
    assert_eq!(failure.code, ExitCode::Refused);
    assert!(failure.text.contains("told by the gateway"), "{}", failure.text);
    assert!(failure.text.contains("--token-file"), "{}", failure.text);
}

#[tokio::test]
async fn a_token_that_is_used_up_does_not_bring_a_removed_connector_back() {
    let scene = Scene::enrolled_at(Timestamp::EPOCH).await;
    let (_orders, task) = scene.run(&["--token-file", &scene.token_file()]);
    let (mut tcp, head) = scene.refuse_dials("connector_unknown").await;
    assert!(head.starts_with("POST /api/v1/enroll "), "{head}");
    let spent = r#"{"title":"t","status":403,"code":"enrolment_refused","detail":"the token is used up"}"#;
    answer(&mut tcp, "403 Forbidden", spent).await;
    let failure = ended(task).await.unwrap_err();
    assert_eq!(failure.code, ExitCode::Refused);
    assert!(failure.text.contains("told by the gateway"), "{}", failure.text);
    assert!(failure.text.contains("the token is used up"), "{}", failure.text);
}

#[tokio::test]
async fn a_revoked_connector_never_enrolls_again_by_itself() {
    let scene = Scene::enrolled_at(Timestamp::EPOCH).await;
    let failure = refused(&scene, "connector_revoked", &["--token-file", &scene.token_file()]).await;
    assert_eq!(failure.code, ExitCode::Refused);
}

#[tokio::test]
async fn a_connector_that_is_unknown_soon_after_it_enrolled_spends_no_more_of_its_token() {
    let a_minute_ago = machine_now().minus(Duration::from_secs(60));
    let scene = Scene::enrolled_at(a_minute_ago).await;
    let failure = refused(&scene, "connector_unknown", &["--token-file", &scene.token_file()]).await;
    assert_eq!(failure.code, ExitCode::Refused);
}
