//! The node's journal: every record is durable here before anything happens, and is shipped to the store afterwards.
//!
//! One file at a time, one thread that writes: records that arrive while a sync runs form the next group, so the cost of
//! a sync is shared. A slow or absent database changes nothing here. A journal that cannot sync admits nobody.

mod denials;
mod disk;
mod facts;
mod frame;
mod outcome;
mod queue;
mod read;
mod record;
mod recover;
mod segment;
mod ship;
mod status;
mod writer;

#[cfg(test)]
mod tests;

pub use facts::{RequestCount, RequestsMade, SessionEnd, SessionFacts, SessionLeft, Sweep};
pub use outcome::{JournalError, NotRecorded, RecoveryReport};
pub(crate) use record::{DecisionRead, RecordKind};

use denials::Denials;
use disk::{Disk, RealDisk};
use postern_ids::NodeId;
use postern_policy::{Deny, Permit};
use queue::{Allow, Entry, Queue};
use status::Status;
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use writer::Writer;

/// How long a session waits for its record. A healthy disk takes milliseconds.
const RECORD_MAX: Duration = Duration::from_secs(2);

/// The proof that an allow is on disk. Made only by [`Journal::record`] and [`Journal::resumed`]; whoever holds it may
/// splice once.
#[derive(Debug)]
pub struct Admitted {
    permit: Permit,
    sequence: u64,
}

impl Admitted {
    /// The permit that was recorded.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The record's position in the node's chain.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// The handle; clones share the journal.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Arc<Queue>,
    status: Arc<Status>,
    denials: Arc<Denials>,
    node: NodeId,
    chain: String,
    recovered: u64,
    /// In the order in which they end.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    fn close(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let join = |thread: JoinHandle<()>| {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        };
        // What was denied, or only counted, is written before nothing is taken any more.
        self.denials.close();
        let mut threads = threads.into_iter();
        threads.next().into_iter().for_each(join);
        self.queue.close();
        threads.for_each(join);
    }
}

impl Journal {
    /// Recovers the journal in `dir` and starts its threads.
    pub fn open(dir: &Path, node: NodeId) -> Result<(Self, RecoveryReport), JournalError> {
        Self::open_on(Box::new(RealDisk), dir, node)
    }

    fn open_on(
        disk: Box<dyn Disk>,
        dir: &Path,
        node: NodeId,
    ) -> Result<(Self, RecoveryReport), JournalError> {
        let failed = |source: io::Error| JournalError::File { path: dir.to_owned(), source };
        let recovered = recover::recover(dir, node, rand::random())?;
        let (header, last) = (recovered.header, recovered.report.last_sequence);
        let queue = Arc::new(Queue::new());
        let status = Arc::new(Status::new(last, recovered.segments));
        let mut writer = Writer::new(
            dir.to_owned(),
            disk,
            Arc::clone(&queue),
            Arc::clone(&status),
            header,
            recovered.next_index,
        );
        writer.prepare().map_err(failed)?;
        let (denials, worker) = Denials::new(Arc::clone(&queue), Arc::clone(&status));
        let spawn =
            |name: &str, work: Box<dyn FnOnce() + Send>| thread::Builder::new().name(name.into()).spawn(work);
        let threads = [
            spawn("journal-denials", Box::new(move || worker.run())).map_err(failed)?,
            spawn("journal", Box::new(move || writer.run())).map_err(failed)?,
        ];
        let inner = Inner {
            queue,
            status,
            denials,
            node,
            chain: record::chain_name(node, header.birth),
            recovered: last,
            threads: Mutex::new(threads.into()),
        };
        Ok((Self { inner: Arc::new(inner) }, recovered.report))
    }

    /// Makes an allow durable. Only with the answer may the session start. If the caller goes away while waiting, the
    /// journal itself records that the session never opened.
    pub async fn record(&self, permit: Permit, facts: SessionFacts) -> Result<Admitted, NotRecorded> {
        self.allow(RecordKind::Admitted, permit, facts).await
    }

    /// Makes durable that a session may go on at this gateway, as durably as its beginning. From here on the session is
    /// this gateway's: `facts.generation` is greater than every one before. If the caller goes away while waiting, the
    /// session has not ended by that.
    pub async fn resumed(&self, permit: Permit, facts: SessionFacts) -> Result<Admitted, NotRecorded> {
        self.allow(RecordKind::Resumed, permit, facts).await
    }

