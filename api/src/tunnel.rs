//! What a client and a gateway say in the metadata of a lane.

use crate::documents::{Action, ResourceKind};
use postern_ids::{DecisionId, Name, ResourceId, SessionId};
use serde::{Deserialize, Serialize};

/// The version of these words.
pub const VERSION: u8 = 1;

/// The longest [`RefusedDetail`] in JSON.
pub const REFUSED_DETAIL_MAX_BYTES: usize = 256;

/// What a client asks for when it opens a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    /// Always [`VERSION`].
    pub v: u8,
    /// The resource's id or name.
    pub resource: String,
    /// What to do with it.
    pub action: Action,
}

/// The answer to an admitted [`OpenRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenReply {
    /// The session that now lives.
    pub session: SessionId,
    /// The decision that allowed it.
    pub decision: DecisionId,
    /// What was opened.
    pub resource: OpenedResource,
    /// The SSH host keys that an administrator confirmed, in the form of `known_hosts`: `ssh-ed25519 AAAA…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_keys: Vec<String>,
}

/// The resource behind an opened lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedResource {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: Name,
    /// What speaks there.
    pub kind: ResourceKind,
}

/// Why a lane was refused; the refusal's code travels beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedDetail {
    /// The decision that denied it, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionId>,
    /// One sentence for a person.
    pub message: String,
}

impl RefusedDetail {
    /// The JSON of this detail in at most [`REFUSED_DETAIL_MAX_BYTES`]; a message that is too long is cut.
    pub fn to_json(&self) -> Vec<u8> {
        let mut cut = self.clone();
        loop {
            let json = serde_json::to_vec(&cut).unwrap_or_default();
            if json.len() <= REFUSED_DETAIL_MAX_BYTES || cut.message.is_empty() {
                return json;
            }
            let excess = json.len() - REFUSED_DETAIL_MAX_BYTES;
            let mut keep = cut.message.len().saturating_sub(excess);
            while !cut.message.is_char_boundary(keep) {
                keep -= 1;
            }
            cut.message.truncate(keep);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_never_exceeds_its_limit_and_stays_json() {
        for message in ["short".to_owned(), "é".repeat(400), "\u{1}".repeat(400)] {
            let json = RefusedDetail { decision: None, message }.to_json();
            assert!(json.len() <= REFUSED_DETAIL_MAX_BYTES);
            serde_json::from_slice::<RefusedDetail>(&json).unwrap();
        }
    }
}
