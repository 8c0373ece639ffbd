//! Connectors and the tokens that enroll them.

use crate::{ObjectRef, Time};
use postern_ids::{ConnectorId, Name, TokenId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a connector may dial in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorState {
    /// It may.
    Active,
    /// It was revoked.
    Revoked,
}

/// A connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorView {
    /// Its id.
    pub id: ConnectorId,
    /// Its name.
    pub name: Name,
    /// The site it serves.
    pub site: ObjectRef,
    /// Whether it may dial in.
    pub state: ConnectorState,
    /// Whether it is connected to the gateway that answers.
    pub online: bool,
    /// Whether it disappears by itself after it went offline.
    pub ephemeral: bool,
}

/// The key that will sign what connectors believe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotation {
    /// The key's name.
    pub key: String,
    /// From when on it signs; until then it is announced.
    pub signs_from: Time,
}

/// Asks for a token that enrolls connectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentTokenRequest {
    /// The site they will serve, by id or name.
    pub site: String,
    /// How many connectors it may enroll; one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// For how many seconds it is good; an hour when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_secs: Option<u64>,
    /// Whether its connectors disappear 30 minutes after they went offline.
    #[serde(default)]
    pub ephemeral: bool,
}

/// A new enrolment token; this is the only time that it is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentTokenReply {
    /// Its id.
    pub id: TokenId,
    /// The text to hand over: URL, trust and secret in one.
    pub token: String,
    /// When it ends.
    pub expires_at: Time,
    /// How many connectors it may enroll.
    pub uses: u32,
}

impl fmt::Debug for EnrolmentTokenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentTokenReply").field("id", &self.id).finish_non_exhaustive()
    }
}
