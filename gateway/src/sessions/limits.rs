//! How many sessions one principal may have, and how fast it may open them (T4).

use crate::{
    bucket::{Bucket, Rate},
    config::Limits,
};
use arc_swap::ArcSwap;
use postern_policy::model::PrincipalId;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Principals counted at once, about 64 B each; those at rest are forgotten when it is full.
const PRINCIPALS_MAX: usize = 65_536;

/// Which limit a principal reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverLimit {
    /// It has as many live sessions as it may.
    Sessions,
    /// It opens sessions too fast.
    Opens,
}

impl OverLimit {
    /// One sentence for a person.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Sessions => "you have as many sessions open as you may",
            Self::Opens => "you open sessions faster than you may",
        }
    }

    /// The word for logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Opens => "opens",
        }
    }
}

/// The sessions of each principal at this node.
#[derive(Debug)]
pub struct PrincipalLimits {
    bounds: ArcSwap<Bounds>,
    principals: Mutex<HashMap<PrincipalId, Used>>,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    rate: Rate,
    sessions_max: u32,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            rate: Rate { burst: limits.opens_burst.get(), per_second: limits.opens_per_second.get() },
            sessions_max: limits.sessions_per_principal.get(),
        }
    }
}

#[derive(Debug)]
struct Used {
    sessions: u32,
    bucket: Bucket,
}

impl Used {
    fn take_place(&mut self, sessions_max: u32) -> Result<(), OverLimit> {
        if self.sessions >= sessions_max {
            return Err(OverLimit::Sessions);
        }
        self.sessions += 1;
        Ok(())
    }
}

/// The right to one session; gives it back when dropped.
#[derive(Debug)]
pub(super) struct SessionTicket {
    limits: Arc<PrincipalLimits>,
    principal: PrincipalId,
}

impl PrincipalLimits {
    /// With the limits of the configuration.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self { bounds: ArcSwap::from_pointee(limits.into()), principals: Mutex::default() })
    }

    /// From here on these limits. Sessions that live stay, also beyond a lower limit.
    pub fn adopt(&self, limits: &Limits) {
        self.bounds.store(Arc::new(limits.into()));
    }

    fn bounds(&self) -> Bounds {
        **self.bounds.load()
    }

    /// Takes one open from the principal's rate, allowed or not.
    pub(super) fn enter(
        self: &Arc<Self>,
        principal: PrincipalId,
        now: Instant,
    ) -> Result<SessionTicket, OverLimit> {
        let mut principals = self.lock();
        let used = self.used(&mut principals, principal, now)?;
        used.bucket.take(self.bounds().rate, now).map_err(|_| OverLimit::Opens)?;
        used.take_place(self.bounds().sessions_max)?;
        drop(principals);
        Ok(SessionTicket { limits: Arc::clone(self), principal })
    }

    /// Takes a place for a session that was opened elsewhere.
    pub(super) fn place(
        self: &Arc<Self>,
        principal: PrincipalId,
        now: Instant,
    ) -> Result<SessionTicket, OverLimit> {
        let mut principals = self.lock();
        self.used(&mut principals, principal, now)?.take_place(self.bounds().sessions_max)?;
        drop(principals);
        Ok(SessionTicket { limits: Arc::clone(self), principal })
    }

    /// Takes one open from the principal's rate for a session that has its place already.
    pub(super) fn again(&self, principal: PrincipalId, now: Instant) -> Result<(), OverLimit> {
        let mut principals = self.lock();
        let used = self.used(&mut principals, principal, now)?;
        used.bucket.take(self.bounds().rate, now).map_err(|_| OverLimit::Opens)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PrincipalId, Used>> {
        self.principals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used<'a>(
        &self,
        principals: &'a mut HashMap<PrincipalId, Used>,
        principal: PrincipalId,
        now: Instant,
    ) -> Result<&'a mut Used, OverLimit> {
        let rate = self.bounds().rate;
        if principals.len() >= PRINCIPALS_MAX && !principals.contains_key(&principal) {
            principals.retain(|_, used| used.sessions > 0 || !used.bucket.is_rested(rate, now));
            if principals.len() >= PRINCIPALS_MAX {
                return Err(OverLimit::Opens);
            }
        }
        Ok(match principals.entry(principal) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => free.insert(Used { sessions: 0, bucket: Bucket::full(rate, now) }),
        })
    }
}

impl Drop for SessionTicket {
    fn drop(&mut self) {
        let mut principals = self.limits.lock();
        if let Some(used) = principals.get_mut(&self.principal) {
            used.sessions = used.sessions.saturating_sub(1);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use postern_ids::{Timestamp, UserId};
    use std::{num::NonZeroU32, time::Duration};

    fn limits() -> Arc<PrincipalLimits> {
        let n = |value| NonZeroU32::new(value).unwrap();
        PrincipalLimits::new(&Limits {
            connections: n(1),
            connections_per_ip: n(1),
            connection_rate_per_ip: n(1),
            connection_burst_per_ip: n(1),
            sessions_per_principal: n(256),
            opens_per_second: n(200),
            opens_burst: n(400),
            drain: Duration::ZERO,
        })
    }

    fn user(n: u8) -> PrincipalId {
        PrincipalId::User(UserId::mint(Timestamp::EPOCH, [n; 10]))
    }

    #[test]
    fn t04_the_257th_session_of_a_principal_is_refused_and_others_are_not() {
        let (limits, now) = (limits(), Instant::now());
        let held: Vec<_> = (0..256).map(|_| limits.enter(user(1), now).unwrap()).collect();
        assert_eq!(limits.enter(user(1), now).unwrap_err(), OverLimit::Sessions);
        limits.enter(user(2), now).unwrap();
        drop(held);
        limits.enter(user(1), now).unwrap();
    }

    #[test]
    fn t04_opening_and_resetting_in_a_loop_meets_the_rate() {
        let (limits, now) = (limits(), Instant::now());
        let churn = |at| (0..1_000).filter(|_| limits.enter(user(1), at).is_ok()).count();
        assert_eq!(churn(now), 400);
        assert_eq!(churn(now + Duration::from_secs(1)), 200);
        limits.enter(user(2), now).unwrap();
    }
}
