//! Why something was allowed or denied, or would be.

use crate::{Action, ObjectRef, PrincipalView, Time};
use postern_ids::{DecisionId, SessionId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A hypothetical request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// A person or service account by id or name; the caller when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The resource by id or name.
    pub resource: String,
    /// What would be done; what the resource is there for when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// From which address; the caller's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// When; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Allowed.
    Allow,
    /// Denied.
    Deny,
}

/// A policy that had a say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeterminingPolicy {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `permit` or `forbid`.
    pub effect: String,
    /// Its Cedar text at the time.
    pub text: String,
}

/// A decision and everything that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionView {
    /// Its id.
    pub id: DecisionId,
    /// The session it was about; none of a request that nobody made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Where the session lived already and was allowed to go on: which attempt of its client this was the answer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<u32>,
    /// When it was made.
    pub at: Time,
    /// Yes or no.
    pub outcome: Outcome,
    /// The reason's word: `allowed`, `no_rule`, `forbidden`, …
    pub reason: String,
    /// The reason in a sentence.
    pub sentence: String,
    /// What to do about it, in a sentence.
    pub next: String,
    /// The policy revision it was made on.
    pub revision: u64,
    /// Who asked.
    pub principal: PrincipalView,
    /// For what.
    pub resource: ObjectRef,
    /// To do what.
    pub action: Action,
    /// From where.
    pub source: IpAddr,
    /// The policies that determined it.
    pub policies: Vec<DeterminingPolicy>,
    /// Conditions that did not hold, in sentences.
    pub failing: Vec<String>,
}
