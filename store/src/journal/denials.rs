//! Every denial is recorded, but a flood of them must not be a flood of records: beyond a rate they are counted, and the
//! counts are recorded.

use super::{
    queue::{Entry, Queue},
    record::{self, RecordKind, SuppressedBody},
    status::Status,
};
use postern_ids::Timestamp;
use postern_policy::Deny;
use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant, SystemTime},
};

/// Counts are kept and recorded per span of this length.
const SPAN: Duration = Duration::from_secs(10);
/// Full records in a span for one principal asking for one resource: enough to see what it tries.
const RECORDED_PER_KEY: u32 = 5;
/// Full records in a span altogether: 100 a second.
const RECORDED_PER_SPAN: u32 = 1000;
/// Different keys counted apart in a span; what comes beyond is counted together.
const KEYS_MAX: usize = 1024;
/// Denials that may wait for their records to be worked out.
const WAITING_MAX: usize = 256;

/// Who was denied what.
type Key = (String, String);

#[derive(Default)]
struct Counted {
    recorded: u32,
    suppressed: u64,
}

/// The counts of one span.
struct Span {
    began: Instant,
    recorded: u32,
    keys: HashMap<Key, Counted>,
    /// Suppressed denials that have no key of their own.
    others: u64,
}

impl Span {
    fn new(began: Instant) -> Self {
        Self { began, recorded: 0, keys: HashMap::new(), others: 0 }
    }

    /// Whether this denial gets a full record; if not, it is counted.
    fn admits(&mut self, key: Key) -> bool {
        if self.keys.len() >= KEYS_MAX && !self.keys.contains_key(&key) {
            self.others += 1;
            return false;
        }
        let counted = self.keys.entry(key).or_default();
        if counted.recorded >= RECORDED_PER_KEY || self.recorded >= RECORDED_PER_SPAN {
            counted.suppressed += 1;
            return false;
        }
        counted.recorded += 1;
        self.recorded += 1;
        true
    }

    /// What was counted, one line for each key and one for the rest.
    fn suppressed(self) -> Vec<SuppressedBody> {
        let line = |((principal, asked), counted): (Key, Counted)| {
            let count = counted.suppressed;
            (count > 0).then_some(SuppressedBody { principal, asked, count })
        };
        let mut lines: Vec<_> = self.keys.into_iter().filter_map(line).collect();
        if self.others > 0 {
            lines.push(SuppressedBody { principal: "*".into(), asked: "*".into(), count: self.others });
        }
        lines
    }
}

/// The way of denials into the journal. A thread of its own works out their records: what would have been needed for a
/// yes is not cheap to tell, and no session waits for it.
pub(crate) struct Denials {
    span: Mutex<Span>,
    /// Nothing only wakes the thread.
    sender: SyncSender<Option<Deny>>,
    status: Arc<Status>,
    is_closing: AtomicBool,
}

/// The thread's end.
pub(crate) struct Worker {
    denials: Arc<Denials>,
    receiver: Receiver<Option<Deny>>,
    queue: Arc<Queue>,
}

impl Denials {
    pub(crate) fn new(queue: Arc<Queue>, status: Arc<Status>) -> (Arc<Self>, Worker) {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let denials = Arc::new(Self {
            span: Mutex::new(Span::new(Instant::now())),
            sender,
            status,
            is_closing: AtomicBool::new(false),
        });
        let worker = Worker { denials: Arc::clone(&denials), receiver, queue };
        (denials, worker)
    }

    /// Takes a denial, or counts it. Never waits.
    pub(crate) fn take(&self, deny: &Deny) {
        let request = deny.request();
        let key = (request.principal.id.to_string(), request.resource.to_string());
        let is_admitted = self.span.lock().unwrap_or_else(PoisonError::into_inner).admits(key);
        if is_admitted && self.sender.try_send(Some(deny.clone())).is_err() {
            self.status.lose_denial();
        }
    }

    /// Lets the thread record what it has, counts included, and end.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        // A thread that has too much to do to be told looks for itself.
        drop(self.sender.try_send(None));
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// The counts of the span, once it is over; or nothing else will come.
    fn over(&self, now: Instant, is_last: bool) -> Vec<SuppressedBody> {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        if now < span.began + SPAN && !is_last {
            return Vec::new();
        }
        let mut over = mem::replace(&mut *span, Span::new(now));
        drop(span);
        over.others += self.status.take_lost_denials();
        over.suppressed()
    }
}

impl Worker {
    /// Works until it is told to close.
    pub(crate) fn run(self) {
        while !self.denials.is_closing() {
            match self.receiver.recv_timeout(Duration::from_millis(500)) {
                Ok(Some(deny)) => self.record(&deny),
                Ok(None) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.count(false);
        }
        self.receiver.try_iter().flatten().for_each(|deny| self.record(&deny));
        self.count(true);
    }

    fn record(&self, deny: &Deny) {
        let record = deny.record();
        self.push(record.at, RecordKind::Denied, record::denied(&record));
    }

    fn count(&self, is_last: bool) {
        for line in self.denials.over(Instant::now(), is_last) {
            let at = Timestamp::from_system(SystemTime::now());
            self.push(at, RecordKind::Suppressed, record::json(&line));
        }
    }

    fn push(&self, at: Timestamp, kind: RecordKind, body: Vec<u8>) {
        let Ok(room) = Arc::clone(&self.queue.room).try_acquire_owned() else {
            return self.denials.status.lose_denial();
        };
        if self.queue.push(Entry::Note { at, kind, body, _room: room }).is_err() {
            self.denials.status.lose_denial();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        (format!("usr_{n}"), "db".into())
    }

    #[test]
    fn one_noisy_principal_is_counted_and_does_not_hide_others() {
        let mut span = Span::new(Instant::now());
        let recorded = (0..1000).filter(|_| span.admits(key(1))).count();
        assert_eq!(recorded, 5);
        assert!(span.admits(key(2)));
        let lines = span.suppressed();
        assert_eq!(lines.iter().map(|line| line.count).collect::<Vec<_>>(), [995]);
    }

    #[test]
    fn recorded_and_counted_denials_add_up_whatever_the_flood() {
        let mut span = Span::new(Instant::now());
        let recorded = (0..20_000).filter(|n| span.admits(key(n % 5000))).count() as u64;
        let counted: u64 = span.suppressed().iter().map(|line| line.count).sum();
        assert_eq!(recorded + counted, 20_000);
        assert!(recorded <= u64::from(RECORDED_PER_SPAN));
    }
}
