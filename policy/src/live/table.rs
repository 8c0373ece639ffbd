//! Entering, leaving and finding live sessions.

use super::{Cut, Filter, LiveView, Pass};
use crate::{Deny, Permit, Snapshot, Staleness, model::Principal};
use postern_ids::{ConnectorId, Ended, SessionId, Timestamp};
use std::{marker::PhantomData, sync::Arc};

/// What holds at this moment, read *after* a session entered the table.
#[derive(Debug, Clone)]
pub struct Current {
    /// The newest snapshot.
    pub snapshot: Arc<Snapshot>,
    /// How stale it is.
    pub staleness: Staleness,
    /// The principal as cached; none while it is being read again.
    pub principal: Option<Arc<Principal>>,
}

/// Every live session of this node. `H` is what ends a session: it comes in with it and goes out with its cut, so that a
/// session can be cut from the moment it entered.
#[derive(Debug)]
pub struct LiveTable<H> {
    handles: PhantomData<fn() -> H>,
}

impl<H> Default for LiveTable<H> {
    fn default() -> Self {
        Self { handles: PhantomData }
    }
}

impl<H> LiveTable<H> {
    /// Enters the session, reads what is current and decides again if that is newer than what the permit was made on
    /// (D2). On a denial the session is out of the table again.
    ///
    /// `current` is called after the session entered. Publish a snapshot before reconciling with it, and put a principal
    /// into the cache before [`Self::replace_principals`]: then no change can fall between the two looks.
    pub fn enter(
        &self,
        _permit: Permit,
        _handle: H,
        _current: impl FnOnce() -> Current,
        _now: Timestamp,
    ) -> Result<Permit, Deny> {
        todo!()
    }

    /// Takes a session out because it ended; none if it was cut or never entered.
    pub fn leave(&self, _session: SessionId) -> Option<H> {
        todo!()
    }

    /// Notes which connector carries a session; a revoked or moved connector cuts it.
    pub fn carried_by(&self, _session: SessionId, _connector: ConnectorId) {
        todo!()
    }

    /// How many sessions are live.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins to decide every session again: on a new snapshot, after [`Self::replace_principals`], or when staleness
    /// passed a limit.
    pub fn reconcile(&self, _snapshot: Arc<Snapshot>, _staleness: Staleness, _now: Timestamp) -> Pass<'_, H> {
        Pass { table: self }
    }

    /// Begins to decide those sessions again whose boundary has come.
    pub fn due(&self, _snapshot: Arc<Snapshot>, _staleness: Staleness, _now: Timestamp) -> Pass<'_, H> {
        Pass { table: self }
    }

    /// Replaces principals that were read again, unless a newer reading stands there. Gives the number of sessions
    /// concerned; reconcile when it is not zero.
    pub fn replace_principals(&self, _principals: &[Arc<Principal>]) -> usize {
        todo!()
    }

    /// When time alone may next change an answer.
    pub fn next_boundary(&self, _staleness: Staleness, _now: Timestamp) -> Option<Timestamp> {
        todo!()
    }

    /// The sessions that a filter selects.
    pub fn matching(&self, _filter: &Filter) -> Vec<LiveView> {
        todo!()
    }

    /// Takes out the sessions that a filter selects, to be ended.
    pub fn end(&self, _filter: &Filter, _ended: Ended) -> Vec<Cut<H>> {
        todo!()
    }
}
