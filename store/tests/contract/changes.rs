//! Changes: one transaction for object, revision, feed and audit.

use crate::fixture::{NOW, contract, name};
use postern_ids::SiteId;
use postern_policy::model::Site;
use postern_store::{Actor, AuditVerdict, Expect};

fn site(n: u8) -> Site {
    Site { id: SiteId::mint(NOW, [n; 10]), name: name(&format!("site{n}")) }
}

contract! {
    async fn a_change_that_is_dropped_leaves_nothing(f) {
        let before = f.store.revision().await.unwrap();
        let mut change = f.change().await;
        change.put(&site(1), Expect::New).await.unwrap();
        drop(change);
        assert_eq!(f.store.revision().await.unwrap(), before);
        assert!(f.store.all::<Site>().await.unwrap().is_empty());
        let next = f.put_site("office").await;
        assert_eq!(f.store.revision().await.unwrap(), before + 1);
        assert_eq!(f.store.all::<Site>().await.unwrap()[0].value, next);
    }

    async fn parallel_changes_get_revisions_without_gaps(f) {
        let before = f.store.revision().await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..16 {
            let store = f.store.clone();
            writers.spawn(async move {
                let mut change = store.change(Actor::system("test"), NOW).await.unwrap();
                change.put(&site(n), Expect::New).await.unwrap();
                change.commit().await.unwrap()
            });
        }
        let mut revisions = writers.join_all().await;
        revisions.sort_unstable();
        assert_eq!(revisions, (before + 1..=before + 16).collect::<Vec<_>>());
        assert!(matches!(f.store.verify_audit("store").await.unwrap(), AuditVerdict::Whole { .. }));
    }

    async fn every_change_is_in_the_audit_with_its_actor(f) {
        let site = f.put_site("office").await;
        let entries = f.store.audit_after("store", 0, 100).await.unwrap();
        let entry = entries.last().unwrap();
        assert_eq!(entry.kind, "site.created");
        let body: serde_json::Value = serde_json::from_str(&entry.body).unwrap();
        assert_eq!(body["id"], site.id.to_string());
        assert_eq!(body["actor"]["reason"], "test");
        assert_eq!(body["after"]["name"], "office");
    }

    async fn l04_an_altered_audit_row_is_found_at_its_position(f) {
        for n in 0..5 {
            f.put_site(&format!("site{n}")).await;
        }
        let AuditVerdict::Whole { records } = f.store.verify_audit("store").await.unwrap() else { unreachable!("a chain nobody touched") };
        assert!(records >= 5);
        f.tamper("UPDATE audit SET body = replace(body, 'site2', 'site9') WHERE chain = 'store' AND sequence = 4").await;
        assert_eq!(f.store.verify_audit("store").await.unwrap(), AuditVerdict::Broken { sequence: 4 });
    }

    async fn l04_a_deleted_audit_row_is_found_at_its_position(f) {
        for n in 0..5 {
            f.put_site(&format!("site{n}")).await;
        }
        f.tamper("DELETE FROM audit WHERE chain = 'store' AND sequence = 3").await;
        assert_eq!(f.store.verify_audit("store").await.unwrap(), AuditVerdict::Broken { sequence: 3 });
    }

    async fn l04_audit_rows_in_another_order_are_found(f) {
        for n in 0..5 {
            f.put_site(&format!("site{n}")).await;
        }
        f.tamper("UPDATE audit SET sequence = -2 WHERE chain = 'store' AND sequence = 2").await;
        f.tamper("UPDATE audit SET sequence = 2 WHERE chain = 'store' AND sequence = 3").await;
        f.tamper("UPDATE audit SET sequence = 3 WHERE chain = 'store' AND sequence = -2").await;
        assert_eq!(f.store.verify_audit("store").await.unwrap(), AuditVerdict::Broken { sequence: 2 });
    }

    async fn l04_an_audit_cut_at_its_end_is_found(f) {
        for n in 0..5 {
            f.put_site(&format!("site{n}")).await;
        }
        f.tamper("DELETE FROM audit WHERE chain = 'store' AND sequence >= 5").await;
        assert_eq!(f.store.verify_audit("store").await.unwrap(), AuditVerdict::Broken { sequence: 5 });
    }
}
