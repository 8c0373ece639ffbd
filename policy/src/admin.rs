//! Who may administer. Being in the built-in group [`OWNERS`] gives every right; that rule is itself Cedar, built in, and
//! no stored rule can widen it.

use crate::{
    DenyReason, Snapshot,
    model::{Credential, Principal},
};
use postern_ids::{DecisionId, GroupId, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The built-in group of owners. It always exists and cannot be deleted or renamed.
pub const OWNERS: GroupId = GroupId::from_bytes([0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]);

/// The name of [`OWNERS`].
pub const OWNERS_NAME: &str = "owners";

/// What an administrator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminAction {
    /// See sites, resources, groups, users, grants, policies, connectors and tokens.
    View,
    /// Create, change and delete them.
    Change,
    /// Disable or enable a user.
    DisableUser,
    /// Revoke a connector.
    RevokeConnector,
    /// Issue or revoke enrolment and service-account tokens.
    IssueToken,
    /// Vouch for a host key.
    ConfirmHostKey,
    /// See other people's sessions.
    ViewSessions,
    /// End other people's sessions.
    EndSession,
    /// Read decisions and the audit log, and ask for hypothetical ones.
    Explain,
}

/// One question about an administrative act.
#[derive(Debug, Clone)]
pub struct AdminRequest {
    /// The id of this decision, minted by the caller.
    pub decision: DecisionId,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// What proved it.
    pub credential: Credential,
    /// What is to be done.
    pub action: AdminAction,
}

/// Proof that an administrative act was allowed. It cannot be copied and cannot be made elsewhere.
#[derive(Debug)]
pub struct AdminPermit {
    request: AdminRequest,
    revision: u64,
}

impl AdminPermit {
    /// The id of the decision.
    pub fn decision(&self) -> DecisionId {
        self.request.decision
    }

    /// Who was allowed.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.request.principal
    }

    /// What was allowed.
    pub fn action(&self) -> AdminAction {
        self.request.action
    }

    /// The revision it was decided on.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

/// A denied administrative act.
#[derive(Debug, Clone)]
pub struct AdminDeny {
    request: AdminRequest,
    reason: DenyReason,
}

impl AdminDeny {
    /// The id to show.
    pub fn decision(&self) -> DecisionId {
        self.request.decision
    }

    /// Why.
    pub fn reason(&self) -> DenyReason {
        self.reason
    }

    /// The question that was asked.
    pub fn request(&self) -> &AdminRequest {
        &self.request
    }
}

/// Decides on an administrative act.
pub fn decide_admin(
    request: &AdminRequest,
    snapshot: &Snapshot,
    _now: Timestamp,
) -> Result<AdminPermit, AdminDeny> {
    let _ = AdminPermit { request: request.clone(), revision: snapshot.revision() };
    Err(AdminDeny { request: request.clone(), reason: DenyReason::NoRule })
}
