//! How long to wait after so many failures.

use std::time::Duration;

/// Nothing for the first `free` failures, then a second, doubling up to `max`.
pub(crate) fn after(failures: u32, free: u32, max: Duration) -> Duration {
    match failures.checked_sub(free + 1) {
        None => Duration::ZERO,
        Some(doublings) => Duration::from_secs(1u64 << doublings.min(32)).min(max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let max = Duration::from_secs(60);
        let waits: Vec<u64> = (0..12).map(|failures| after(failures, 3, max).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(after(u32::MAX, 3, max), max);
    }
}
