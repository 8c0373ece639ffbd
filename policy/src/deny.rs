//! A no, as a value that can explain itself.

use crate::{
    judge::No,
    near,
    reason::DenyReason,
    record::{DecisionRecord, Outcome},
    request::{Request, Staleness},
    ruling::Ruling,
    snapshot::Snapshot,
};
use postern_ids::{DecisionId, SessionId, Timestamp};

/// A denied request. The failing conditions are worked out when the record is asked for, not while deciding.
#[derive(Debug, Clone)]
pub struct Deny {
    ruling: Box<Ruling>,
    reason: DenyReason,
}

impl Deny {
    pub(crate) fn new(
        request: Request,
        no: No,
        snapshot: &Snapshot,
        staleness: Staleness,
        now: Timestamp,
    ) -> Self {
        let reason = no.reason;
        Self { ruling: Box::new(Ruling::of_no(request, no, snapshot, staleness, now)), reason }
    }

    /// The id to show to whoever was denied.
    pub fn decision(&self) -> DecisionId {
        self.ruling.request.decision
    }

    /// The session this was about.
    pub fn session(&self) -> SessionId {
        self.ruling.request.session
    }

    /// Why.
    pub fn reason(&self) -> DenyReason {
        self.reason
    }

    /// The revision that was decided on.
    pub fn revision(&self) -> u64 {
        self.ruling.revision
    }

    /// The question that was asked.
    pub fn request(&self) -> &Request {
        &self.ruling.request
    }

    /// Everything `explain` needs, worked out here: call it off the path of sessions.
    pub fn record(&self) -> DecisionRecord {
        self.ruling.record(Outcome::Denied { reason: self.reason }, near::misses(&self.ruling))
    }
}
