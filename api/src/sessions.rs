//! Sessions as the API shows them.

use crate::{ObjectRef, Time};
use postern_ids::{DecisionId, Ended, SessionId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What kind of principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program.
    ServiceAccount,
    /// Nobody in particular.
    Anonymous,
}

/// A principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalView {
    /// Which kind.
    pub kind: PrincipalKind,
    /// The id; empty for nobody in particular.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The name, where it is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A session, live or over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub principal: PrincipalView,
    /// What it reaches.
    pub resource: ObjectRef,
    /// The decision that allowed it, or last allowed it to go on.
    pub decision: DecisionId,
    /// The attempt of the client that it lives by: 0 for a session that cannot be resumed, 1 for one that was not.
    #[serde(default)]
    pub generation: u32,
    /// The caller's address, at the last decision about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// Bytes towards the target, told when a gateway lets go of the session. They are counted as gateways carry them: of a
    /// session that can be resumed with the framing of its stream, and with what was sent again after a loss.
    pub bytes_up: u64,
    /// Bytes from the target, counted likewise.
    pub bytes_down: u64,
    /// Whether it lives on the gateway that answers.
    pub live: bool,
}

/// The answer to ending a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndSessionReply {
    /// The session.
    pub session: SessionId,
    /// Whether it lived until now, on whichever gateway. One that lived elsewhere is cut there within a second.
    pub was_live: bool,
}
