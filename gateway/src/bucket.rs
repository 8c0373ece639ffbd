//! A token bucket: so many at once, so many a second. The time is an argument.

use std::time::{Duration, Instant};

/// How many are allowed at once and a second.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// The most at once.
    pub burst: u32,
    /// The most a second, over time.
    pub per_second: u32,
}

impl Rate {
    /// After this long of rest a bucket is full again.
    pub fn refill_time(self) -> Duration {
        Duration::from_secs(u64::from(self.burst / self.per_second.max(1)) + 1)
    }
}

/// The tokens that one peer has left, in millionths so that short intervals count.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    micro_tokens: u64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn full(rate: Rate, now: Instant) -> Self {
        Self { micro_tokens: u64::from(rate.burst) * 1_000_000, at: now }
    }

    /// Takes one token, or says how long until there is one.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at);
        let passed_micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
        let earned = passed_micros.saturating_mul(u64::from(rate.per_second));
        self.micro_tokens = self.micro_tokens.saturating_add(earned).min(u64::from(rate.burst) * 1_000_000);
        self.at = now;
        match self.micro_tokens.checked_sub(1_000_000) {
            Some(rest) => {
                self.micro_tokens = rest;
                Ok(())
            }
            None => {
                let missing = 1_000_000 - self.micro_tokens;
                Err(Duration::from_micros(missing / u64::from(rate.per_second.max(1)) + 1))
            }
        }
    }

    /// Whether the peer rested so long that forgetting it changes nothing.
    pub fn is_rested(&self, rate: Rate, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= rate.refill_time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, per_second: 10 };

    #[test]
    fn a_burst_passes_and_then_the_rate_counts() {
        let start = Instant::now();
        let mut bucket = Bucket::full(RATE, start);
        assert!((0..3).all(|_| bucket.take(RATE, start).is_ok()));
        let wait = bucket.take(RATE, start).expect_err("the fourth at once is too many");
        assert!(wait <= Duration::from_millis(101));
        assert!(bucket.take(RATE, start + wait).is_ok());
        assert!(bucket.take(RATE, start + wait).is_err());
    }

    #[test]
    fn many_short_intervals_earn_as_much_as_one_long() {
        let start = Instant::now();
        let mut bucket = Bucket::full(RATE, start);
        let passed = (0..10_000u32)
            .filter(|i| bucket.take(RATE, start + Duration::from_micros(u64::from(*i) * 100)).is_ok());
        assert_eq!(passed.count(), 3 + 9);
    }
}
