//! What the gateway tells the journal about a session.

use postern_ids::{ConnectorId, Ended, SessionId, Timestamp};
use std::{fmt, time::Duration};

/// What the gateway knows about a session beside its permit.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The way in: `client`, later `browser`.
    pub ingress: &'static str,
    /// The connector that will carry it, if chosen already.
    pub connector: Option<ConnectorId>,
    /// The client's attempt that this is the answer to: 0 for a session that cannot be resumed, else at least 1.
    pub generation: u32,
    /// When it is admitted, or admitted again.
    pub at: Timestamp,
}

/// How a session ended.
#[derive(Debug, Clone, Copy)]
pub struct SessionEnd {
    /// Which session.
    pub session: SessionId,
    /// The greatest generation that this gateway knows of, one that it only tried to record included: an end of a smaller
    /// one than another gateway's counts for nothing, because the session went on there.
    pub generation: u32,
    /// How.
    pub ended: Ended,
    /// Bytes from the principal to the target that this gateway carried and has not told of.
    pub bytes_up: u64,
    /// Bytes from the target to the principal, likewise.
    pub bytes_down: u64,
    /// When.
    pub at: Timestamp,
}

/// The requests of one kind inside a session.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RequestCount {
    /// Host and path prefix of the application.
    pub route: Box<str>,
    /// The method.
    pub method: Box<str>,
    /// How many.
    pub count: u64,
}

/// The requests that were decided inside a session since they were told of last. They need no record each: the session has
/// one, and these say what it was used for.
#[derive(Debug, Clone)]
pub struct RequestsMade {
    /// Which session.
    pub session: SessionId,
    /// Which requests.
    pub counts: Vec<RequestCount>,
    /// Bytes from the principal to the target in that time; they are part of those that the session's end tells.
    pub bytes_up: u64,
    /// Bytes from the target to the principal, likewise.
    pub bytes_down: u64,
    /// When.
    pub at: Timestamp,
}

/// What a gateway carried of a session that goes on without it.
#[derive(Debug, Clone, Copy)]
pub struct SessionLeft {
    /// Which session.
    pub session: SessionId,
    /// The greatest generation that this gateway knows of.
    pub generation: u32,
    /// Bytes from the principal to the target that this gateway carried and has not told of.
    pub bytes_up: u64,
    /// Bytes from the target to the principal, likewise.
    pub bytes_down: u64,
    /// When.
    pub at: Timestamp,
}

/// Sessions of the process before this one that nobody saw end: how long to wait for news of those that can be resumed,
/// and which of them are here again.
pub struct Sweep {
    /// After this time nobody can resume them any more: the window, and what news may take on the way.
    pub wait: Duration,
    /// Whether this gateway knows of the session, attached or detached, and so will see its end itself.
    pub is_held: Box<dyn Fn(SessionId) -> bool + Send + Sync>,
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").field("wait", &self.wait).finish_non_exhaustive()
    }
}
