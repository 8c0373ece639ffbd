//! How many connections one client address may hold and make, and all of them together (R2).

use crate::{
    bucket::{Bucket, Rate},
    config::Limits,
};
use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Prefixes remembered at once, about 64 B each. At the limit those that rested are forgotten; if there are none, the
/// newcomer is refused: whoever can use so many addresses is the reason.
const PREFIXES_MAX: usize = 65_536;

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The listener as a whole is full.
    Full,
    /// This address holds too many connections.
    TooMany,
    /// This address connects too fast.
    TooFast {
        /// When the next one may come.
        retry_after: Duration,
    },
}

impl Refused {
    /// The word for logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TooMany => "too_many",
            Self::TooFast { .. } => "too_fast",
        }
    }

    /// Whole seconds to wait, at least one.
    pub fn retry_after_seconds(self) -> u64 {
        match self {
            Self::Full | Self::TooMany => 5,
            Self::TooFast { retry_after } => retry_after.as_secs().max(1),
        }
    }
}

/// The connections of each client prefix.
#[derive(Debug)]
pub struct ConnectionLimits {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bounds: Bounds,
    open: usize,
    peers: HashMap<IpAddr, Peer>,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    rate: Rate,
    per_prefix: u32,
    total: usize,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            rate: Rate {
                burst: limits.connection_burst_per_ip.get(),
                per_second: limits.connection_rate_per_ip.get(),
            },
            per_prefix: limits.connections_per_ip.get(),
            total: usize::try_from(limits.connections.get()).unwrap_or(usize::MAX),
        }
    }
}

#[derive(Debug)]
struct Peer {
    open: u32,
    bucket: Bucket,
}

/// The right to one open connection; gives it back when dropped.
#[derive(Debug)]
pub struct ConnectionTicket {
    limits: Arc<ConnectionLimits>,
    prefix: IpAddr,
}

impl ConnectionLimits {
    /// With the limits of the configuration.
    pub fn new(limits: &Limits) -> Arc<Self> {
        let state = State { bounds: limits.into(), open: 0, peers: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on these limits. Connections that are open stay, also beyond a lower limit.
    pub fn adopt(&self, limits: &Limits) {
        self.lock().bounds = limits.into();
    }

    /// Takes a connection from `client`, or says why not.
    pub fn enter(self: &Arc<Self>, client: IpAddr, now: Instant) -> Result<ConnectionTicket, Refused> {
        let prefix = prefix_of(client);
        let mut state = self.lock();
        let Bounds { rate, per_prefix, total } = state.bounds;
        if state.open >= total {
            return Err(Refused::Full);
        }
        if state.peers.len() >= PREFIXES_MAX && !state.peers.contains_key(&prefix) {
            state.peers.retain(|_, peer| peer.open > 0 || !peer.bucket.is_rested(rate, now));
            if state.peers.len() >= PREFIXES_MAX {
                return Err(Refused::Full);
            }
        }
        let peer = match state.peers.entry(prefix) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => free.insert(Peer { open: 0, bucket: Bucket::full(rate, now) }),
        };
        if peer.open >= per_prefix {
            return Err(Refused::TooMany);
        }
        peer.bucket.take(rate, now).map_err(|retry_after| Refused::TooFast { retry_after })?;
        peer.open += 1;
        state.open += 1;
        Ok(ConnectionTicket { limits: Arc::clone(self), prefix })
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.lock().open
    }
}

impl Drop for ConnectionTicket {
    fn drop(&mut self) {
        let mut state = self.limits.lock();
        state.open = state.open.saturating_sub(1);
        if let Some(peer) = state.peers.get_mut(&self.prefix) {
            peer.open = peer.open.saturating_sub(1);
        }
    }
}

/// What counts as one client: an IPv4 address, or the /64 that an IPv6 host usually owns whole.
fn prefix_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn limits(total: u32, per_ip: u32, burst: u32) -> Arc<ConnectionLimits> {
        ConnectionLimits::new(&bounds(total, per_ip, burst))
    }

