//! How often one client may do what costs us something before it has proved who it is.

use postern_ids::Timestamp;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Networks remembered per limit; when all of them are busy, strangers wait until one is not.
const NETWORKS_MAX: usize = 20_000;

/// So many requests a minute for each network, as many of them at once (the generic cell rate algorithm).
#[derive(Debug)]
pub(crate) struct PerMinute {
    interval: Duration,
    burst: Duration,
    /// For each network, the time at which its allowance is whole again.
    whole_at: Mutex<HashMap<IpAddr, Timestamp>>,
}

impl PerMinute {
    pub(crate) fn new(requests: u32) -> Self {
        let interval = Duration::from_secs(60) / requests.max(1);
        Self { interval, burst: Duration::from_secs(60).saturating_sub(interval), whole_at: Mutex::default() }
    }

    /// Counts a request, or says how long to wait.
    pub(crate) fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let network = network(address);
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        // No allowance is further away than this, unless the clock was set back: nobody is to wait until it comes again.
        let furthest = now.plus(self.burst + self.interval);
        let whole =
            whole_at.get(&network).copied().filter(|whole| *whole <= furthest).unwrap_or(now).max(now);
        let used = whole.since(now);
        if used > self.burst {
            return Err(used.saturating_sub(self.burst));
        }
        if whole_at.len() >= NETWORKS_MAX && !whole_at.contains_key(&network) {
            whole_at.retain(|_, whole| *whole > now);
            if whole_at.len() >= NETWORKS_MAX {
                return Err(self.interval);
            }
        }
        whole_at.insert(network, whole.plus(self.interval));
        Ok(())
    }
}

/// An IPv6 customer has at least a /64: all of it is one network here.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn five_a_minute_are_five_at_once_and_then_one_every_twelve_seconds() {
        let limit = PerMinute::new(5);
        let address = "192.0.2.1".parse().unwrap();
        let at = |secs: i64| Timestamp::from_secs(1_800_000_000 + secs);
        assert_eq!((0..100).filter(|_| limit.admit(address, at(0)).is_ok()).count(), 5);
        assert_eq!(limit.admit(address, at(0)), Err(Duration::from_secs(12)));
        assert!(limit.admit(address, at(12)).is_ok());
        assert!(limit.admit(address, at(13)).is_err());
        assert!(limit.admit("192.0.2.2".parse().unwrap(), at(0)).is_ok(), "another client is not concerned");
    }

    #[test]
    fn f26_a_clock_that_is_set_back_locks_nobody_out() {
        let limit = PerMinute::new(5);
        let address = "192.0.2.1".parse().unwrap();
        let at = |secs: i64| Timestamp::from_secs(1_800_000_000 + secs);
        assert!(limit.admit(address, at(3_600)).is_ok());
        assert_eq!((0..100).filter(|_| limit.admit(address, at(0)).is_ok()).count(), 5);
    }

    #[test]
    fn a_customers_whole_ipv6_network_is_one_client() {
        let limit = PerMinute::new(1);
        let now = Timestamp::from_secs(1_800_000_000);
        assert!(limit.admit("2001:db8::1".parse().unwrap(), now).is_ok());
        assert!(limit.admit("2001:db8::2".parse().unwrap(), now).is_err());
    }
}
