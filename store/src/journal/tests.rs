//! The journal against crashes and failing disks.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../tests/support/permits.rs"]
#[expect(unreachable_pub, reason = "shared with the tests outside of the crate")]
mod permits;

mod faults;
mod torn;

use super::{
    Journal, NotRecorded, SessionEnd, SessionFacts, SessionLeft,
    read::{Cursor, Record},
    record::EndBody,
    recover, segment,
};
use permits::Scene;
use postern_ids::{Ended, NodeId, SessionId, Timestamp};
use std::{fs, path::Path, time::Duration};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn node() -> NodeId {
    NodeId::mint(NOW, [1; 10])
}

fn facts() -> SessionFacts {
    SessionFacts { ingress: "client", connector: None, generation: 1, at: NOW }
}

fn end_of(session: SessionId) -> SessionEnd {
    SessionEnd { session, generation: 1, ended: Ended::Finished, bytes_up: 1, bytes_down: 2, at: NOW }
}

fn left(session: SessionId) -> SessionLeft {
    SessionLeft { session, generation: 2, bytes_up: 3, bytes_down: 4, at: NOW }
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for (_, file) in segment::list(from).unwrap() {
        fs::copy(&file, to.path().join(file.file_name().unwrap())).unwrap();
    }
    to
}

/// Every record in a directory, as the next start would find it. Works on a copy.
fn records(dir: &Path) -> Vec<Record> {
    let copy = copy(dir);
    let found = recover::recover(copy.path(), node(), [0; 8]).unwrap();
    let Some(oldest) = found.segments.first() else { return Vec::new() };
    let mut cursor = Cursor::at_start(oldest);
    let mut all = Vec::new();
    while cursor.head.sequence < found.report.last_sequence {
        all.extend(cursor.read(&found.segments, found.report.last_sequence, 3).unwrap());
    }
    all
}

fn ends(dir: &Path) -> Vec<(SessionId, Ended)> {
    let ended = |record: &Record| {
        let body: Option<EndBody> = serde_json::from_str(&record.body).ok();
        body.map(|body| (body.session, body.ended))
    };
    records(dir).iter().filter_map(ended).collect()
}

/// Waits for something that another thread does.
async fn eventually(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
}

#[tokio::test]
async fn an_allow_is_on_disk_when_its_answer_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, report) = Journal::open(dir.path(), node()).unwrap();
    assert_eq!(report, super::RecoveryReport::default());
    let scene = Scene::new(NOW);
    for n in 1..=3 {
        let permit = scene.permit();
        let session = permit.session();
        let admitted = journal.record(permit, facts()).await.unwrap();
        assert_eq!((admitted.sequence(), admitted.permit().session()), (n, session));
        let found = records(dir.path());
        assert_eq!(found.len() as u64, n);
        assert!(found.last().unwrap().body.contains(&session.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_allows_share_groups_and_none_is_lost_or_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let journal = journal.clone();
        callers.spawn(async move {
            let scene = Scene::new(NOW);
            let mut sequences = Vec::new();
            for _ in 0..20 {
                sequences.push(journal.record(scene.permit(), facts()).await.unwrap().sequence());
            }
            sequences
        });
    }
    let mut sequences = callers.join_all().await.concat();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=400).collect::<Vec<_>>());
    assert_eq!(records(dir.path()).len(), 400);
}

#[tokio::test]
async fn a_journal_opened_again_continues_its_chain() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(NOW);
    let mut chain = None;
    for round in 0..4 {
        let (journal, report) = Journal::open(dir.path(), node()).unwrap();
        assert_eq!((report.records, report.last_sequence, report.cut), (round, round, None));
        assert_eq!(*chain.get_or_insert(journal.chain().to_owned()), journal.chain());
        journal.record(scene.permit(), facts()).await.unwrap();
        journal.close();
    }
    assert_eq!(records(dir.path()).len(), 4);
}

#[tokio::test]
async fn a_journal_of_another_node_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::open(dir.path(), node()).unwrap());
    let other = NodeId::mint(NOW, [9; 10]);
    assert!(matches!(Journal::open(dir.path(), other).err(), Some(super::JournalError::OtherNode { .. })));
}

#[tokio::test]
async fn two_journals_of_one_node_are_two_chains() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, _) = Journal::open(one.path(), node()).unwrap();
    let (second, _) = Journal::open(two.path(), node()).unwrap();
    assert_ne!(first.chain(), second.chain());
}

