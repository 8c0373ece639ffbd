//! D5: whatever ends a right ends its streams within a bound, from the moment on at which the network can carry the news.

use super::{Ledger, Side, Store};
use postern_ids::{Ended, SessionId, StreamId};
use std::time::{Duration, Instant};

/// A gateway hears of a change within a second; a reset or Kill overtakes what waits, on the slowest wire by far in time.
const BYTES_BOUND: Duration = Duration::from_millis(1_500);
/// A connector looks at its clock when something is due.
const CLOCK_BOUND: Duration = Duration::from_millis(50);
/// An end without a lane learns it from its next attempt.
const OVER_BOUND: Duration = Duration::from_millis(3_500);

pub(crate) struct Deadlines {
    /// Until then something that was broken may keep news from arriving.
    trouble: Instant,
    /// Until then the client hears nothing at all.
    asleep: Instant,
    /// The rights that ended, in order: a gateway's revision is how many of them it knows.
    pub(crate) denied: Vec<StreamId>,
}

impl Deadlines {
    pub(super) fn new(now: Instant) -> Self {
        Self { trouble: now, asleep: now, denied: vec![] }
    }

    /// Something breaks, and is not noticed or repaired before this.
    pub(crate) fn excuse_until(&mut self, at: Instant) {
        self.trouble = self.trouble.max(at);
    }

    pub(crate) fn client_sleeps_until(&mut self, at: Instant) {
        self.asleep = self.asleep.max(at);
    }

    /// Nothing is broken any more from then on.
    pub(super) fn is_calm_since(&self, at: Instant) -> bool {
        self.trouble.max(self.asleep) <= at
    }

    fn from(&self, at: Instant, side: Side) -> Instant {
        let at = at.max(self.trouble);
        if side == Side::Client { at.max(self.asleep) } else { at }
    }

    /// Bytes may still reach a program.
    pub(super) fn allow_bytes(
        &self,
        id: StreamId,
        ledger: &Ledger,
        to: Side,
        now: Instant,
    ) -> Result<(), String> {
        // What a side accepted before an orderly end waits for nobody but its own program.
        if ledger.end(to).over.is_some_and(|(over, _)| over.code == Ended::Finished.code()) {
            return Ok(());
        }
        if ledger.revoked.is_some_and(|at| now > self.from(at, to) + BYTES_BOUND) {
            return Err(format!("D5: {id} delivers to the {to:?} after its right ended"));
        }
        // The connector needs nobody's news to know what time it is.
        if to == Side::Connector && ledger.expires.is_some_and(|at| now >= at) {
            return Err(format!("D5: {id} delivers to its target after its hard expiry"));
        }
        Ok(())
    }

    /// A session that was recorded as ended does not go on.
    pub(super) fn allow_bytes_of(
        &self,
        session: SessionId,
        store: &Store,
        now: Instant,
    ) -> Result<(), String> {
        match store.end_of(session) {
            Some((code, at))
                if code != Ended::Finished.code() && now > self.from(at, Side::Connector) + BYTES_BOUND =>
            {
                Err(format!("D14: {session} delivers after it was recorded as ended with {code}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn check(&self, id: StreamId, ledger: &Ledger, now: Instant) -> Result<(), String> {
        let right_ended = [ledger.revoked, ledger.expires].into_iter().flatten().min();
        // The connector needs nobody's news to know what time it is.
        let is_late = ledger.expires.is_some_and(|at| now > at + CLOCK_BOUND);
        if is_late && !ledger.is_over(Side::Connector) {
            return Err(format!("D5: {id} lives on at the Connector after its hard expiry"));
        }
        for side in [Side::Client, Side::Connector] {
            if right_ended.is_some_and(|at| now > self.from(at, side) + OVER_BOUND) && !ledger.is_over(side) {
                return Err(format!("D5: {id} lives on at the {side:?} after its right ended: {ledger:?}"));
            }
        }
        Ok(())
    }
}
