//! Opening: one process, a known schema, the right master key.

use crate::fixture::{NOW, contract, write_master_key};
use postern_store::{Actor, Database, KeyKind, OpenError, SigningKey, Store};

fn key(kid: &str) -> SigningKey {
    SigningKey {
        kid: kid.into(),
        kind: KeyKind::Access,
        secret: b"private part".to_vec().into(),
        public: "{}".into(),
        created_at: NOW,
        signs_from: NOW,
        retires_at: crate::fixture::later(1000),
    }
}

contract! {
    async fn a_store_opens_again_with_what_it_held(f) {
        let site = f.put_site("office").await;
        let again = f.reopen().await;
        assert_eq!(again.find::<postern_policy::model::Site>(&site.id).await.unwrap().unwrap().value, site);
        again.close().await;
    }

    async fn an_unknown_newer_schema_is_refused(f) {
        f.tamper("UPDATE _sqlx_migrations SET version = 99 WHERE version = 1").await;
        f.store.close().await;
        for migrate in [true, false] {
            let mut config = f.config.clone();
            config.migrate = migrate;
            let refused = Store::open(config, NOW).await.err();
            assert!(matches!(refused, Some(OpenError::SchemaTooNew { found: 99, known: 3.. })), "{refused:?}");
        }
    }

    async fn an_empty_database_is_refused_where_migrating_was_not_asked_for(f) {
        f.tamper("DROP TABLE _sqlx_migrations").await;
        f.store.close().await;
        let mut config = f.config.clone();
        config.migrate = false;
        assert!(matches!(Store::open(config, NOW).await.err(), Some(OpenError::SchemaTooOld { found: 0, known: 3.. })));
    }

    async fn a_second_process_on_the_embedded_store_is_refused(f) {
        if f.is_sqlite() {
            assert!(matches!(Store::open(f.config.clone(), NOW).await.err(), Some(OpenError::Locked { .. })));
            f.store.close().await;
        }
    }

    async fn l03_a_wrong_master_key_is_refused_and_nothing_is_made_new(f) {
        f.store.rotate_signing_key(Actor::system("test"), &key("k1"), NOW, NOW).await.unwrap();
        f.store.close().await;
        write_master_key(&f.config.master_key_file, 'B');
        let refused = Store::open(f.config.clone(), NOW).await.err();
        assert!(matches!(refused, Some(OpenError::MasterKey(_))), "{refused:?}");
        assert!(refused.is_some_and(|error| error.to_string().contains("is not the one of this store")));
        std::fs::remove_file(&f.config.master_key_file).unwrap();
        let refused = Store::open(f.config.clone(), NOW).await.err();
        assert!(matches!(refused, Some(OpenError::MasterKey(_))), "{refused:?}");
        assert!(!f.config.master_key_file.exists());
    }

    async fn j15_a_master_key_that_others_know_opens_no_store(f) {
        f.store.close().await;
        let published = "postern-master-key-v1:YD3rEBXKcb4rc67whX13gR81LAc7YQjXLZgQowkU3_Q\n";
        std::fs::write(&f.config.master_key_file, published).unwrap();
        let refused = Store::open(f.config.clone(), NOW).await.err();
        assert!(refused.is_some_and(|error| error.to_string().contains("no secret")), "the key opened a store");
    }

    async fn l03_a_sealed_row_moved_to_another_id_does_not_open(f) {
        f.store.rotate_signing_key(Actor::system("test"), &key("k1"), NOW, NOW).await.unwrap();
        assert_eq!(f.store.signing_keys(KeyKind::Access, NOW).await.unwrap()[0].secret.as_slice(), b"private part");
        f.tamper("UPDATE signing_keys SET kid = 'k2'").await;
        assert!(f.store.signing_keys(KeyKind::Access, NOW).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_start_at_once_on_an_empty_postgres_make_one_schema_and_one_key_check() {
    let Some(f) = crate::fixture::Fixture::postgres().await else { return };
    for _ in 0..crate::fixture::sized(3, 50) {
        f.tamper("DROP SCHEMA public CASCADE").await;
        f.tamper("CREATE SCHEMA public").await;
        let starts: tokio::task::JoinSet<_> = (0..6).map(|_| Store::open(f.config.clone(), NOW)).collect();
        for started in starts.join_all().await {
            let store = started.unwrap();
            assert_eq!(store.revision().await.unwrap(), 1, "the built-in group, once");
            assert!(store.open_for("p", "h", &f.store.seal_for("p", "h", b"x")).is_some());
            store.close().await;
        }
    }
    f.finish().await;
}

#[tokio::test]
async fn l03_a_postgres_store_never_makes_a_master_key() {
    let Some(f) = crate::fixture::Fixture::postgres().await else { return };
    let mut config = f.config.clone();
    config.master_key_file = f.dir.path().join("absent.key");
    f.tamper("UPDATE meta SET seal_check = NULL").await;
    assert!(matches!(Store::open(config.clone(), NOW).await.err(), Some(OpenError::MasterKey(_))));
    assert!(!config.master_key_file.exists());
    f.finish().await;
}

#[tokio::test]
async fn f08_only_a_database_that_may_answer_later_is_worth_waiting_for() {
    let open = async |url: &str| {
        let database = Database::Postgres { url: url.into() };
        let config = postern_store::StoreConfig {
            database,
            master_key_file: "/nonexistent".into(),
            previous_master_key_files: Vec::new(),
            migrate: false,
        };
        Store::open(config, NOW).await.err().unwrap()
    };
    // Nobody listens there yet.
    assert!(open("postgres://postern@127.0.0.1:1/postern").await.may_pass());
    assert!(!open("postgres://u:p@h:notaport/d").await.may_pass());
    let Some(f) = crate::fixture::Fixture::postgres().await else { return };
    let Database::Postgres { url } = &f.config.database else { unreachable!("a Postgres fixture") };
    let (server, _) = url.rsplit_once('/').unwrap();
    let unknown = open(&format!("{server}/a_database_that_nobody_made")).await;
    assert!(!unknown.may_pass(), "{unknown:?}");
    let no_key = open(url).await;
    assert!(!no_key.may_pass(), "{no_key:?}");
    f.finish().await;
}

#[tokio::test]
async fn l03_the_database_url_is_in_no_debug_text() {
    let database = Database::Postgres { url: "postgres://u:hunter2@h/d".into() };
    assert!(!format!("{database:?}").contains("hunter2"));
    let bad = Store::open(
        postern_store::StoreConfig {
            database: Database::Postgres { url: "postgres://u:hunter2@h:notaport/d".into() },
            master_key_file: "/nonexistent".into(),
            previous_master_key_files: Vec::new(),
            migrate: false,
        },
        NOW,
    );
    let error = bad.await.err().unwrap();
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}
