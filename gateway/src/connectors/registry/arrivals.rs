//! How often connectors come: one that does so again and again is passed over for a while, so that sessions are not sent
//! where they will be lost in a moment (F21).

use postern_ids::ConnectorId;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// In the long run new sessions begin to go to a connector no more often than this.
const ONCE_IN: Duration = Duration::from_secs(5);
/// So many arrivals ahead of that pace are a restart, and another one because the first went wrong.
const AHEAD_MAX: u32 = 3;
/// Whatever a connector did, it is trusted again after it stayed so long.
const PASSED_OVER_MAX: Duration = Duration::from_secs(30);

/// When each connector that came lately will have paid for it. Only enrolled connectors get here, and who has paid is
/// forgotten.
#[derive(Debug, Default)]
pub(super) struct Arrivals(HashMap<ConnectorId, Instant>);

impl Arrivals {
    /// A connector came. From when on new sessions should go to it: at once, unless it came too often.
    pub(super) fn note(&mut self, connector: ConnectorId, now: Instant) -> Instant {
        self.0.retain(|_, paid| *paid > now);
        let paid = self.0.get(&connector).copied().unwrap_or(now) + ONCE_IN;
        // No debt that staying could not pay.
        let paid = paid.min(now + PASSED_OVER_MAX + ONCE_IN * AHEAD_MAX);
        self.0.insert(connector, paid);
        now.max(paid.checked_sub(ONCE_IN * AHEAD_MAX).unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_ids::Timestamp;

    fn connector(n: u8) -> ConnectorId {
        ConnectorId::mint(Timestamp::EPOCH, [n; 10])
    }

    #[test]
    fn f21_one_restart_and_two_more_cost_nothing_and_the_next_one_waits() {
        let (mut arrivals, now) = (Arrivals::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(arrivals.note(connector(1), now), now);
        }
        assert_eq!(arrivals.note(connector(1), now), now + ONCE_IN);
        assert_eq!(arrivals.note(connector(2), now), now, "another one");
        let later = now + ONCE_IN * 4;
        assert_eq!(arrivals.note(connector(1), later), later, "it stayed long enough to be trusted again");
    }

    #[test]
    fn f21_a_connector_that_flaps_each_second_is_followed_no_more_than_once_in_five() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        let seconds = 10 * 60;
        // It stays for a second each time, so only what is trusted at once is ever followed.
        let followed = (0..seconds).map(|second| start + Duration::from_secs(second));
        let followed = followed.filter(|&now| arrivals.note(connector(1), now) == now).count();
        assert!((3..=600 / 5).contains(&followed), "{followed} times in {seconds} s");
        let back = start + Duration::from_secs(seconds);
        assert!(arrivals.note(connector(1), back) <= back + PASSED_OVER_MAX, "its debt has a bound");
    }

    #[test]
    fn who_has_paid_is_forgotten() {
        let (mut arrivals, now) = (Arrivals::default(), Instant::now());
        (0..100).for_each(|n| _ = arrivals.note(connector(n), now));
        arrivals.note(connector(200), now + ONCE_IN);
        assert_eq!(arrivals.0.len(), 1);
    }
}
