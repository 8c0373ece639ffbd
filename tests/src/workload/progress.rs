//! How far a load is: what was sent, what came back, and when nothing did.

use super::ledger::{Ledger, Tally};
use super::{Outcome, Pace, record};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A shorter time without an arrival is the machine's own noise.
const GAP_MIN: Duration = Duration::from_millis(20);

/// So many gaps are remembered, the newest.
const GAPS_MAX: usize = 10_000;

/// Shared by the two threads of a load and whoever watches it.
#[derive(Debug)]
pub(super) struct Progress {
    sent: AtomicU64,
    is_stopping: AtomicBool,
    is_over: AtomicBool,
    arrivals: Mutex<Arrivals>,
}

#[derive(Debug)]
struct Arrivals {
    ledger: Ledger,
    last: Instant,
    /// When each gap ended, and how long it was.
    gaps: VecDeque<(Instant, Duration)>,
    longest: Duration,
}

impl Progress {
    pub(super) fn new() -> Self {
        let arrivals = Arrivals {
            ledger: Ledger::default(),
            last: Instant::now(),
            gaps: VecDeque::new(),
            longest: Duration::ZERO,
        };
        Self {
            sent: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            arrivals: Mutex::new(arrivals),
        }
    }

    /// Sends records until told to stop, or until nobody takes them; gives the way back.
    pub(super) fn send_all<W: Write>(&self, pace: Pace, number: u64, mut output: W) -> W {
        let mut due = Instant::now();
        while !self.is_stopping.load(Ordering::SeqCst) {
            let record = record::write(number, self.sent.load(Ordering::SeqCst), pace.record_bytes);
            // Counted before it is written, so that a record is never echoed before it was counted.
            self.sent.fetch_add(1, Ordering::SeqCst);
            if output.write_all(&record).and_then(|()| output.flush()).is_err() {
                break;
            }
            due += pace.every;
            let now = Instant::now();
            if due < now {
                // A stalled writer does not make up for the time, or the end of a stall would be a burst.
                due = now;
            }
            std::thread::sleep(due.saturating_duration_since(now));
        }
        output
    }

    /// Keeps accounts of what comes back until the end.
    pub(super) fn receive_all(&self, mut input: impl Read) {
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            match input.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(count) => self.arrivals().take(buffer.get(..count).unwrap_or_default(), Instant::now()),
            }
        }
        // The silence before the end is a gap like any other.
        self.arrivals().take(&[], Instant::now());
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    pub(super) fn tally(&self) -> Tally {
        self.arrivals().ledger.tally()
    }

    /// The longest gap that reaches beyond `since`, the one that lasts included.
    pub(super) fn longest_gap(&self, since: Instant, now: Instant) -> Duration {
        let arrivals = self.arrivals();
        let lasting = now.saturating_duration_since(arrivals.last);
        let past = arrivals.gaps.iter().filter(|(end, _)| *end > since).map(|(_, gap)| *gap);
        past.chain([lasting]).max().unwrap_or_default()
    }

    pub(super) fn outcome(&self, number: u64, code: Option<i32>, said: String) -> Outcome {
        let arrivals = self.arrivals();
        Outcome {
            number,
            sent: self.sent(),
            tally: arrivals.ledger.tally(),
            cut_off: arrivals.ledger.cut_off(),
            code,
            said,
            longest_gap: arrivals.longest,
        }
    }

    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrivals {
    fn take(&mut self, bytes: &[u8], now: Instant) {
        let gap = now.saturating_duration_since(self.last);
        self.last = now;
        self.longest = self.longest.max(gap);
        if gap >= GAP_MIN {
            if self.gaps.len() >= GAPS_MAX {
                self.gaps.pop_front();
            }
            self.gaps.push_back((now, gap));
        }
        self.ledger.take(bytes);
    }
}
