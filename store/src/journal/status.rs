//! What the journal's thread tells the rest: how far it is durable, which files there are, whether it is well.

use super::segment::Segment;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::sync::watch;

/// Bytes of unshipped records that may lie on the disk: at a thousand sessions a second half an hour without a database.
/// Beyond it no session starts.
pub(crate) const DISK_BYTES_MAX: u64 = 4 << 30;

/// Shared by the handle, the thread and the shipper.
pub(crate) struct Status {
    /// The last durable position.
    pub(crate) durable: watch::Sender<u64>,
    segments: Mutex<Vec<Segment>>,
    bytes: AtomicU64,
    is_failing: AtomicBool,
    lost_denials: AtomicU64,
}

impl Status {
    pub(crate) fn new(durable: u64, segments: Vec<Segment>) -> Self {
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        Self {
            durable: watch::Sender::new(durable),
            segments: Mutex::new(segments),
            bytes: AtomicU64::new(bytes),
            is_failing: AtomicBool::new(false),
            lost_denials: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Acquire)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > DISK_BYTES_MAX
    }

    /// Sets whether the disk takes records; says whether that is news.
    pub(crate) fn set_failing(&self, is_failing: bool) -> bool {
        self.is_failing.swap(is_failing, Ordering::AcqRel) != is_failing
    }

    /// A denial that was to be recorded in full is only counted.
    pub(crate) fn lose_denial(&self) {
        self.lost_denials.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were lost since the last call.
    pub(crate) fn take_lost_denials(&self) -> u64 {
        self.lost_denials.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn segments(&self) -> Vec<Segment> {
        self.lock().clone()
    }

    pub(crate) fn opened(&self, segment: Segment) {
        self.bytes.fetch_add(segment.bytes, Ordering::Relaxed);
        self.lock().push(segment);
    }

    pub(crate) fn appended(&self, bytes: u64, durable: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(last) = self.lock().last_mut() {
            last.bytes += bytes;
        }
        self.durable.send_replace(durable);
    }

    /// Nothing is appended to the newest segment any more.
    pub(crate) fn ended(&self, end: u64) {
        if let Some(last) = self.lock().last_mut() {
            last.end.get_or_insert(end);
        }
    }

    /// Takes out the closed segments whose records are all shipped; the newest segment stays, as it says where the chain
    /// stands.
    pub(crate) fn take_shipped(&self, shipped: u64) -> Vec<Segment> {
        let mut segments = self.lock();
        let newest = segments.last().map(|segment| segment.index);
        let is_done = |segment: &mut Segment| {
            Some(segment.index) != newest && segment.end.is_some_and(|end| end <= shipped)
        };
        let done: Vec<_> = segments.extract_if(.., is_done).collect();
        self.bytes.fetch_sub(done.iter().map(|segment| segment.bytes).sum(), Ordering::Relaxed);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
