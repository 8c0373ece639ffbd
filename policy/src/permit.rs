//! A yes, as a value: nothing is spliced without one, and only [`crate::decide`] makes one.

use crate::{
    judge::Yes,
    model::{Credential, Principal, Resource},
    record::{DecisionRecord, Outcome},
    request::{Action, Request, Staleness},
    ruling::Ruling,
    snapshot::Snapshot,
};
use postern_ids::{DecisionId, SessionId, Timestamp};
use std::{net::IpAddr, sync::Arc};

/// Proof that a request was allowed. It cannot be copied and cannot be made elsewhere:
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<postern_policy::Permit>();
/// ```
#[derive(Debug)]
pub struct Permit {
    ruling: Box<Ruling>,
    resource: Arc<Resource>,
    expires_at: Timestamp,
    recheck_at: Timestamp,
    fails_closed: bool,
    entered: bool,
}

impl Permit {
    pub(crate) fn new(
        request: Request,
        yes: &Yes,
        snapshot: &Snapshot,
        staleness: Staleness,
        now: Timestamp,
    ) -> Self {
        Self {
            resource: yes.placed.resource.clone(),
            expires_at: yes.expires_at,
            recheck_at: yes.recheck_at,
            fails_closed: yes.fails_closed,
            entered: false,
            ruling: Box::new(Ruling::of_yes(request, yes, snapshot, staleness, now)),
        }
    }

    /// This permit, now that its session stands in a live table.
    pub(crate) fn entered(self) -> Self {
        Self { entered: true, ..self }
    }

    pub(crate) fn request(&self) -> &Request {
        &self.ruling.request
    }

    pub(crate) fn ruling(&self) -> &Ruling {
        &self.ruling
    }

    pub(crate) fn fails_closed(&self) -> bool {
        self.fails_closed
    }

    /// The id of the decision.
    pub fn decision(&self) -> DecisionId {
        self.ruling.request.decision
    }

    /// The session that was allowed.
    pub fn session(&self) -> SessionId {
        self.ruling.request.session
    }

    /// When the session began.
    pub fn started_at(&self) -> Timestamp {
        self.ruling.request.started_at
    }

    /// Who was allowed.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.ruling.request.principal
    }

    /// What proved who it is.
    pub fn credential(&self) -> &Credential {
        &self.ruling.request.credential
    }

    /// The resource that was asked for, resolved.
    pub fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// What was allowed.
    pub fn action(&self) -> &Action {
        &self.ruling.request.action
    }

    /// The address it was allowed from.
    pub fn source(&self) -> IpAddr {
        self.ruling.request.source
    }

    /// The revision it was decided on.
    pub fn revision(&self) -> u64 {
        self.ruling.revision
    }

    /// When the session must end even if nobody can be asked again: the earliest of the sign-in's expiry, the longest
    /// session that the settings allow, and the latest expiry among the rules that permit it. [`Timestamp::MAX`] is never.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// When time alone can change the answer; never later than [`Self::expires_at`].
    pub fn recheck_at(&self) -> Timestamp {
        self.recheck_at
    }

    /// Whether the session stands in a live table, where a revocation finds it (D2).
    pub fn is_entered(&self) -> bool {
        self.entered
    }

    /// The ids of the grants and policies that allow it.
    pub fn determining(&self) -> impl Iterator<Item = &str> {
        self.ruling.determining.iter().map(|(rule, _)| &*rule.id)
    }

    /// Everything `explain` needs.
    pub fn record(&self) -> DecisionRecord {
        let expires_at = (self.expires_at < Timestamp::MAX).then_some(self.expires_at);
        self.ruling.record(Outcome::Allowed { expires_at }, Vec::new())
    }
}
