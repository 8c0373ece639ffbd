//! A store of its own for each test, on either database.

use postern_ids::{GroupId, Name, ResourceId, SiteId, Timestamp, UserId};
use postern_policy::model::{Group, Resource, ResourceKind, Site};
use postern_store::{Actor, Change, Database, Expect, Store, StoreConfig, User};
use sqlx::{Connection, PgConnection};
use std::path::PathBuf;
use tempfile::TempDir;

/// The time at which every test happens.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// `NOW` and some seconds.
pub(crate) fn later(secs: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() + secs)
}

/// A store, and what it takes to open it once more.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) config: StoreConfig,
    pub(crate) dir: TempDir,
    database: Option<(String, String)>,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::Sqlite { path: dir.path().join("postern.db") };
        Some(Self::open(dir, database, None).await)
    }

    /// `None` without a server: the caller says so and passes.
    pub(crate) async fn postgres() -> Option<Self> {
        let server = std::env::var("POSTERN_TEST_POSTGRES").ok()?;
        let server = server.trim_end_matches('/').to_owned();
        let name = format!("postern_test_{:032x}", rand::random::<u128>());
        admin(&server, format!("CREATE DATABASE {name}")).await;
        let dir = tempfile::tempdir().unwrap();
        write_master_key(&dir.path().join("master.key"), 'A');
        let database = Database::Postgres { url: format!("{server}/{name}") };
        Some(Self::open(dir, database, Some((server, name))).await)
    }

    async fn open(dir: TempDir, database: Database, own: Option<(String, String)>) -> Self {
        let config = StoreConfig {
            database,
            master_key_file: dir.path().join("master.key"),
            previous_master_key_files: Vec::new(),
            migrate: true,
        };
        let store = Store::open(config.clone(), NOW).await.unwrap();
        Self { store, config, dir, database: own }
    }

    /// The same store in a second process, as far as a test can tell. SQLite: the first must be closed.
    pub(crate) async fn reopen(&self) -> Store {
        if let Database::Sqlite { .. } = self.config.database {
            self.store.close().await;
        }
        Store::open(self.config.clone(), NOW).await.unwrap()
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.database.is_none()
    }

    /// Runs a statement behind the store's back, as an intruder with the database password would.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        match &self.config.database {
            Database::Sqlite { path } => {
                let url = format!("sqlite://{}", path.display());
                let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
                sqlx::query(sql).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
            Database::Postgres { url } => {
                let mut db = PgConnection::connect(url).await.unwrap();
                sqlx::query(sql).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
        }
    }

    pub(crate) async fn finish(self) {
        self.store.close().await;
        if let Some((server, name)) = self.database {
            admin(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    pub(crate) async fn change(&self) -> Change {
        self.store.change(Actor::system("test"), NOW).await.unwrap()
    }

    pub(crate) async fn put_site(&self, name: &str) -> Site {
        let site = Site { id: SiteId::mint(NOW, rand::random()), name: self::name(name) };
        let mut change = self.change().await;
        change.put(&site, Expect::New).await.unwrap();
        change.commit().await.unwrap();
        site
    }

    pub(crate) async fn put_resource(&self, site: SiteId, name: &str) -> Resource {
        let resource = Resource {
            id: ResourceId::mint(NOW, rand::random()),
            name: self::name(name),
            site,
            kind: ResourceKind::Ssh,
            target: "10.0.0.5:22".parse().unwrap(),
            labels: [("env".parse().unwrap(), "prod".parse().unwrap())].into(),
            host_keys: Vec::new(),
            web: None,
        };
        let mut change = self.change().await;
        change.put(&resource, Expect::New).await.unwrap();
        change.commit().await.unwrap();
        resource
    }

    pub(crate) async fn put_user(&self, name: &str) -> User {
        let user = User::local(UserId::mint(NOW, rand::random()), self::name(name));
        let mut change = self.change().await;
        change.put(&user, Expect::New).await.unwrap();
        change.commit().await.unwrap();
        user
    }

    pub(crate) async fn put_group(&self, name: &str) -> Group {
        let group =
            Group { id: GroupId::mint(NOW, rand::random()), name: self::name(name), parents: Vec::new() };
        let mut change = self.change().await;
        change.put(&group, Expect::New).await.unwrap();
        change.commit().await.unwrap();
        group
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A master key that nobody would call guessable; each letter gives another one.
pub(crate) fn write_master_key(path: &PathBuf, letter: char) {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let text = format!("postern-master-key-v1:{letter}bcdefghijklmnopqrstuvwxyz0123456789ABCDEFA\n");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

async fn admin(server: &str, sql: String) {
    let mut db = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

/// A number for this run: the usual one, or the larger one of `cargo xtask test --long`.
pub(crate) fn sized(usual: u32, long: u32) -> u32 {
    if std::env::var_os("POSTERN_TEST_LONG").is_some() { long } else { usual }
}

/// `contract! { async fn name(f) { … } }`: one test for each database, `name::sqlite` and `name::postgres`.
macro_rules! contract {
    ($(async fn $name:ident($f:ident) $body:block)*) => {$(
        async fn $name($f: &crate::fixture::Fixture) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let fixture = crate::fixture::Fixture::sqlite().await.unwrap();
                super::$name(&fixture).await;
                fixture.finish().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let Some(fixture) = crate::fixture::Fixture::postgres().await else {
                    eprintln!("skipped: POSTERN_TEST_POSTGRES is not set");
                    return;
                };
                super::$name(&fixture).await;
                fixture.finish().await;
            }
        }
    )*};
}
pub(crate) use contract;
