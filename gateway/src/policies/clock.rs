//! The time of day. A machine's clock can be set back while the gateway runs; what expires must not live longer for it.

use postern_ids::Timestamp;
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// From this difference on, the machine's clock is told to be off.
const NOTABLE_JUMP: Duration = Duration::from_secs(30);

/// The wall clock, read here and nowhere deeper: everything below takes the time as an argument.
///
/// It is the machine's clock, but never behind the time at which the process began plus the monotonic time since. So a clock
/// that is set back extends no session and no token; one that is set forward shortens them until it is put right.
pub fn wall_clock() -> Timestamp {
    Timestamp::from_system(CLOCK.reading(SystemTime::now(), Instant::now()))
}

/// The earliest that it can be by the machine's clock and by the time since the process began. What is signed now and must
/// be good for whoever reads it later is dated with it: a clock that was ahead and is put right, or a reader whose clock
/// was never set, must not take it for a word from the future.
pub fn earliest_clock() -> Timestamp {
    Timestamp::from_system(CLOCK.earliest(SystemTime::now(), Instant::now()))
}

static CLOCK: LazyLock<WallClock> = LazyLock::new(|| WallClock::begun_at(SystemTime::now(), Instant::now()));

#[derive(Debug)]
struct WallClock {
    began: SystemTime,
    began_at: Instant,
    is_off: AtomicBool,
}

impl WallClock {
    fn begun_at(wall: SystemTime, now: Instant) -> Self {
        Self { began: wall, began_at: now, is_off: AtomicBool::new(false) }
    }

    fn reading(&self, wall: SystemTime, now: Instant) -> SystemTime {
        let due = self.began + now.saturating_duration_since(self.began_at);
        let jump = wall.duration_since(due).unwrap_or_else(|behind| behind.duration());
        let is_off = jump > NOTABLE_JUMP;
        if self.is_off.swap(is_off, Ordering::Relaxed) != is_off {
            let (seconds, ahead) = (jump.as_secs(), wall > due);
            if is_off {
                tracing::error!(seconds, ahead, "the machine's clock was set: check its time service");
            } else {
                tracing::warn!("the machine's clock is right again");
            }
        }
        wall.max(due)
    }

    fn earliest(&self, wall: SystemTime, now: Instant) -> SystemTime {
        wall.min(self.began + now.saturating_duration_since(self.began_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn f26_a_clock_that_is_set_back_goes_on_as_if_it_were_not() {
        let (wall, now) = (SystemTime::UNIX_EPOCH + HOUR * 10, Instant::now());
        let clock = WallClock::begun_at(wall, now);
        let later = now + HOUR;
        assert_eq!(clock.reading(wall + HOUR, later), wall + HOUR);
        assert_eq!(clock.reading(wall, later), wall + HOUR, "an hour back");
        assert!(clock.is_off.load(Ordering::Relaxed));
        assert_eq!(clock.reading(wall + HOUR * 2, later + HOUR), wall + HOUR * 2);
        assert!(!clock.is_off.load(Ordering::Relaxed));
    }

    #[test]
    fn f26_a_clock_that_is_set_forward_is_followed_and_can_be_put_right() {
        let (wall, now) = (SystemTime::UNIX_EPOCH + HOUR * 10, Instant::now());
        let clock = WallClock::begun_at(wall, now);
        assert_eq!(clock.reading(wall + HOUR, now), wall + HOUR, "it may be right: a machine that slept");
        assert_eq!(clock.reading(wall, now), wall);
    }

    #[test]
    fn f26_what_is_signed_while_the_clock_is_ahead_is_dated_as_if_it_were_not() {
        let (wall, now) = (SystemTime::UNIX_EPOCH + HOUR * 10, Instant::now());
        let clock = WallClock::begun_at(wall, now);
        assert_eq!(clock.earliest(wall + HOUR, now), wall);
        assert_eq!(clock.earliest(wall + HOUR * 3, now + HOUR), wall + HOUR);
        assert_eq!(clock.earliest(wall - HOUR, now), wall - HOUR, "it was ahead when the process began");
    }
}
