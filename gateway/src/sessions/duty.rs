//! What is needed to end a session. Whoever has it is the only one at this gateway who can, and ends it once (D14).

use super::limits::SessionTicket;
use crate::{
    policies::{Live, wall_clock},
    signing::Facts,
};
use postern_ids::{Ended, SessionId, Timestamp};
use postern_store::journal::{Journal, SessionEnd, SessionLeft};
use postern_tunnel_io::Cut;
use std::{fmt, sync::Arc};

/// A session's place in the live table; leaves it when dropped.
#[derive(Debug)]
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

/// The means to end one session. Dropped, it records nothing: what may not be lost is wrapped in an `Ending` or stands in
/// the table of held sessions.
pub(super) struct Duty {
    pub(super) session: SessionId,
    /// The greatest attempt that this gateway knows of; 0 for a session that cannot be resumed.
    pub(super) generation: u32,
    /// None while a held session waits to be decided: no revocation finds it, so nobody may carry it.
    pub(super) entry: Option<Entry>,
    /// What cuts it.
    pub(super) cut: Cut,
    /// The principal's place, for what was begun or resumed here.
    pub(super) place: Option<SessionTicket>,
    /// What to decide it on, where there is no entry.
    pub(super) undecided: Option<Box<Facts>>,
    pub(super) told: Box<Told>,
    journal: Journal,
    up: u64,
    down: u64,
}

/// What the last log line of a session says.
pub(super) struct Told {
    pub(super) principal: String,
    pub(super) resource: String,
    pub(super) started_at: Timestamp,
}

impl fmt::Debug for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Duty").field(&self.session).finish()
    }
}

impl Duty {
    /// The duty for a session that stands nowhere yet.
    pub(super) fn new(session: SessionId, generation: u32, journal: Journal, told: Told) -> Self {
        Self {
            session,
            generation,
            entry: None,
            cut: Cut::new(),
            place: None,
            undecided: None,
            told: Box::new(told),
            journal,
            up: 0,
            down: 0,
        }
    }

    /// Bytes that were carried here.
    pub(super) fn add(&mut self, up: u64, down: u64) {
        self.up = self.up.saturating_add(up);
        self.down = self.down.saturating_add(down);
    }

    /// Records the end. The bytes have stopped.
    pub(super) fn end(self, ended: Ended) {
        let at = wall_clock();
        self.journal.ended(SessionEnd {
            session: self.session,
            generation: self.generation,
            ended,
            bytes_up: self.up,
            bytes_down: self.down,
            at,
        });
        metrics::counter!("postern_sessions_ended_total", "ended" => ended.label()).increment(1);
        self.count_bytes();
        tracing::info!(
            session.id = %self.session,
            principal.id = %self.told.principal,
            resource = %self.told.resource,
            ended = ended.label(),
            bytes_up = self.up,
            bytes_down = self.down,
            duration_ms = u64::try_from(at.since(self.told.started_at).as_millis()).unwrap_or(u64::MAX),
            "session ended: {}", ended.label()
        );
    }

    /// The session goes on without this gateway, which tells only what it carried.
    pub(super) fn leave(self, why: &'static str) {
        if self.up > 0 || self.down > 0 {
            self.journal.left(SessionLeft {
                session: self.session,
                generation: self.generation,
                bytes_up: self.up,
                bytes_down: self.down,
                at: wall_clock(),
            });
        }
        self.count_bytes();
        tracing::debug!(session.id = %self.session, why, "session left this gateway");
    }

    fn count_bytes(&self) {
        metrics::counter!("postern_session_bytes_total", "direction" => "up").increment(self.up);
        metrics::counter!("postern_session_bytes_total", "direction" => "down").increment(self.down);
    }
}
