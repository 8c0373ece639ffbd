//! What is kept of a decision, complete enough to explain it years later without the snapshot it was made on.

use crate::{
    model::{Credential, PrincipalId, Resource, ResourceKind},
    reason::DenyReason,
    request::{Action, Asked},
    rules::Rule,
};
use postern_ids::{
    DecisionId, GroupId, LabelKey, LabelValue, Name, ResourceId, SessionId, SiteId, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// One decision with its inputs, its outcome and what determined it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The id of the decision.
    pub decision: DecisionId,
    /// The session it was about.
    pub session: SessionId,
    /// When it was made.
    pub at: Timestamp,
    /// The revision it was made on.
    pub revision: u64,
    /// Seconds since the store had last confirmed that revision.
    pub stale_s: u64,
    /// Yes or no, and why not.
    pub outcome: Outcome,
    /// Who asked.
    pub principal: RecordedPrincipal,
    /// What proved it.
    pub credential: Credential,
    /// What was asked for, as the client spelled it.
    pub asked: Asked,
    /// What that was, where it exists.
    pub resource: Option<RecordedResource>,
    /// What was to be done.
    pub action: Action,
    /// The client's address.
    pub source: IpAddr,
    /// The windows that were open.
    pub windows: Vec<Name>,
    /// The thresholds that the sign-in was younger than.
    pub sign_in_within: Vec<Name>,
    /// The thresholds that the second factor was younger than.
    pub mfa_within: Vec<Name>,
    /// The rules that determined the outcome.
    pub determining: Vec<RecordedRule>,
    /// Why the request could not be evaluated, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// For a denial: the permits that came closest, nearest first.
    pub near: Vec<NearMiss>,
}

/// How a decision came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes, at most until then.
    Allowed {
        /// The hard expiry; none is never.
        expires_at: Option<Timestamp>,
    },
    /// No.
    Denied {
        /// Why not.
        reason: DenyReason,
    },
}

/// The principal as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPrincipal {
    /// Who it was.
    pub id: PrincipalId,
    /// Its name then.
    pub name: Arc<str>,
    /// Its groups then, the inherited ones included, with their names.
    pub groups: BTreeMap<GroupId, Option<Name>>,
}

/// The resource as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedResource {
    /// Which resource.
    pub id: ResourceId,
    /// Its name then.
    pub name: Name,
    /// What was spoken there.
    pub kind: ResourceKind,
    /// Its network.
    pub site: SiteId,
    /// Its labels then.
    pub labels: BTreeMap<LabelKey, LabelValue>,
}

/// A rule as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRule {
    /// The id of the grant or policy.
    pub id: Arc<str>,
    /// Its name then.
    pub name: Name,
    /// Its Cedar text then.
    pub text: Arc<str>,
    /// When it ends by itself, if ever.
    pub expires_at: Option<Timestamp>,
    /// Why it could not be evaluated, if it could not.
    pub error: Option<String>,
}

/// A permit that did not hold, and what was missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearMiss {
    /// The permit.
    pub rule: RecordedRule,
    /// Each part that did not hold, as Cedar text or a short sentence.
    pub failed: Vec<String>,
}

impl RecordedResource {
    pub(crate) fn of(resource: &Resource) -> Self {
        Self {
            id: resource.id,
            name: resource.name.clone(),
            kind: resource.kind,
            site: resource.site,
            labels: resource.labels.clone(),
        }
    }
}

impl RecordedRule {
    pub(crate) fn of(rule: &Rule, error: Option<String>) -> Self {
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            text: rule.text.clone(),
            expires_at: rule.expires_at,
            error,
        }
    }
}
