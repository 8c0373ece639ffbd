//! Crashes in the middle of a write, and disks that lie.

use super::{super::JournalError, *};
use std::fs::OpenOptions;

/// A journal of one segment with some records, as a crash would leave it: the bytes and where each record ends.
async fn one_segment() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    let scene = Scene::new(NOW);
    for _ in 0..3 {
        let session = journal.record(scene.permit(), facts()).await.unwrap().permit().session();
        let again = scene.permit_again(session);
        journal.resumed(again, SessionFacts { generation: 2, ..facts() }).await.unwrap();
        journal.left(left(session));
        journal.ended(end_of(session));
    }
    journal.close();
    let (_, file) = segment::list(dir.path()).unwrap().pop().unwrap();
    (dir, file)
}

#[tokio::test]
async fn f34_a_tail_torn_at_any_byte_is_cut_and_told_and_the_chain_goes_on() {
    let (dir, file) = one_segment().await;
    let whole = records(dir.path());
    let full = fs::metadata(&file).unwrap().len();
    let mut counts = Vec::new();
    for len in 0..=full {
        let torn = copy(dir.path());
        let path = torn.path().join(file.file_name().unwrap());
        OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();
        let found = recover::recover(torn.path(), node(), [0; 8]).unwrap();
        let kept = usize::try_from(found.report.records).unwrap();
        let left = fs::metadata(&path).map_or(0, |meta| meta.len());
        assert_eq!(found.report.cut.as_ref().map_or(0, |(_, bytes)| *bytes), len - left, "length {len}");
        assert_eq!(records(torn.path()), whole[..kept], "length {len}");
        counts.push(kept);
    }
    assert!(counts.is_sorted());
    assert_eq!((counts.first(), counts.last()), (Some(&0), Some(&whole.len())));
}

#[tokio::test]
async fn f34_a_torn_journal_records_again_after_what_it_kept() {
    let (dir, file) = one_segment().await;
    let full = fs::metadata(&file).unwrap().len();
    OpenOptions::new().write(true).open(&file).unwrap().set_len(full - 1).unwrap();
    let (journal, report) = Journal::open(dir.path(), node()).unwrap();
    assert!(report.cut.is_some());
    let admitted = journal.record(Scene::new(NOW).permit(), facts()).await.unwrap();
    assert_eq!(admitted.sequence(), report.last_sequence + 1);
    journal.close();
    assert_eq!(records(dir.path()).len() as u64, admitted.sequence());
}

#[tokio::test]
async fn l04_damage_in_a_segment_that_was_closed_is_refused_at_every_byte_of_its_records() {
    let (dir, file) = one_segment().await;
    let (journal, _) = Journal::open(dir.path(), node()).unwrap();
    journal.record(Scene::new(NOW).permit(), facts()).await.unwrap();
    journal.close();
    let bytes = fs::read(&file).unwrap();
    for at in (segment::HEADER_LEN..bytes.len()).step_by(7) {
        let damaged = copy(dir.path());
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        fs::write(damaged.path().join(file.file_name().unwrap()), bad).unwrap();
        let refused = Journal::open(damaged.path(), node()).err();
        assert!(matches!(refused, Some(JournalError::Damaged { .. })), "byte {at}: {refused:?}");
    }
}

#[tokio::test]
async fn l04_a_segment_that_is_missing_in_the_middle_is_noticed() {
    let (dir, _) = one_segment().await;
    for _ in 0..2 {
        let (journal, _) = Journal::open(dir.path(), node()).unwrap();
        journal.record(Scene::new(NOW).permit(), facts()).await.unwrap();
        journal.close();
    }
    let files = segment::list(dir.path()).unwrap();
    fs::remove_file(&files[1].1).unwrap();
    assert!(matches!(Journal::open(dir.path(), node()).err(), Some(JournalError::Damaged { .. })));
}
