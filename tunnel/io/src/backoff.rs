//! How long to wait before the next dial.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(50);
/// While an outage is young a gateway is most likely restarting: stay quick.
const YOUNG: Duration = Duration::from_secs(10);
const YOUNG_CAP: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(5);

/// Doubling delays with full jitter, from 50 ms to 500 ms in the first 10 s of an outage and to 5 s after them.
#[derive(Debug, Default)]
pub struct Backoff {
    since: Option<Instant>,
    failures: u32,
}

impl Backoff {
    /// It worked: the next failure starts a new outage.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Failures since it worked last.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The delay after one more failure; `chance` from 0 to 1 picks a point between nothing and the full delay.
    pub fn next(&mut self, chance: f64, now: Instant) -> Duration {
        let since = *self.since.get_or_insert(now);
        let cap = if now.saturating_duration_since(since) < YOUNG { YOUNG_CAP } else { CAP };
        let full = FIRST.saturating_mul(1 << self.failures.min(16)).min(cap);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_half_a_second_while_young_and_to_five_seconds_later() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        let young: Vec<_> = (0..6).map(|_| backoff.next(1.0, start).as_millis()).collect();
        assert_eq!(young, [50, 100, 200, 400, 500, 500]);
        assert_eq!(backoff.next(1.0, start + YOUNG), Duration::from_millis(3_200));
        assert_eq!(backoff.next(1.0, start + YOUNG), CAP);
        backoff.reset();
        assert_eq!(backoff.next(1.0, start + YOUNG), FIRST, "what worked starts anew");
    }

    #[test]
    fn jitter_covers_the_whole_delay() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(0.0, Instant::now()), Duration::ZERO);
    }
}
