//! The buffered bytes of the whole process: one number that all its links share, and shares of it for links that belong
//! together.

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
    /// What this is a share of.
    whole: Option<Budget>,
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
        Self(Arc::new(Inner { used: AtomicUsize::new(0), max, whole: None }))
    }

    /// A part of this budget with a limit of its own: what is counted there is counted here too.
    pub fn share(&self, max: usize) -> Self {
        Self(Arc::new(Inner { used: AtomicUsize::new(0), max, whole: Some(self.clone()) }))
    }

    /// Bytes buffered by all links that share this budget.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.0.whole {
            whole.add(bytes);
        }
    }

    pub(crate) fn sub(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.0.whole {
            whole.sub(bytes);
        }
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
        let own = Pressure::of(self.used(), self.0.max);
        self.0.whole.as_ref().map_or(own, |whole| own.max(whole.pressure()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t15_who_fills_a_share_feels_it_alone_and_who_fills_the_whole_is_felt_by_all() {
        let whole = Budget::new(1_000);
        let (one, other) = (whole.share(100), whole.share(10_000));
        one.add(101);
        assert_eq!((one.pressure(), other.pressure(), whole.used()), (Pressure::Hard, Pressure::None, 101));
        other.add(950);
        assert_eq!((other.pressure(), whole.pressure()), (Pressure::Hard, Pressure::Hard));
        other.sub(950);
        one.sub(101);
        assert_eq!((one.used(), other.used(), whole.used()), (0, 0, 0));
        assert_eq!(one.pressure(), Pressure::None);
    }
}
