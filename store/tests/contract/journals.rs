//! Shipping: what a node's journal holds comes to the store, once and in order.

use crate::{
    fixture::{Fixture, NOW, contract},
    permits::Scene,
};
use postern_ids::{Ended, NodeId, SessionId};
use postern_store::{
    AuditVerdict, SessionFilter, Store,
    journal::{Journal, SessionEnd, SessionFacts, Sweep},
};
use std::{path::Path, time::Duration};
use tokio_util::sync::CancellationToken;

fn open(dir: &Path) -> Journal {
    Journal::open(&dir.join("journal"), NodeId::mint(NOW, [1; 10])).unwrap().0
}

fn ship(journal: &Journal, store: &Store) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let stop = CancellationToken::new();
    let (journal, store, token) = (journal.clone(), store.clone(), stop.clone());
    let sweep = Sweep { wait: Duration::ZERO, is_held: Box::new(|_| false) };
    (stop, tokio::spawn(async move { journal.ship(store, sweep, token).await }))
}

async fn admit(journal: &Journal, scene: &Scene) -> SessionId {
    let facts = SessionFacts { ingress: "client", connector: None, generation: 0, at: NOW };
    journal.record(scene.permit(), facts).await.unwrap().permit().session()
}

fn end(session: SessionId, ended: Ended) -> SessionEnd {
    SessionEnd { session, generation: 0, ended, bytes_up: 10, bytes_down: 20, at: crate::fixture::later(5) }
}

