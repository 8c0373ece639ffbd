//! A yes, as a value: nothing is spliced without one, and only [`crate::decide`] makes one.

use crate::{
    Action, DecisionRecord, Request,
    model::{Credential, Principal, Resource},
};
use postern_ids::{DecisionId, SessionId, Timestamp};
use std::{net::IpAddr, sync::Arc};

/// Proof that a request was allowed. It cannot be copied and cannot be made elsewhere.
#[derive(Debug)]
pub struct Permit {
    pub(crate) request: Request,
    pub(crate) resource: Arc<Resource>,
    pub(crate) revision: u64,
    pub(crate) expires_at: Timestamp,
    pub(crate) recheck_at: Timestamp,
    pub(crate) entered: bool,
}

impl Permit {
    /// The id of the decision.
    pub fn decision(&self) -> DecisionId {
        self.request.decision
    }

    /// The session that was allowed.
    pub fn session(&self) -> SessionId {
        self.request.session
    }

    /// When the session began.
    pub fn started_at(&self) -> Timestamp {
        self.request.started_at
    }

    /// Who was allowed.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.request.principal
    }

    /// What proved who it is.
    pub fn credential(&self) -> &Credential {
        &self.request.credential
    }

    /// The resource that was asked for, resolved.
    pub fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// What was allowed.
    pub fn action(&self) -> &Action {
        &self.request.action
    }

    /// The address it was allowed from.
    pub fn source(&self) -> IpAddr {
        self.request.source
    }

    /// The revision it was decided on.
    pub fn revision(&self) -> u64 {
        self.revision
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

    /// Everything `explain` needs.
    pub fn record(&self) -> DecisionRecord {
        todo!()
    }
}
