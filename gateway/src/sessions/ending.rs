//! The end of a session: once, whoever brings it about, recorded after the bytes stopped (D14).

use super::limits::SessionTicket;
use crate::policies::{Live, wall_clock};
use postern_ids::{Ended, SessionId, Timestamp};
use postern_store::journal::{Admitted, Journal, SessionEnd};
use std::{fmt, sync::Arc};

/// A session's place in the live table; leaves it when dropped.
pub(super) struct Entry {
    live: Arc<Live>,
    session: SessionId,
}

impl Entry {
    pub(super) fn new(live: Arc<Live>, session: SessionId) -> Self {
        metrics::gauge!("postern_sessions_live").increment(1.0);
        Self { live, session }
    }

    pub(super) fn live(&self) -> &Live {
        &self.live
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        metrics::gauge!("postern_sessions_live").decrement(1.0);
        self.live.leave(self.session);
    }
}

/// The duty to end a session. Dropping it is an end too: the node is going down, or the task that carried the session died.
pub(super) struct Ending {
    entry: Entry,
    journal: Journal,
    facts: Box<Facts>,
    is_owed: bool,
    /// Given back when the end is recorded: the principal's place, and the node's count.
    _held: (SessionTicket, Arc<()>),
}

/// What the last log line of a session says.
struct Facts {
    principal: String,
    resource: String,
    started_at: Timestamp,
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ending").field(&self.entry.session).finish()
    }
}

impl Ending {
    pub(super) fn new(
        entry: Entry,
        held: (SessionTicket, Arc<()>),
        journal: Journal,
        admitted: &Admitted,
        now: Timestamp,
    ) -> Self {
        let permit = admitted.permit();
        let facts = Box::new(Facts {
            principal: permit.principal().id.to_string(),
            resource: permit.resource().name.to_string(),
            started_at: now,
        });
        Self { entry, journal, facts, is_owed: true, _held: held }
    }

    pub(super) fn live(&self) -> &Live {
        self.entry.live()
    }

    /// Ends the session.
    pub(super) fn end(mut self, ended: Ended, up: u64, down: u64) {
        self.record(ended, up, down);
    }

    fn record(&mut self, ended: Ended, up: u64, down: u64) {
        self.is_owed = false;
        let at = wall_clock();
        self.journal.ended(SessionEnd {
            session: self.entry.session,
            ended,
            bytes_up: up,
            bytes_down: down,
            at,
        });
        metrics::counter!("postern_sessions_ended_total", "ended" => ended.label()).increment(1);
        metrics::counter!("postern_session_bytes_total", "direction" => "up").increment(up);
        metrics::counter!("postern_session_bytes_total", "direction" => "down").increment(down);
        tracing::info!(
            session.id = %self.entry.session,
            principal.id = %self.facts.principal,
            resource = %self.facts.resource,
            ended = ended.label(),
            bytes_up = up,
            bytes_down = down,
            duration_ms = u64::try_from(at.since(self.facts.started_at).as_millis()).unwrap_or(u64::MAX),
            "session ended: {}", ended.label()
        );
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.is_owed {
            self.record(Ended::GatewayStopped, 0, 0);
        }
    }
}
