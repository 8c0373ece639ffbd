//! Sessions that a person ends are listed for every gateway.

use crate::{
    fixture::{NOW, contract, later},
    permits::Scene,
};
use postern_ids::{Ended, NodeId, SessionId};
use postern_store::{
    Actor, Changes, Kind, News,
    journal::{Journal, SessionEnd, SessionFacts, Sweep},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DAY: i64 = 24 * 3600;

fn session(n: u8) -> SessionId {
    SessionId::mint(NOW, [n; 10])
}

contract! {
    async fn an_ended_session_is_listed_and_the_feed_tells(f) {
        let before = f.store.revision().await.unwrap();
        let mut feed = f.store.feed(before);
        let by = Actor::system("test");
        let revision = f.store.end_session(session(1), Ended::EndedByAdmin, &by, NOW).await.unwrap();
        assert_eq!(revision, before + 1);
        let news = tokio::time::timeout(Duration::from_secs(5), feed.next()).await.unwrap();
        let News::Moved { changes: Changes::Listed(changed), .. } = news else { unreachable!("{news:?}") };
        assert_eq!((changed[0].kind, changed[0].id.as_str()), (Kind::Session, session(1).to_string().as_str()));
        let source = f.store.snapshot_source(NOW).await.unwrap();
        assert_eq!(source.revoked.ended_sessions, [(session(1), Ended::EndedByAdmin)].into());
        let audit = f.store.audit_after("store", 0, 100).await.unwrap();
        assert_eq!(audit.last().unwrap().kind, "session.end_ordered");
    }

    async fn ending_an_ended_session_changes_nothing(f) {
        let by = Actor::system("test");
        let first = f.store.end_session(session(1), Ended::EndedByAdmin, &by, NOW).await.unwrap();
        let again = f.store.end_session(session(1), Ended::EndedByPrincipal, &by, later(9)).await.unwrap();
        assert_eq!(again, first);
        let source = f.store.snapshot_source(later(9)).await.unwrap();
        assert_eq!(source.revoked.ended_sessions, [(session(1), Ended::EndedByAdmin)].into());
    }

    async fn a_loader_that_has_the_list_reads_it_again_when_it_moves(f) {
        let mut loader = f.store.snapshot_loader();
        assert!(loader.load(NOW).await.unwrap().revoked.ended_sessions.is_empty());
        f.store.end_session(session(1), Ended::EndedByAdmin, &Actor::system("test"), NOW).await.unwrap();
        assert_eq!(loader.load(NOW).await.unwrap().revoked.ended_sessions.len(), 1);
    }

    async fn the_list_outlives_every_ticket_and_forgets_sooner_what_was_seen_to_end(f) {
        let (journal, _) = Journal::open(&f.dir.path().join("journal"), NodeId::mint(NOW, [1; 10])).unwrap();
        let facts = SessionFacts { ingress: "client", connector: None, generation: 1, at: NOW };
        let seen = journal.record(Scene::new(NOW).permit(), facts).await.unwrap().permit().session();
        let ended = Ended::EndedByAdmin;
        journal.ended(SessionEnd { session: seen, generation: 1, ended, bytes_up: 0, bytes_down: 0, at: NOW });
        let (stop, sweep) = (CancellationToken::new(), Sweep { wait: Duration::ZERO, is_held: Box::new(|_| false) });
        let (to, from, token) = (f.store.clone(), journal.clone(), stop.clone());
        let shipping = tokio::spawn(async move { from.ship(to, sweep, token).await });
        let end_is_there = async {
            while f.store.session(seen).await.unwrap().is_none_or(|session| session.ended.is_none()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), end_is_there).await.unwrap();
        stop.cancel();
        shipping.await.unwrap();

        for session in [seen, session(2)] {
            f.store.end_session(session, ended, &Actor::system("test"), NOW).await.unwrap();
        }
        for (day, listed) in [(0, 2), (2, 1), (7, 1), (8, 0)] {
            f.store.clean(later(day * DAY)).await.unwrap();
            let source = f.store.snapshot_source(later(day * DAY)).await.unwrap();
            assert_eq!(source.revoked.ended_sessions.len(), listed, "day {day}");
        }
    }
}
