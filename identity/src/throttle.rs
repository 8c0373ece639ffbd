//! Slows down guessing: each key — a person, an address — has a counter of failures and a wait that doubles with it.
//!
//! An attempt counts as failed from its beginning, so any number of parallel guesses is as slow as guesses in a row; its
//! success takes that back. A wait that is being served is not made longer by trying, so nobody can be locked out for
//! longer than the limit says.

use crate::backoff;
use postern_ids::Timestamp;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The limits of one throttle.
#[derive(Debug, Clone, Copy)]
pub struct ThrottleLimits {
    /// How many failures cost nothing.
    pub free: u32,
    /// The longest wait.
    pub wait_max: Duration,
    /// After how long without an attempt the failures are forgotten.
    pub forget_after: Duration,
    /// How many keys are remembered; beyond it the one that was idle longest is forgotten.
    pub keys_max: usize,
}

/// The caller has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts, wait {} s", retry_after.as_secs().max(1))]
pub struct Throttled {
    /// For how long.
    pub retry_after: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    failures: u32,
    last: Timestamp,
}

/// Counters of failures by key.
#[derive(Debug)]
pub struct Throttle<K> {
    limits: ThrottleLimits,
    counters: Mutex<HashMap<K, Counter>>,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// An empty throttle.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self { limits, counters: Mutex::default() }
    }

    /// Counts one attempt, or says how long to wait.
    pub fn begin(&self, key: &K, now: Timestamp) -> Result<(), Throttled> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counters.get(key).copied().filter(|counter| !self.is_forgotten(*counter, now));
        let counter = known.unwrap_or(Counter { failures: 0, last: now });
        let wait = backoff::after(counter.failures, self.limits.free, self.limits.wait_max);
        let waited = now.since(counter.last);
        if waited < wait {
            return Err(Throttled { retry_after: wait.saturating_sub(waited) });
        }
        if !counters.contains_key(key) {
            self.make_room(&mut counters, now);
        }
        counters.insert(key.clone(), Counter { failures: counter.failures.saturating_add(1), last: now });
        Ok(())
    }

    /// The attempt was good after all: everything about this key is forgotten.
    pub fn succeeded(&self, key: &K) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// The attempt was good, but says little about others under the same key: one failure less.
    pub fn forgive(&self, key: &K) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = counters.get_mut(key) {
            counter.failures = counter.failures.saturating_sub(1);
        }
    }

    fn is_forgotten(&self, counter: Counter, now: Timestamp) -> bool {
        now.since(counter.last) >= self.limits.forget_after
    }

    fn make_room(&self, counters: &mut HashMap<K, Counter>, now: Timestamp) {
        if counters.len() < self.limits.keys_max {
            return;
        }
        counters.retain(|_, counter| !self.is_forgotten(*counter, now));
        if counters.len() >= self.limits.keys_max {
            let idlest = counters.iter().min_by_key(|(_, counter)| counter.last).map(|(key, _)| key.clone());
            idlest.and_then(|key| counters.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn throttle() -> Throttle<u32> {
        Throttle::new(ThrottleLimits {
            free: 3,
            wait_max: Duration::from_secs(60),
            forget_after: Duration::from_secs(3600),
            keys_max: 10,
        })
    }

    fn at(secs: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(secs))
    }

    #[test]
    fn a09_guesses_in_a_row_or_in_parallel_get_slower() {
        let throttle = throttle();
        let begun = (0..100).filter(|_| throttle.begin(&1, NOW).is_ok()).count();
        assert_eq!(begun, 4, "three are free, the fourth starts the wait");
        assert_eq!(throttle.begin(&1, NOW), Err(Throttled { retry_after: Duration::from_secs(1) }));
        assert_eq!(throttle.begin(&1, at(1)), Ok(()));
        assert_eq!(throttle.begin(&1, at(2)), Err(Throttled { retry_after: Duration::from_secs(1) }));
        assert_eq!(throttle.begin(&2, at(2)), Ok(()), "another key is not concerned");
    }

    #[test]
    fn trying_while_waiting_makes_the_wait_no_longer() {
        let throttle = throttle();
        (0..50).for_each(|_| _ = throttle.begin(&1, NOW));
        (0..50).for_each(|_| _ = throttle.begin(&1, NOW));
        assert_eq!(throttle.begin(&1, at(1)), Ok(()));
    }

    #[test]
    fn a_day_of_guessing_stays_within_the_limit() {
        let throttle = throttle();
        let begun = (0..86_400).filter(|&secs| throttle.begin(&1, at(secs)).is_ok()).count();
        assert!(begun < 1_500, "{begun}");
    }

    #[test]
    fn success_clears_and_time_forgets() {
        let throttle = throttle();
        (0..50).for_each(|_| _ = throttle.begin(&1, NOW));
        throttle.succeeded(&1);
        assert_eq!(throttle.begin(&1, NOW), Ok(()));
        (0..50).for_each(|_| _ = throttle.begin(&1, NOW));
        assert_eq!((0..4).filter(|_| throttle.begin(&1, at(4_000)).is_ok()).count(), 4);
    }

    #[test]
    fn the_number_of_keys_is_bounded_and_the_idlest_goes_first() {
        let throttle = throttle();
        for key in 0..100u32 {
            assert_eq!(throttle.begin(&key, at(u64::from(key))), Ok(()));
        }
        let counters = throttle.counters.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(counters.len(), 10);
        assert!(counters.contains_key(&99) && counters.contains_key(&90) && !counters.contains_key(&89));
    }
}
