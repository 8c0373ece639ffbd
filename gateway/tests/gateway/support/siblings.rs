//! Two gateways on one Postgres, each with a database of its own for the test.

use super::{Account, Enrolled, Scene};
use std::{path::Path, process::Command};

/// Two gateways, a resource at a connector that both have a link to, and an account that may reach it.
pub(crate) struct Siblings {
    pub(crate) first: Scene,
    pub(crate) second: Scene,
    pub(crate) account: Account,
    pub(crate) connector: Enrolled,
    pub(crate) database: (String, String),
    _keys: tempfile::TempDir,
}

impl Siblings {
    pub(crate) async fn start() -> Option<Self> {
        let (server, name) = database()?;
        let keys = tempfile::tempdir().unwrap();
        let key = keys.path().join("master.key");
        write_master_key(&key);
        let store = format!("{server}/{name}");
        let shared = [
            ("store.url", store.as_str()),
            ("master_key_file", key.to_str().unwrap()),
            ("limits.drain_seconds", "1"),
        ];
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

    pub(crate) async fn stop(self) {
        self.first.node.stop().await;
        self.second.node.stop().await;
        let (server, name) = self.database;
        psql(&server, &format!("DROP DATABASE {name} WITH (FORCE)"));
    }
}

/// A database of its own: its server and its name.
pub(crate) fn database() -> Option<(String, String)> {
    let Ok(server) = std::env::var("POSTERN_TEST_POSTGRES") else {
        eprintln!("skipped: POSTERN_TEST_POSTGRES is not set");
        return None;
    };
    let server = server.trim_end_matches('/').to_owned();
    let name = format!("postern_siblings_{:032x}", rand::random::<u128>());
    psql(&server, &format!("CREATE DATABASE {name}"));
    Some((server, name))
}

/// Tells the server something.
pub(crate) fn psql(server: &str, sql: &str) {
    let url = format!("{server}/postgres");
    let quiet = ["--no-psqlrc", "--quiet", "--output", "/dev/null"];
    let done = Command::new("psql").args(quiet).args(["--command", sql, &url]).status().unwrap();
    assert!(done.success(), "psql: {sql}");
}

/// One key for all gateways of the store.
pub(crate) fn write_master_key(path: &Path) {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    writeln!(file, "postern-master-key-v1:KbcdefghijklmnopqrstuvwxyzKK0123456789ABCDA").unwrap();
}
