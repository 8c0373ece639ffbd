//! The buffered bytes of the whole process: one number that all its links share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The default for a process: a few links at their own limit.
const PROCESS_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A shared count of buffered bytes with a limit. Clones count into the same number.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used: AtomicUsize,
    max: usize,
}

/// How full the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pressure {
    /// Below half of the limit.
    None,
    /// Above half: windows fall.
    Soft,
    /// Above the limit: lanes that hold more than the fallen window are reset.
    Hard,
    /// A quarter above the limit: the fullest lane is reset, whatever it holds.
    Critical,
}

impl Budget {
    /// A budget of `max` bytes.
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Inner { used: AtomicUsize::new(0), max }))
    }

    /// Bytes buffered by all links that share this budget.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// By how many powers of two a buffer's cap shrinks.
    pub(crate) fn squeeze(&self) -> u32 {
        match self.pressure() {
            Pressure::None => 0,
            Pressure::Soft => 2,
            Pressure::Hard => 4,
            Pressure::Critical => 6,
        }
    }

    pub(crate) fn pressure(&self) -> Pressure {
        Pressure::of(self.used(), self.0.max)
    }
}

impl Pressure {
    pub(crate) fn of(used: usize, max: usize) -> Self {
        match used {
            _ if used <= max / 2 => Self::None,
            _ if used <= max => Self::Soft,
            _ if used <= max.saturating_add(max / 4) => Self::Hard,
            _ => Self::Critical,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(PROCESS_BYTES_MAX)
    }
}