#[tokio::test]
async fn a_closed_journal_admits_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    journal.close();
    assert!(!journal.is_healthy());
    assert_eq!(journal.record(Scene::new(NOW).permit(), facts()).await.err(), Some(NotRecorded::Closed));
}

#[tokio::test]
async fn an_end_handed_over_before_the_close_is_on_disk_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    let admitted = journal.record(Scene::new(NOW).permit(), facts()).await.unwrap();
    let session = admitted.permit().session();
    journal.ended(end_of(session));
    journal.close();
    assert_eq!(ends(dir.path()), [(session, Ended::Finished)]);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_session_without_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    let scene = Scene::new(NOW);
    let mut gone = Vec::new();
    for _ in 0..50 {
        let permit = scene.permit();
        let session = permit.session();
        // Polled once, so that the record is on its way, and dropped. On a busy machine even the first poll may find the
        // answer: then the session was admitted, and its end is the caller's.
        tokio::select! {
            biased;
            admitted = journal.record(permit, facts()) => drop(admitted.unwrap()),
            () = std::future::ready(()) => gone.push(session),
        }
    }
    assert!(!gone.is_empty());
    let all_ended = || {
        let ends = ends(dir.path());
        gone.iter().all(|session| ends.contains(&(*session, Ended::NotOpened)))
    };
    eventually(all_ended).await;
    assert_eq!(ends(dir.path()).len(), gone.len());
}

#[tokio::test]
async fn a_resume_is_on_disk_when_its_answer_comes_and_outlives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    let scene = Scene::new(NOW);
    let session = journal.record(scene.permit(), facts()).await.unwrap().permit().session();
    let again = scene.permit_again(session);
    let decision = again.decision();
    let admitted = journal.resumed(again, SessionFacts { generation: 2, ..facts() }).await.unwrap();
    assert_eq!((admitted.sequence(), admitted.permit().session()), (2, session));
    journal.left(left(session));
    eventually(|| records(dir.path()).len() == 3).await;
    // As a crash leaves it.
    let after = copy(dir.path());
    let (again, report) = Journal::open(after.path(), node()).unwrap();
    assert_eq!((report.records, report.cut), (3, None));
    again.close();
    let found = records(after.path());
    let labels: Vec<_> = found.iter().map(|record| record.kind.label()).collect();
    assert_eq!(labels, ["session.admitted", "session.resumed", "session.left"]);
    let body: serde_json::Value = serde_json::from_str(&found[1].body).unwrap();
    assert_eq!(body["generation"], 2);
    assert_eq!(body["decision"]["decision"], decision.to_string());
    assert_eq!(body["decision"]["session"], session.to_string());
}

#[tokio::test]
async fn a_resume_whose_caller_goes_away_ends_no_session() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    let scene = Scene::new(NOW);
    let session = journal.record(scene.permit(), facts()).await.unwrap().permit().session();
    for generation in 2..50 {
        let again = scene.permit_again(session);
        tokio::select! {
            biased;
            admitted = journal.resumed(again, SessionFacts { generation, ..facts() }) => drop(admitted.unwrap()),
            () = std::future::ready(()) => {}
        }
    }
    eventually(|| records(dir.path()).len() == 49).await;
    journal.ended(end_of(session));
    journal.close();
    assert_eq!(ends(dir.path()), [(session, Ended::Finished)]);
}

#[tokio::test]
async fn d01_denials_are_recorded_without_anybody_waiting_and_a_flood_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    let scene = Scene::new(NOW);
    for _ in 0..1000 {
        journal.denied(&scene.deny());
    }
    eventually(|| records(dir.path()).len() >= 5).await;
    let is_denial =
        |record: &Record| record.kind.label() == "session.denied" && record.body.contains("nowhere");
    let found = records(dir.path());
    assert_eq!((found.len(), found.iter().all(is_denial)), (5, true));
    journal.close();
    let found = records(dir.path());
    let counted: serde_json::Value = serde_json::from_str(&found[5].body).unwrap();
    assert_eq!((found.len(), found[5].kind.label()), (6, "denials.suppressed"));
    assert_eq!((&counted["asked"], counted["count"].as_u64()), (&"nowhere".into(), Some(995)));
}

#[tokio::test]
async fn d01_what_is_denied_right_before_a_stop_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    let denied = Scene::new(NOW).deny();
    journal.denied(&denied);
    journal.close();
    let found = records(dir.path());
    assert!(found.len() == 1 && found[0].body.contains(&denied.decision().to_string()), "{found:?}");
}
