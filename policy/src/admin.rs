//! Who may administer. Being in the built-in group [`OWNERS`] gives every right; that rule is itself Cedar, built in, and
//! no stored rule can widen it.

use crate::{
    judge::credential_standing,
    model::{Credential, Principal, PrincipalId},
    reason::DenyReason,
    rules::schema::{ADMIN, action_uid, gateway_uid, group_uid, principal_uid},
    snapshot::Snapshot,
};
use cedar_policy::{Authorizer, Context, Decision, Entities, Entity, PolicySet};
use postern_ids::{DecisionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

pub use crate::model::{OWNERS, OWNERS_NAME};

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

impl AdminAction {
    /// Every action.
    pub const ALL: &'static [Self] = &[
        Self::View,
        Self::Change,
        Self::DisableUser,
        Self::RevokeConnector,
        Self::IssueToken,
        Self::ConfirmHostKey,
        Self::ViewSessions,
        Self::EndSession,
        Self::Explain,
    ];

    /// Its name in Cedar, logs and the audit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::View => "admin::view",
            Self::Change => "admin::change",
            Self::DisableUser => "admin::disable_user",
            Self::RevokeConnector => "admin::revoke_connector",
            Self::IssueToken => "admin::issue_token",
            Self::ConfirmHostKey => "admin::confirm_host_key",
            Self::ViewSessions => "admin::view_sessions",
            Self::EndSession => "admin::end_session",
            Self::Explain => "admin::explain",
        }
    }
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

/// Proof that an administrative act was allowed. It cannot be copied and cannot be made elsewhere:
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<postern_policy::admin::AdminPermit>();
/// ```
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

/// The built-in rules, as anyone can read them.
pub fn built_in_rules() -> String {
    format!(
        "@builtin(\"owners\")\npermit (\n  principal in {},\n  action in Action::\"admin\",\n  resource == {}\n);\n",
        group_uid(OWNERS),
        gateway_uid()
    )
}

static RULES: LazyLock<PolicySet> =
    LazyLock::new(|| built_in_rules().parse().expect("the built-in rules are part of this crate and tested"));

/// Decides on an administrative act.
pub fn decide_admin(
    request: &AdminRequest,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<AdminPermit, AdminDeny> {
    let deny = |reason| AdminDeny { request: request.clone(), reason };
    credential_standing(request.principal.id, &request.credential, snapshot, now).map_err(deny)?;
    // Nobody in particular administers nothing; the schema does not even know how to ask.
    if request.principal.id == PrincipalId::Anonymous {
        return Err(deny(DenyReason::NoRule));
    }
    match evaluate(request, snapshot) {
        Some(true) => Ok(AdminPermit { request: request.clone(), revision: snapshot.revision() }),
        Some(false) => Err(deny(DenyReason::NoRule)),
        None => Err(deny(DenyReason::EvaluationFailed)),
    }
}

fn evaluate(request: &AdminRequest, snapshot: &Snapshot) -> Option<bool> {
    let who = principal_uid(request.principal.id);
    let groups = snapshot.places.groups.with_inherited(&request.principal.groups);
    let entity = Entity::new_no_attrs(who.clone(), groups.into_iter().map(group_uid).collect());
    let entities = Entities::from_entities([entity], Some(&ADMIN)).ok()?;
    let action = action_uid(request.action.label());
    let question =
        cedar_policy::Request::new(who, action, gateway_uid(), Context::empty(), Some(&ADMIN)).ok()?;
    let answer = Authorizer::new().is_authorized(&question, &RULES, &entities);
    Some(answer.decision() == Decision::Allow && answer.diagnostics().errors().next().is_none())
}
