//! The gateway's time, as its answers told it. The connector's own wall clock is only a guess: machines in private
//! networks are often hours off, and a grant must be judged by the clock that signed it.

use postern_ids::Timestamp;
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant, SystemTime},
};

/// From this difference on, `status` says that the clock is off.
pub const NOTABLE_OFFSET: Duration = Duration::from_secs(5);

const UNKNOWN: i64 = i64::MIN;

/// A clock that runs on monotonic time and is set by the gateway's answers; shared by all links to one installation.
#[derive(Debug)]
pub struct GatewayClock {
    started: Instant,
    /// Gateway time in µs at `started`, or `UNKNOWN`.
    base: AtomicI64,
}

impl GatewayClock {
    /// A clock that knows nothing yet.
    pub fn new(started: Instant) -> Self {
        Self { started, base: AtomicI64::new(UNKNOWN) }
    }

    /// Takes over what the gateway says the time is.
    pub fn set(&self, gateway: Timestamp, now: Instant) {
        let run = now.saturating_duration_since(self.started);
        self.base.store(gateway.minus(run).as_micros(), Ordering::Relaxed);
    }

    /// The gateway's time, or nothing before its first answer.
    pub fn now(&self, now: Instant) -> Option<Timestamp> {
        let base = self.base.load(Ordering::Relaxed);
        let run = now.saturating_duration_since(self.started);
        (base != UNKNOWN).then(|| Timestamp::from_micros(base).plus(run))
    }

    /// How far the machine's own clock is ahead (positive) or behind (negative), in milliseconds.
    pub fn machine_ahead_ms(&self, machine: SystemTime, now: Instant) -> Option<i64> {
        let machine = Timestamp::from_system(machine);
        self.now(now).map(|gateway| machine.as_micros().saturating_sub(gateway.as_micros()) / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_time_runs_on_from_the_last_answer() {
        let start = Instant::now();
        let clock = GatewayClock::new(start);
        assert_eq!(clock.now(start), None);
        let answer = start + Duration::from_secs(10);
        clock.set(Timestamp::from_secs(1_000), answer);
        assert_eq!(clock.now(answer + Duration::from_secs(5)), Some(Timestamp::from_secs(1_005)));
    }

    #[test]
    fn a_machine_clock_that_is_an_hour_ahead_is_told() {
        let start = Instant::now();
        let clock = GatewayClock::new(start);
        clock.set(Timestamp::from_secs(1_000), start);
        let machine = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + 3_600);
        assert_eq!(clock.machine_ahead_ms(machine, start), Some(3_600_000));
    }
}