    async fn allow(
        &self,
        kind: RecordKind,
        permit: Permit,
        facts: SessionFacts,
    ) -> Result<Admitted, NotRecorded> {
        if self.inner.status.is_failing() {
            return Err(NotRecorded::Failing);
        }
        if self.inner.status.is_full() {
            return Err(NotRecorded::Full);
        }
        let body = record::allowed(&permit, &facts);
        if body.len() > frame::BODY_BYTES_MAX {
            return Err(NotRecorded::TooLong);
        }
        let allow = Allow { kind, session: permit.session(), generation: facts.generation, at: facts.at };
        let durable = self.make_durable(allow, body);
        match tokio::time::timeout(RECORD_MAX, durable).await {
            Ok(done) => done.map(|sequence| Admitted { permit, sequence }),
            Err(_) => Err(NotRecorded::Slow),
        }
    }

    async fn make_durable(&self, allow: Allow, body: Vec<u8>) -> Result<u64, NotRecorded> {
        let queue = &self.inner.queue;
        let room = Arc::clone(&queue.room).acquire_owned().await.map_err(|_| NotRecorded::Closed)?;
        let (answer, receiver) = oneshot::channel();
        queue.push(Entry::Allow { allow, body, answer, _room: room }).map_err(|_| NotRecorded::Closed)?;
        let mut waiting = Waiting { receiver, allow, queue };
        (&mut waiting.receiver).await.unwrap_or(Err(NotRecorded::Closed))
    }

    /// Records a denial, without waiting. Denials beyond the rate are counted, and the count is recorded.
    pub fn denied(&self, deny: &Deny) {
        self.inner.denials.take(deny);
    }

    /// Records the end of an admitted session, without waiting. Never dropped: there is one for each admitted session.
    pub fn ended(&self, end: SessionEnd) {
        if self.inner.queue.push(Entry::End(end)).is_err() {
            tracing::warn!(session.id = %end.session, ended = end.ended.label(), "a session ended after its journal was closed");
        }
    }

    /// Records, without waiting, that a session goes on without this gateway. Not an end: that is recorded by whoever has it
    /// last. Never dropped: there is at most one for each session that came here.
    pub fn left(&self, left: SessionLeft) {
        if self.inner.queue.push(Entry::Left(left)).is_err() {
            tracing::debug!(session.id = %left.session, "a session left after its journal was closed");
        }
    }

    /// Records requests that were made inside a session, without waiting. Gives them back where there is no room: they can
    /// be told of later, with those that follow.
    pub fn requests(&self, made: RequestsMade) -> Result<(), RequestsMade> {
        let Ok(room) = Arc::clone(&self.inner.queue.room).try_acquire_owned() else { return Err(made) };
        let (at, kind, body) = (made.at, RecordKind::Requests, record::requests(&made));
        self.inner.queue.push(Entry::Note { at, kind, body, _room: room }).map_err(|_| made)
    }

    /// Whether records can be made durable at this moment; for readiness.
    pub fn is_healthy(&self) -> bool {
        !self.inner.status.is_failing() && !self.inner.status.is_full() && !self.inner.queue.room.is_closed()
    }

    /// The node that this journal is of.
    pub fn node(&self) -> NodeId {
        self.inner.node
    }

    /// The name of this journal's chain in the store's audit.
    pub fn chain(&self) -> &str {
        &self.inner.chain
    }

    /// Ships records to the store, in order and in batches, until cancelled. Errors of the database are waited out. Sessions
    /// of the process before this one that have no end are ended as lost: at once where nobody can resume them, else as
    /// `sweep` says.
    pub async fn ship(&self, store: crate::Store, sweep: Sweep, stop: CancellationToken) {
        let inner = &self.inner;
        let shipper = ship::Shipper {
            store,
            status: Arc::clone(&inner.status),
            queue: Arc::clone(&inner.queue),
            node: inner.node,
            chain: inner.chain.clone(),
            recovered: inner.recovered,
            sweep,
        };
        shipper.run(stop).await;
    }

    /// Writes what is queued, syncs, and stops the threads. Blocks for as long as that takes.
    pub fn close(&self) {
        self.inner.close();
    }
}

/// A session that waits for its record. Dropped with an answer that nobody took, it records that the session never opened;
/// dropped before the answer, the thread sees that and does the same.
struct Waiting<'a> {
    receiver: oneshot::Receiver<Result<u64, NotRecorded>>,
    allow: Allow,
    queue: &'a Queue,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        if let (Ok(Ok(_)), Some(end)) = (self.receiver.try_recv(), self.allow.unopened()) {
            drop(self.queue.push(Entry::End(end)));
        }
    }
}
