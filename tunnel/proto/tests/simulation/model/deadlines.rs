//! D5: whatever ends a right ends its streams within a bound, from the moment on at which the network can carry the news.

use super::{Ledger, Side, Store, ledger::Lie};
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

    /// Whether news of what happened then had more than `bound` to come to this side.
    fn is_late(&self, at: Instant, (side, lie): (Side, Option<Lie>), now: Instant, bound: Duration) -> bool {
        let at = at.max(self.trouble);
        let from = match (side, lie) {
            (Side::Client, _) => at.max(self.asleep),
            (Side::Connector, None) => at,
            (Side::Connector, Some(Lie::LetGo(then))) => at.max(then),
            (Side::Connector, Some(Lie::Carries)) => return false,
        };
        now > from + bound
    }

    /// Bytes may still reach a program.
    pub(super) fn allow_bytes(
        &self,
        (id, ledger): (StreamId, &Ledger),
        to: Side,
        lie: Option<Lie>,
        now: Instant,
    ) -> Result<(), String> {
        // What a side accepted before an orderly end waits for nobody but its own program.
        if ledger.has_finished(to) {
            return Ok(());
        }
        if ledger.revoked.is_some_and(|at| self.is_late(at, (to, lie), now, BYTES_BOUND)) {
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
        lie: Option<Lie>,
        now: Instant,
    ) -> Result<(), String> {
        match store.end_of(session) {
            Some((code, at))
                if code != Ended::Finished.code()
                    && self.is_late(at, (Side::Connector, lie), now, BYTES_BOUND) =>
            {
                Err(format!("D14: {session} delivers after it was recorded as ended with {code}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn check(
        &self,
        (id, ledger): (StreamId, &Ledger),
        lie: Option<Lie>,
        now: Instant,
    ) -> Result<(), String> {
        let right_ended = [ledger.revoked, ledger.expires].into_iter().flatten().min();
        // The connector needs nobody's news to know what time it is.
        let is_late = ledger.expires.is_some_and(|at| now > at + CLOCK_BOUND);
        if is_late && !ledger.is_over(Side::Connector) {
            return Err(format!("D5: {id} lives on at the Connector after its hard expiry"));
        }
        for side in [Side::Client, Side::Connector] {
            let is_late = |at| self.is_late(at, (side, lie), now, OVER_BOUND);
            if right_ended.is_some_and(is_late) && !ledger.is_over(side) {
                return Err(format!("D5: {id} lives on at the {side:?} after its right ended: {ledger:?}"));
            }
        }
        Ok(())
    }
}
