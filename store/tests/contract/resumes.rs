//! Sessions that move between gateways: whatever order their records arrive in, the row comes out the same (D14).

use crate::{
    fixture::{Fixture, NOW, contract, later},
    permits::Scene,
};
use postern_ids::{DecisionId, Ended, NodeId, SessionId};
use postern_store::{
    AuditVerdict, SessionEntry, Store,
    journal::{Journal, SessionEnd, SessionFacts, SessionLeft, Sweep},
};
use std::{path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;

/// A gateway, as far as the store can tell.
struct Node {
    id: NodeId,
    dir: PathBuf,
    journal: Journal,
    records: u64,
}

impl Node {
    fn start(f: &Fixture) -> Self {
        let id = NodeId::mint(NOW, rand::random());
        let dir = f.dir.path().join(id.to_string());
        let journal = Journal::open(&dir, id).unwrap().0;
        Self { id, dir, journal, records: 0 }
    }

    /// As after `kill -9`: what was recorded is there, what lived is not.
    fn restart(&mut self) {
        self.journal.close();
        self.journal = Journal::open(&self.dir, self.id).unwrap().0;
    }

    async fn admit(&mut self, scene: &Scene, generation: u32) -> (SessionId, DecisionId) {
        let facts = SessionFacts { ingress: "client", connector: None, generation, at: NOW };
        let admitted = self.journal.record(scene.permit(), facts).await.unwrap();
        self.records += 1;
        (admitted.permit().session(), admitted.permit().decision())
    }

    async fn resume(&mut self, scene: &Scene, session: SessionId, generation: u32) -> DecisionId {
        let facts = SessionFacts { ingress: "client", connector: None, generation, at: later(60) };
        let admitted = self.journal.resumed(scene.permit_again(session), facts).await.unwrap();
        self.records += 1;
        admitted.permit().decision()
    }

    fn end(&mut self, session: SessionId, generation: u32, ended: Ended, bytes: u64) {
        let (bytes_up, bytes_down) = (bytes, 2 * bytes);
        self.journal.ended(SessionEnd { session, generation, ended, bytes_up, bytes_down, at: later(90) });
        self.records += 1;
    }

    fn leave(&mut self, session: SessionId, generation: u32, bytes: u64) {
        let (bytes_up, bytes_down) = (bytes, 2 * bytes);
        self.journal.left(SessionLeft { session, generation, bytes_up, bytes_down, at: later(80) });
        self.records += 1;
    }

    /// Brings everything that was recorded to the store.
    async fn ship(&self, store: &Store) {
        self.ship_with(store, Duration::from_secs(3600), |_| false, self.records).await;
    }

    async fn ship_with(
        &self,
        store: &Store,
        wait: Duration,
        is_held: impl Fn(SessionId) -> bool + Send + Sync + 'static,
        records: u64,
    ) {
        let (stop, sweep) = (CancellationToken::new(), Sweep { wait, is_held: Box::new(is_held) });
        let (journal, to, token) = (self.journal.clone(), store.clone(), stop.clone());
        let shipping = tokio::spawn(async move { journal.ship(to, sweep, token).await });
        let waiting = async {
            while store.verify_audit(self.journal.chain()).await.unwrap() != (AuditVerdict::Whole { records })
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
        stop.cancel();
        shipping.await.unwrap();
    }
}

async fn row(f: &Fixture, session: SessionId) -> SessionEntry {
    f.store.session(session).await.unwrap().unwrap()
}

/// Every order of three.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// What three gateways say about one session, shipped in this order. Gives the row and the node that should own it.
async fn told(
    f: &Fixture,
    order: [usize; 3],
    say: impl AsyncFn(&Scene, SessionId, &mut [Node; 3]),
) -> (SessionEntry, NodeId) {
    let scene = Scene::new(NOW);
    let mut nodes = [Node::start(f), Node::start(f), Node::start(f)];
    let (session, _) = nodes[0].admit(&scene, 1).await;
    say(&scene, session, &mut nodes).await;
    for node in order {
        nodes[node].ship(&f.store).await;
    }
    (row(f, session).await, nodes[1].id)
}

contract! {
    async fn a_resume_moves_the_session_and_both_decisions_explain_it(f) {
        let scene = Scene::new(NOW);
        let (mut first, mut second) = (Node::start(f), Node::start(f));
        let (session, admitted) = first.admit(&scene, 1).await;
        first.ship(&f.store).await;
        let before = row(f, session).await;
        assert_eq!((before.node, before.generation, before.decision), (first.id, 1, admitted));

        let resumed = second.resume(&scene, session, 2).await;
        second.ship(&f.store).await;
        let after = row(f, session).await;
        assert_eq!((after.node, after.generation, after.decision), (second.id, 2, resumed));
        assert_eq!((after.started_at, &after.principal, after.ended), (before.started_at, &before.principal, None));
        for (decision, generation, resumed) in [(admitted, 1, false), (resumed, 2, true)] {
            let entry = f.store.decision(decision).await.unwrap().unwrap();
            assert_eq!(entry.record.session, session);
            assert_eq!((entry.generation, entry.is_resume), (Some(generation), resumed));
        }
        let audit = f.store.audit_after(second.journal.chain(), 0, 10).await.unwrap();
        assert_eq!(audit[0].kind, "session.resumed");
    }

    async fn a_resume_of_a_session_that_the_store_has_not_heard_of_makes_its_row(f) {
        let scene = Scene::new(NOW);
        let (mut first, mut second) = (Node::start(f), Node::start(f));
        let (session, _) = first.admit(&scene, 1).await;
        let resumed = second.resume(&scene, session, 2).await;
        second.ship(&f.store).await;
        let made = row(f, session).await;
        assert_eq!((made.node, made.generation, made.decision, made.started_at), (second.id, 2, resumed, NOW));
        first.ship(&f.store).await;
        assert_eq!(row(f, session).await, made, "the late admission changes nothing");
    }

    async fn many_resumes_in_one_batch_leave_the_newest(f) {
        let scene = Scene::new(NOW);
        let mut node = Node::start(f);
        let (session, _) = node.admit(&scene, 1).await;
        let (other, _) = node.admit(&scene, 1).await;
        let mut newest = None;
        for generation in 2..80 {
            newest = Some(node.resume(&scene, session, generation).await);
        }
        node.end(other, 1, Ended::Finished, 5);
        node.ship(&f.store).await;
        let entry = row(f, session).await;
        assert_eq!((entry.generation, Some(entry.decision), entry.ended), (79, newest, None));
        assert_eq!(row(f, other).await.ended.unwrap().0, Ended::Finished);
    }

    async fn d14_an_end_that_a_dead_gateway_presumed_does_not_end_what_moved_on(f) {
        for order in ORDERS {
            let (entry, owner) = told(f, order, async |scene, session, nodes| {
                nodes[0].leave(session, 1, 10);
                nodes[0].end(session, 1, Ended::Lost, 0);
                nodes[1].resume(scene, session, 2).await;
                nodes[2].end(session, 1, Ended::ResumeFailed, 0);
            })
            .await;
            assert_eq!((entry.ended, entry.generation, entry.node), (None, 2, owner), "{order:?}");
            assert_eq!((entry.bytes_up, entry.bytes_down), (10, 20), "{order:?}");
        }
    }

    async fn d14_the_end_of_the_last_generation_counts_and_bytes_add_up(f) {
        for order in ORDERS {
            let (entry, owner) = told(f, order, async |scene, session, nodes| {
                nodes[0].leave(session, 1, 10);
                nodes[0].end(session, 1, Ended::Lost, 0);
                nodes[1].resume(scene, session, 2).await;
                nodes[1].resume(scene, session, 3).await;
                nodes[1].end(session, 3, Ended::Finished, 1);
                nodes[2].end(session, 2, Ended::ClientLost, 0);
            })
            .await;
            let ended = entry.ended.map(|(ended, _)| ended);
            assert_eq!((ended, entry.generation, entry.node), (Some(Ended::Finished), 3, owner), "{order:?}");
            assert_eq!((entry.bytes_up, entry.bytes_down), (11, 22), "{order:?}");
        }
    }

    async fn d14_an_end_that_the_connector_told_stands_against_a_late_resume_of_its_generation(f) {
        // The third gateway was told how generation 2 ended; the second, which carried it, died and ships late.
        for order in ORDERS.into_iter().filter(|order| order[0] != 2) {
            let (entry, owner) = told(f, order, async |scene, session, nodes| {
                nodes[1].resume(scene, session, 2).await;
                nodes[1].end(session, 2, Ended::Lost, 0);
                nodes[2].end(session, 2, Ended::TargetFailed, 0);
            })
            .await;
            let ended = entry.ended.map(|(ended, _)| ended);
            assert_eq!((ended, entry.generation, entry.node), (Some(Ended::TargetFailed), 2, owner), "{order:?}");
        }
    }

    async fn d14_the_first_of_two_seen_ends_of_one_generation_stays(f) {
        let scene = Scene::new(NOW);
        let (mut first, mut second) = (Node::start(f), Node::start(f));
        let (session, _) = first.admit(&scene, 1).await;
        first.end(session, 1, Ended::Revoked, 0);
        second.end(session, 1, Ended::Finished, 0);
        second.end(session, 1, Ended::Lost, 0);
        first.ship(&f.store).await;
        second.ship(&f.store).await;
        assert_eq!(row(f, session).await.ended.unwrap().0, Ended::Revoked);
    }

    async fn shipping_again_adds_no_bytes(f) {
        let scene = Scene::new(NOW);
        let mut node = Node::start(f);
        let (session, _) = node.admit(&scene, 1).await;
        node.leave(session, 1, 7);
        node.end(session, 1, Ended::Finished, 3);
        for _ in 0..3 {
            node.ship(&f.store).await;
        }
        let entry = row(f, session).await;
        assert_eq!((entry.bytes_up, entry.bytes_down), (10, 20));
    }

    async fn a_start_waits_for_sessions_that_can_be_resumed_and_not_for_others(f) {
        let scene = Scene::new(NOW);
        let mut node = Node::start(f);
        let (plain, _) = node.admit(&scene, 0).await;
        let (resumable, _) = node.admit(&scene, 1).await;
        node.restart();
        // The end of the plain one comes at once.
        node.ship_with(&f.store, Duration::from_secs(3600), |_| false, 3).await;
        assert_eq!(row(f, plain).await.ended.unwrap().0, Ended::Lost);
        assert_eq!(row(f, resumable).await.ended, None);
        // The other one's when the time has come.
        node.ship_with(&f.store, Duration::from_millis(300), |_| false, 4).await;
        assert_eq!(row(f, resumable).await.ended.unwrap().0, Ended::Lost);
    }

    async fn d14_sessions_of_a_gateway_that_is_gone_are_found_and_an_end_counts_unless_they_moved(f) {
        let scene = Scene::new(NOW);
        let (mut gone, mut other) = (Node::start(f), Node::start(f));
        for _ in 0..2 {
            f.store.beat(gone.id).await.unwrap();
        }
        f.store.beat(other.id).await.unwrap();
        let mut beats = f.store.beats().await.unwrap();
        beats.sort_by_key(|(_, beats)| *beats);
        assert_eq!(beats, [(other.id, 1), (gone.id, 2)]);
        let (lost, _) = gone.admit(&scene, 3).await;
        let (moved, _) = gone.admit(&scene, 1).await;
        let (over, _) = gone.admit(&scene, 1).await;
        gone.end(over, 1, Ended::Finished, 0);
        gone.ship(&f.store).await;
        assert_eq!(f.store.unended_of(gone.id, 1).await.unwrap().len(), 1, "no more than asked for");
        let mut unended = f.store.unended_of(gone.id, 10).await.unwrap();
        // Ids of one moment stand in no order.
        unended.sort_by_key(|(_, generation)| std::cmp::Reverse(*generation));
        assert_eq!(unended, [(lost, 3), (moved, 1)]);
        other.resume(&scene, moved, 2).await;
        unended.iter().for_each(|&(session, generation)| other.end(session, generation, Ended::Lost, 0));
        other.ship(&f.store).await;
        let ends = [row(f, lost).await, row(f, moved).await, row(f, over).await];
        let ends = ends.map(|entry| entry.ended.map(|(ended, _)| ended));
        assert_eq!(ends, [Some(Ended::Lost), None, Some(Ended::Finished)]);
        // It counts as gone only as long as it is silent.
        f.store.forget_node(gone.id, 1).await.unwrap();
        assert_eq!(f.store.beats().await.unwrap().len(), 2);
        f.store.forget_node(gone.id, 2).await.unwrap();
        assert_eq!(f.store.beats().await.unwrap(), [(other.id, 1)]);
    }

    async fn a_start_ends_neither_what_is_held_here_nor_what_moved(f) {
        let scene = Scene::new(NOW);
        let (mut node, mut other) = (Node::start(f), Node::start(f));
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(node.admit(&scene, 1).await.0);
        }
        let [lost, held, moved, again] = sessions[..] else { unreachable!() };
        node.ship(&f.store).await;
        node.restart();
        other.resume(&scene, moved, 2).await;
        other.ship(&f.store).await;
        node.resume(&scene, again, 2).await;
        node.ship_with(&f.store, Duration::ZERO, move |session| session == held, 6).await;
        let ends = [row(f, lost).await, row(f, held).await, row(f, moved).await, row(f, again).await];
        assert_eq!(ends.map(|entry| entry.ended.map(|(ended, _)| ended)), [Some(Ended::Lost), None, None, None]);
    }
}