/// Waits until the store holds this many records of the chain.
async fn shipped(f: &Fixture, chain: &str, records: u64) {
    let waiting = async {
        while f.store.verify_audit(chain).await.unwrap() != (AuditVerdict::Whole { records }) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
}

contract! {
    async fn what_is_recorded_can_be_asked_for_in_the_store(f) {
        let (journal, scene) = (open(f.dir.path()), Scene::new(NOW));
        let (stop, shipping) = ship(&journal, &f.store);
        let session = admit(&journal, &scene).await;
        let deny = scene.deny();
        journal.denied(&deny);
        journal.ended(end(session, Ended::Revoked));
        shipped(f, journal.chain(), 3).await;

        let entry = f.store.session(session).await.unwrap().unwrap();
        assert_eq!(entry.ended, Some((Ended::Revoked, crate::fixture::later(5))));
        assert_eq!((entry.bytes_up, entry.bytes_down, entry.started_at), (10, 20, NOW));
        assert!(entry.sign_in.is_some());
        let decision = f.store.decision(entry.decision).await.unwrap().unwrap();
        assert_eq!(decision.record.session, session);
        assert_eq!(entry.source, Some(decision.record.source), "known after the end too");
        let denied = f.store.decision(deny.decision()).await.unwrap().unwrap();
        assert_eq!(denied.record, deny.record());
        assert!(f.store.audit_chains().await.unwrap().contains(&journal.chain().to_owned()));
        stop.cancel();
        shipping.await.unwrap();
    }

    async fn sessions_are_listed_newest_first_and_by_filter(f) {
        let (journal, scene) = (open(f.dir.path()), Scene::new(NOW));
        let (stop, shipping) = ship(&journal, &f.store);
        let mut sessions = Vec::new();
        for _ in 0..120 {
            sessions.push(admit(&journal, &scene).await);
        }
        journal.ended(end(sessions[0], Ended::Finished));
        shipped(f, journal.chain(), 121).await;
        sessions.sort_unstable_by(|a, b| b.cmp(a));
        let all = f.store.sessions(&SessionFilter::default(), 1000).await.unwrap();
        assert_eq!(all.iter().map(|s| s.id).collect::<Vec<_>>(), sessions);
        let filter = SessionFilter { principal: Some(all[0].principal.clone()), resource: Some(all[0].resource), live: true, before: Some(all[9].id) };
        let page = f.store.sessions(&filter, 10).await.unwrap();
        assert_eq!(page.len(), 10);
        assert!(page.iter().all(|s| s.ended.is_none() && s.id < all[9].id));
        let nobody = SessionFilter { principal: Some("usr_nobody".into()), ..SessionFilter::default() };
        assert!(f.store.sessions(&nobody, 10).await.unwrap().is_empty());
        stop.cancel();
        shipping.await.unwrap();
    }

    async fn a_session_ends_once_whoever_comes_second(f) {
        let (journal, scene) = (open(f.dir.path()), Scene::new(NOW));
        let (stop, shipping) = ship(&journal, &f.store);
        let session = admit(&journal, &scene).await;
        journal.ended(end(session, Ended::Revoked));
        shipped(f, journal.chain(), 2).await;
        journal.ended(end(session, Ended::Finished));
        shipped(f, journal.chain(), 3).await;
        assert_eq!(f.store.session(session).await.unwrap().unwrap().ended.unwrap().0, Ended::Revoked);
        stop.cancel();
        shipping.await.unwrap();
    }

    async fn f05_records_made_without_a_database_arrive_when_it_is_back_and_files_go(f) {
        let (journal, scene) = (open(f.dir.path()), Scene::new(NOW));
        for _ in 0..30 {
            admit(&journal, &scene).await;
        }
        let chain = journal.chain().to_owned();
        journal.close();
        // Twice, so that there are closed segments to remove.
        let journal = open(f.dir.path());
        admit(&journal, &scene).await;
        assert_eq!(std::fs::read_dir(f.dir.path().join("journal")).unwrap().count(), 2);
        let (stop, shipping) = ship(&journal, &f.store);
        // The thirty of the closed process, one of this one, and an end for each of the thirty.
        shipped(f, &chain, 61).await;
        let files = async {
            while std::fs::read_dir(f.dir.path().join("journal")).unwrap().count() > 1 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), files).await.unwrap();
        stop.cancel();
        shipping.await.unwrap();
    }

    async fn sessions_of_a_process_that_was_killed_are_ended_as_lost_and_living_ones_are_not(f) {
        let (journal, scene) = (open(f.dir.path()), Scene::new(NOW));
        let lost = admit(&journal, &scene).await;
        journal.close();
        let journal = open(f.dir.path());
        let alive = admit(&journal, &scene).await;
        let (stop, shipping) = ship(&journal, &f.store);
        shipped(f, journal.chain(), 3).await;
        assert_eq!(f.store.session(lost).await.unwrap().unwrap().ended.unwrap().0, Ended::Lost);
        assert_eq!(f.store.session(alive).await.unwrap().unwrap().ended, None);
        stop.cancel();
        shipping.await.unwrap();
    }

    async fn shipping_again_from_the_start_doubles_nothing(f) {
        let (journal, scene) = (open(f.dir.path()), Scene::new(NOW));
        for _ in 0..5 {
            admit(&journal, &scene).await;
        }
        for _ in 0..3 {
            let (stop, shipping) = ship(&journal, &f.store);
            shipped(f, journal.chain(), 5).await;
            stop.cancel();
            shipping.await.unwrap();
        }
        assert_eq!(f.store.sessions(&SessionFilter::default(), 100).await.unwrap().len(), 5);
    }

    async fn l04_a_node_that_was_set_back_does_not_write_over_its_history(f) {
        let (journal, scene) = (open(f.dir.path()), Scene::new(NOW));
        admit(&journal, &scene).await;
        let (journal_dir, kept) = (f.dir.path().join("journal"), f.dir.path().join("kept"));
        std::fs::create_dir(&kept).unwrap();
        for file in std::fs::read_dir(&journal_dir).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), kept.join(file.file_name())).unwrap();
        }
        admit(&journal, &scene).await;
        let (stop, shipping) = ship(&journal, &f.store);
        shipped(f, journal.chain(), 2).await;
        stop.cancel();
        shipping.await.unwrap();
        journal.close();

        std::fs::remove_dir_all(&journal_dir).unwrap();
        std::fs::rename(&kept, &journal_dir).unwrap();
        let journal = open(f.dir.path());
        for _ in 0..3 {
            admit(&journal, &scene).await;
        }
        let (_stop, shipping) = ship(&journal, &f.store);
        // Shipping ends by itself: this needs a person.
        tokio::time::timeout(Duration::from_secs(20), shipping).await.unwrap().unwrap();
        assert_eq!(f.store.verify_audit(journal.chain()).await.unwrap(), AuditVerdict::Whole { records: 2 });
    }
}
