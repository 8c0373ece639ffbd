//! Two gateways on one Postgres: one installation. Skipped, and said so, without a server to make a database on.

use crate::support::{Account, Bearer, Enrolled, PATIENCE, Scene, now, open};
use postern_api::tunnel::OpenReply;
use postern_ids::Ended;
use postern_store::{Actor, SessionFilter};
use postern_tunnel_io::{Dial, LinkConfig, Proxy, dial, tls::Trust};
use std::{path::Path, process::Command};
use tokio::io::AsyncReadExt;

/// Two gateways, a resource at a connector that both have a link to, and an account that may reach it.
struct Siblings {
    first: Scene,
    second: Scene,
    account: Account,
    connector: Enrolled,
    database: (String, String),
    _keys: tempfile::TempDir,
}

impl Siblings {
    async fn start() -> Option<Self> {
        let Ok(server) = std::env::var("POSTERN_TEST_POSTGRES") else {
            eprintln!("skipped: POSTERN_TEST_POSTGRES is not set");
            return None;
        };
        let server = server.trim_end_matches('/').to_owned();
        let name = format!("postern_siblings_{:032x}", rand::random::<u128>());
        psql(&server, &format!("CREATE DATABASE {name}"));
        let keys = tempfile::tempdir().unwrap();
        let key = keys.path().join("master.key");
        write_master_key(&key);
        let store = format!("{server}/{name}");
        let shared = [("store.url", store.as_str()), ("master_key_file", key.to_str().unwrap())];
        let first = Scene::start_with(&shared).await;
        let public_url = first.node.public_url.to_string();
        let gateways = format!("{public_url},https://localhost:8443");
        let second = [("public_url", public_url.as_str()), ("gateways", gateways.as_str())];
        let second = Scene::start_with(&[&shared[..], &second[..]].concat()).await;

        let site = first.site("office").await;
        let resource = first.resource(site, "db-1").await;
        let account = first.account("robot").await;
        first.grant(&account, resource).await;
        let connector = first.connector(site, "edge-1").await;
        second.in_force(first.store().revision().await.unwrap()).await;
        Some(Self { first, second, account, connector, database: (server, name), _keys: keys })
    }

    async fn stop(self) {
        self.first.node.stop().await;
        self.second.node.stop().await;
        let (server, name) = self.database;
        psql(&server, &format!("DROP DATABASE {name} WITH (FORCE)"));
    }
}

fn psql(server: &str, sql: &str) {
    let url = format!("{server}/postgres");
    let done =
        Command::new("psql").args(["--no-psqlrc", "--quiet", "--command", sql, &url]).status().unwrap();
    assert!(done.success(), "psql: {sql}");
}

fn write_master_key(path: &Path) {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    writeln!(file, "postern-master-key-v1:{}A", "K".repeat(42)).unwrap();
}

fn header(token: &str) -> &str {
    token.split('.').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_on_one_store_share_authority_and_keys_and_keep_journals_of_their_own() {
    let Some(siblings) = Siblings::start().await else { return };
    let (first, second) = (&siblings.first, &siblings.second);
    assert_eq!(first.node.ca_sha256(), second.node.ca_sha256());
    let (one, two) = (first.echo(&siblings.connector).await, second.echo(&siblings.connector).await);
    for scene in [first, second] {
        let (link, _incoming) = scene.dial_client(&siblings.account.token).await.unwrap();
        open(&link, "db-1").await.unwrap();
    }
    let grants = [one.grants.lock().unwrap().concat(), two.grants.lock().unwrap().concat()];
    assert_eq!(header(&grants[0]), header(&grants[1]), "a connector pins one key for all gateways");
    let rows = async {
        loop {
            let rows = first.store().sessions(&SessionFilter::default(), 10).await.unwrap();
            if rows.len() == 2 {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    };
    let rows = tokio::time::timeout(PATIENCE, rows).await.unwrap();
    assert_ne!(rows[0].node, rows[1].node);
    siblings.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_own_certificate_names_the_hosts_of_all_gateways() {
    let Some(siblings) = Siblings::start().await else { return };
    let node = &siblings.second.node;
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{}/tunnel/client", node.public.port()).parse().unwrap();
        let mut bearer = Bearer(siblings.account.token.clone());
        let dialed = dial(Dial {
            url,
            tls: Trust::pinned(node.ca_sha256().unwrap()).into(),
            proxy: Proxy::direct(),
            credentials: &mut bearer,
            config: LinkConfig::default(),
        });
        let _link = dialed.await.unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    siblings.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d05_a_session_that_is_ended_through_the_store_is_cut_on_the_gateway_that_carries_it() {
    let Some(siblings) = Siblings::start().await else { return };
    let (first, second) = (&siblings.first, &siblings.second);
    let _echo = second.echo(&siblings.connector).await;
    let (link, _incoming) = second.dial_client(&siblings.account.token).await.unwrap();
    let (ending, _kept) = (open(&link, "db-1").await.unwrap(), open(&link, "db-1").await.unwrap());
    let reply: OpenReply = serde_json::from_slice(&ending.metadata).unwrap();
    let mut lane = ending.lane;

    let by = Actor::system("test");
    first.store().end_session(reply.session, Ended::EndedByAdmin, &by, now()).await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, lane.read_to_end(&mut rest)).await.expect("the end");
    let code = Ended::EndedByAdmin.code().to_string();
    assert!(read.unwrap_err().to_string().contains(&code));
    assert_eq!(second.node.live().len(), 1, "the other session lives");
    siblings.stop().await;
}