    fn bounds(total: u32, per_ip: u32, burst: u32) -> Limits {
        let n = |value| NonZeroU32::new(value).unwrap();
        Limits {
            connections: n(total),
            connections_per_ip: n(per_ip),
            connection_rate_per_ip: n(1),
            connection_burst_per_ip: n(burst),
            sessions_per_principal: n(1),
            opens_per_second: n(1),
            opens_burst: n(1),
            drain: Duration::ZERO,
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn r02_one_address_at_its_limit_leaves_the_others_alone() {
        let (limits, now) = (limits(100, 2, 50), Instant::now());
        let first = limits.enter(ip("192.0.2.1"), now).unwrap();
        let _second = limits.enter(ip("192.0.2.1"), now).unwrap();
        assert_eq!(limits.enter(ip("192.0.2.1"), now).unwrap_err(), Refused::TooMany);
        let _other = limits.enter(ip("192.0.2.2"), now).unwrap();
        drop(first);
        limits.enter(ip("192.0.2.1"), now).unwrap();
    }

    #[test]
    fn r02_a_64_of_ipv6_counts_as_one_client_and_a_mapped_address_as_its_ipv4() {
        let (limits, now) = (limits(100, 1, 50), Instant::now());
        let _one = limits.enter(ip("2001:db8:1:2::1"), now).unwrap();
        assert_eq!(limits.enter(ip("2001:db8:1:2:ffff::9"), now).unwrap_err(), Refused::TooMany);
        limits.enter(ip("2001:db8:1:3::1"), now).unwrap();
        let _four = limits.enter(ip("192.0.2.1"), now).unwrap();
        assert_eq!(limits.enter(ip("::ffff:192.0.2.1"), now).unwrap_err(), Refused::TooMany);
    }

    #[test]
    fn r02_connecting_too_fast_is_refused_until_the_rate_allows_it() {
        let (limits, now) = (limits(100, 100, 2), Instant::now());
        let take = |at| limits.enter(ip("192.0.2.1"), at).map(drop);
        assert!(take(now).is_ok() && take(now).is_ok());
        let Err(Refused::TooFast { retry_after }) = take(now) else { unreachable!("the burst is used up") };
        assert!(take(now + retry_after).is_ok());
    }

    #[test]
    fn r02_the_table_of_addresses_is_bounded_and_forgets_those_that_rested() {
        let (limits, now) = (limits(10, 1, 1), Instant::now());
        for i in 0..u32::try_from(PREFIXES_MAX).unwrap() {
            limits.enter(IpAddr::V4(i.into()), now).unwrap();
        }
        assert_eq!(limits.enter(ip("255.1.1.1"), now).unwrap_err(), Refused::Full);
        limits.enter(ip("255.1.1.1"), now + Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn limits_that_change_count_for_the_next_connection_and_spare_the_open_ones() {
        let (held, now) = (limits(100, 2, 50), Instant::now());
        let _open = [held.enter(ip("192.0.2.1"), now).unwrap(), held.enter(ip("192.0.2.1"), now).unwrap()];
        held.adopt(&bounds(100, 1, 50));
        assert_eq!(held.enter(ip("192.0.2.1"), now).unwrap_err(), Refused::TooMany);
        assert_eq!(held.open(), 2);
        held.adopt(&bounds(100, 3, 50));
        held.enter(ip("192.0.2.1"), now).unwrap();
    }

    #[test]
    fn r02_the_listener_as_a_whole_is_bounded() {
        let (limits, now) = (limits(2, 5, 50), Instant::now());
        let _a = limits.enter(ip("192.0.2.1"), now).unwrap();
        let _b = limits.enter(ip("192.0.2.2"), now).unwrap();
        assert_eq!(limits.enter(ip("192.0.2.3"), now).unwrap_err(), Refused::Full);
        assert_eq!(limits.open(), 2);
    }
}
