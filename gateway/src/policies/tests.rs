#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use postern_ids::{ServiceAccountId, Timestamp};
use postern_policy::{SnapshotSource, model::Principal};
use postern_store::{Database, Store, StoreConfig};

async fn store(dir: &tempfile::TempDir) -> Store {
    let database = Database::Sqlite { path: dir.path().join("store.db") };
    let master_key_file = dir.path().join("master.key");
    Store::open(
        StoreConfig { database, master_key_file, previous_master_key_files: Vec::new(), migrate: true },
        wall_clock(),
    )
    .await
    .unwrap()
}

fn snapshot(revision: u64) -> Snapshot {
    Snapshot::build(SnapshotSource { revision, ..SnapshotSource::default() }).unwrap()
}

fn somebody() -> PrincipalId {
    PrincipalId::ServiceAccount(ServiceAccountId::mint(Timestamp::EPOCH, [1; 10]))
}

fn read_at(revision: u64) -> Arc<Principal> {
    Arc::new(Principal { id: somebody(), name: "robot".into(), groups: Vec::new(), revision })
}

#[tokio::test]
async fn staleness_counts_from_the_last_confirmation_of_the_revision_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let confirmed = watch::Sender::new(None);
    let long_ago = Instant::now() - Duration::from_secs(100);
    let principals = Principals::new(store(&dir).await);
    let policies = Policies::new(snapshot(7), long_ago, confirmed.subscribe(), principals);
    assert!(policies.current().1.as_secs() >= 100);
    let half = Instant::now() - Duration::from_secs(50);
    confirmed.send_replace(Some(Confirmed { revision: 7, at: half }));
    assert!((50..60).contains(&policies.current().1.as_secs()));
    // The store is there, but what it holds is not what decides here.
    confirmed.send_replace(Some(Confirmed { revision: 8, at: Instant::now() }));
    assert!((50..60).contains(&policies.current().1.as_secs()));
    policies.publish(snapshot(8), Instant::now());
    assert!(policies.current().1.as_secs() <= 1);
}

#[tokio::test]
async fn revocations_on_top_of_an_older_policy_do_not_make_it_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let confirmed = watch::Sender::new(None);
    let long_ago = Instant::now() - Duration::from_secs(400);
    let principals = Principals::new(store(&dir).await);
    let policies = Policies::new(snapshot(7), long_ago, confirmed.subscribe(), principals);
    policies.publish(policies.snapshot().with_revocations(&Default::default()), Instant::now());
    assert!(policies.current().1.as_secs() >= 400);
}

#[tokio::test]
async fn a_principal_that_changed_while_it_was_read_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let principals = Principals::new(store(&dir).await);
    principals.want(somebody());
    assert_eq!(principals.changed([somebody()], 10), [somebody()]);
    assert!(principals.keep(read_at(9)).is_none());
    assert!(principals.cached(somebody()).is_none(), "nobody enters with the rights of before");
    assert!(principals.keep(read_at(10)).is_some());
    assert_eq!(principals.keep(read_at(9)).map(|kept| kept.revision), Some(10));
}

#[tokio::test]
async fn changes_of_principals_that_nobody_used_cost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let principals = Principals::new(store(&dir).await);
    assert!(principals.changed([somebody()], 10).is_empty());
    assert_eq!(principals.get(somebody()).await, Err(PrincipalError::Unknown));
    assert!(principals.all_changed(11).is_empty(), "one that does not exist is not remembered");
}

#[tokio::test]
async fn d06_after_a_gap_in_the_feed_nobody_is_decided_by_what_was_read_before() {
    let dir = tempfile::tempdir().unwrap();
    let principals = Principals::new(store(&dir).await);
    assert!(principals.keep(read_at(7)).is_some() && principals.cached(somebody()).is_some());
    assert_eq!(principals.all_changed(10), [somebody()], "whoever is in use is read again");
    assert!(principals.cached(somebody()).is_none());
    assert!(principals.keep(read_at(9)).is_none(), "read before the gap ended");
    assert!(principals.keep(read_at(10)).is_some() && principals.cached(somebody()).is_some());
}
