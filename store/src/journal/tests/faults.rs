//! F11: a disk that is full, or whose sync fails.

use super::{
    super::disk::{Append, Disk, RealDisk},
    *,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// What goes wrong.
#[derive(Default)]
struct Faults {
    sync_fails: AtomicBool,
    /// Bytes that still fit, while the disk is limited.
    room: AtomicU64,
    is_limited: AtomicBool,
}

struct FaultyDisk(Arc<Faults>);

struct FaultyFile(Box<dyn Append>, Arc<Faults>);

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(FaultyFile(RealDisk.create(path)?, Arc::clone(&self.0))))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl Append for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.1.is_limited.load(Ordering::SeqCst) {
            return self.0.append(bytes);
        }
        let room = self.1.room.load(Ordering::SeqCst);
        let fits = usize::try_from(room).unwrap().min(bytes.len());
        self.0.append(&bytes[..fits])?;
        self.1.room.store(room - fits as u64, Ordering::SeqCst);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.1.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("EIO"));
        }
        self.0.sync()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        // A disk that fails to sync may also fail to cut: what lies behind must not count anyway.
        if self.1.sync_fails.load(Ordering::SeqCst) { Err(io::Error::other("EIO")) } else { self.0.cut(len) }
    }
}

fn open(dir: &Path) -> (Journal, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let (journal, _) = Journal::open_on(Box::new(FaultyDisk(Arc::clone(&faults))), dir, node()).unwrap();
    (journal, faults)
}

#[tokio::test]
async fn f11_after_a_failed_sync_nobody_is_admitted_and_live_sessions_keep_their_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, faults) = open(dir.path());
    let scene = Scene::new(NOW);
    let live = journal.record(scene.permit(), facts()).await.unwrap().permit().session();

    faults.sync_fails.store(true, Ordering::SeqCst);
    let refused = scene.permit();
    let refused_session = refused.session();
    assert_eq!(journal.record(refused, facts()).await.err(), Some(NotRecorded::Failing));
    assert_eq!(journal.record(scene.permit(), facts()).await.err(), Some(NotRecorded::Failing));
    assert!(!journal.is_healthy());
    let resumed = journal.resumed(scene.permit_again(live), SessionFacts { generation: 2, ..facts() }).await;
    assert_eq!(resumed.err(), Some(NotRecorded::Failing));
    journal.left(left(live));
    journal.ended(end_of(live));

    faults.sync_fails.store(false, Ordering::SeqCst);
    eventually(|| journal.is_healthy()).await;
    let admitted = journal.record(scene.permit(), facts()).await.unwrap();
    assert_eq!(admitted.sequence(), 4);
    journal.close();
    let found = records(dir.path());
    assert_eq!(found.len(), 4);
    assert!(!found.iter().any(|record| record.body.contains(&refused_session.to_string())));
    assert_eq!(ends(dir.path()), [(live, Ended::Finished)]);
}

#[tokio::test]
async fn f11_a_disk_that_fills_up_in_the_middle_of_a_record_loses_nothing_that_was_answered() {
    for room in [0, 1, 7, 60, 500] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, faults) = open(dir.path());
        let scene = Scene::new(NOW);
        journal.record(scene.permit(), facts()).await.unwrap();
        faults.room.store(room, Ordering::SeqCst);
        faults.is_limited.store(true, Ordering::SeqCst);
        assert_eq!(journal.record(scene.permit(), facts()).await.err(), Some(NotRecorded::Failing));
        assert_eq!(records(dir.path()).len(), 1);
        faults.is_limited.store(false, Ordering::SeqCst);
        eventually(|| journal.is_healthy()).await;
        assert_eq!(journal.record(scene.permit(), facts()).await.unwrap().sequence(), 2);
        journal.close();
        assert_eq!(records(dir.path()).len(), 2);
    }
}

#[tokio::test]
async fn f11_a_crash_while_the_disk_fails_leaves_a_journal_that_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, faults) = open(dir.path());
    let scene = Scene::new(NOW);
    journal.record(scene.permit(), facts()).await.unwrap();
    faults.sync_fails.store(true, Ordering::SeqCst);
    assert!(journal.record(scene.permit(), facts()).await.is_err());
    let after = copy(dir.path());
    let (again, report) = Journal::open(after.path(), node()).unwrap();
    assert!(report.last_sequence >= 1);
    again.record(scene.permit(), facts()).await.unwrap();
}
