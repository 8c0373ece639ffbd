//! F8 and L3: a database that does not answer holds nobody, and a stolen one lets nobody in.

use crate::{
    credentials::sign_in,
    fixture::{Fixture, NOW, contract, later, write_master_key},
    permits::Scene,
};
use postern_ids::NodeId;
use postern_policy::model::PrincipalId;
use postern_store::{
    Actor, Database, KeyKind, NewOwner, RefreshToken, SecretHash, SigningKey, StoreError, User,
    journal::{Journal, SessionFacts},
};
use sqlx::Connection;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f08_a_database_that_does_not_answer_holds_no_caller_for_long_and_no_session_at_all() {
    let Some(f) = Fixture::postgres().await else { return };
    let ada = PrincipalId::User(f.put_user("ada").await.id);
    let Database::Postgres { url } = &f.config.database else { unreachable!("a Postgres fixture") };
    let mut intruder = sqlx::PgConnection::connect(url).await.unwrap();
    let mut hold = intruder.begin().await.unwrap();
    sqlx::query("LOCK TABLE meta, users, memberships IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *hold)
        .await
        .unwrap();

    let began = Instant::now();
    assert!(matches!(f.store.principal(ada).await, Err(StoreError::Unavailable(_))));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let began = Instant::now();
    assert!(f.store.change(Actor::system("test"), NOW).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    let (journal, _) = Journal::open(&f.dir.path().join("journal"), NodeId::mint(NOW, [1; 10])).unwrap();
    let facts = SessionFacts { ingress: "client", connector: None, generation: 0, at: NOW };
    journal.record(Scene::new(NOW).permit(), facts).await.unwrap();

    hold.rollback().await.unwrap();
    intruder.close().await.unwrap();
    assert!(f.store.principal(ada).await.unwrap().is_some());
    f.finish().await;
}

contract! {
    async fn l03_nothing_in_a_stolen_database_is_a_usable_credential(f) {
        let user = User::local(postern_ids::UserId::mint(NOW, [1; 10]), "ada".parse().unwrap());
        f.store.issue_bootstrap_token(SecretHash([1; 32]), later(900), NOW).await.unwrap();
        let owner = NewOwner { user: user.clone(), password_hash: "$argon2id$v=19$hash".into() };
        f.store.bootstrap(SecretHash([1; 32]), &owner, NOW).await.unwrap();
        let sign_in = sign_in(user.id);
        f.store.begin_sign_in(&sign_in, NOW).await.unwrap();
        let token = |n: u8| RefreshToken { text: format!("psr_CANARY_REFRESH_{n}").into(), hash: SecretHash([n; 32]), expires_at: later(3600) };
        f.store.issue_refresh_token(sign_in.id, &token(3), NOW).await.unwrap();
        f.store.rotate_refresh_token(SecretHash([3; 32]), &token(4), NOW).await.unwrap();
        let key = SigningKey {
            kid: "k1".into(),
            kind: KeyKind::Access,
            secret: b"CANARY_PRIVATE_KEY".to_vec().into(),
            public: "{}".into(),
            created_at: NOW,
            signs_from: NOW,
            retires_at: later(3600),
        };
        f.store.rotate_signing_key(Actor::system("test"), &key, NOW, NOW).await.unwrap();
        if let Database::Sqlite { path } = &f.config.database {
            let mut stolen = std::fs::read(path).unwrap();
            stolen.extend(std::fs::read(path.with_extension("db-wal")).unwrap_or_default());
            assert!(stolen.windows(6).any(|w| w == b"argon2"), "the rows are in these files");
            assert!(!stolen.windows(6).any(|w| w == b"CANARY"));
        }
        // With another master key, as a thief without the file would have to guess, it does not even open.
        f.store.close().await;
        write_master_key(&f.config.master_key_file, 'C');
        assert!(postern_store::Store::open(f.config.clone(), NOW).await.is_err());
    }
}
