//! What a client and a gateway say in the metadata of a lane.

use crate::documents::{Action, ResourceKind};
use postern_ids::{DecisionId, Name, ResourceId, SessionId};
use serde::{Deserialize, Serialize};

/// The version of these words.
pub const VERSION: u8 = 1;

/// The longest request that is looked at: a ticket stays below 2 KiB.
pub const REQUEST_MAX_BYTES: usize = 4096;

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
    /// Whether the lane carries a resumable stream: its early data then begin with the stream's first Attach record.
    #[serde(default, skip_serializing_if = "is_false")]
    pub resumable: bool,
}

/// What a client asks for when it opens a lane to go on with a session: its early data are the stream's next Attach record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// Always [`VERSION`].
    pub v: u8,
    /// The newest ticket of the session.
    pub ticket: String,
}

/// Everything that a client may say when it opens a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneRequest {
    /// A new session, or one whose answer was lost on the way.
    Open(OpenRequest),
    /// A session that has a ticket.
    Resume(ResumeRequest),
}

/// Metadata of a lane that is not exactly one request of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the metadata of the lane is not one request of version {VERSION}")]
pub struct NotALaneRequest;

impl LaneRequest {
    /// Reads the whole of `bytes` as one request: an unknown field, a field given twice, bytes behind it, another version or
    /// a mixture of the two kinds is refused.
    pub fn read(bytes: &[u8]) -> Result<Self, NotALaneRequest> {
        // Serde would take the fields from a list as well.
        if bytes.len() > REQUEST_MAX_BYTES || !bytes.starts_with(b"{") {
            return Err(NotALaneRequest);
        }
        // No text is both: each kind must have a field that the other must not have.
        let read = match serde_json::from_slice(bytes) {
            Ok(open) => Self::Open(open),
            Err(_) => Self::Resume(serde_json::from_slice(bytes).map_err(|_| NotALaneRequest)?),
        };
        if read.version() == VERSION { Ok(read) } else { Err(NotALaneRequest) }
    }

    fn version(&self) -> u8 {
        match self {
            Self::Open(open) => open.v,
            Self::Resume(resume) => resume.v,
        }
    }
}

/// The answer to an admitted [`LaneRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What the client shows to go on with the session; only of a resumable one. Each answer brings a fresh ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// The resource behind an opened lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_its_way_and_a_plain_one_reads_as_before() {
        let plain = br#"{"v":1,"resource":"db","action":"connect"}"#;
        let open =
            |resumable| OpenRequest { v: 1, resource: "db".into(), action: Action::Connect, resumable };
        assert_eq!(LaneRequest::read(plain), Ok(LaneRequest::Open(open(false))));
        assert_eq!(serde_json::to_vec(&open(false)).unwrap(), plain);
        let resumable = serde_json::to_vec(&open(true)).unwrap();
        assert_eq!(LaneRequest::read(&resumable), Ok(LaneRequest::Open(open(true))));
        let resume = ResumeRequest { v: 1, ticket: "a.b.c".into() };
        let json = serde_json::to_vec(&resume).unwrap();
        assert_eq!(LaneRequest::read(&json), Ok(LaneRequest::Resume(resume)));
    }

    #[test]
    fn t12_anything_but_exactly_one_lane_request_is_refused() {
        let padded = format!(r#"{{"v":1,"ticket":"{}"}}"#, "a".repeat(REQUEST_MAX_BYTES));
        for bad in [
            r#"{"v":1,"resource":"db","action":"connect","ticket":"a.b.c"}"#,
            r#"{"v":1,"resource":"db","action":"connect","ticket":null}"#,
            r#"{"v":1,"ticket":"a.b.c","resumable":true}"#,
            r#"{"v":1,"ticket":"a.b.c","ticket":"a.b.d"}"#,
            r#"{"v":1,"v":1,"ticket":"a.b.c"}"#,
            r#"{"v":1,"resource":"db","action":"connect","resumable":true,"resumable":false}"#,
            r#"{"v":1,"resource":"db","action":"connect","resumable":null}"#,
            r#"{"v":1,"resource":"db","action":"connect","resumable":"true"}"#,
            r#"{"v":1,"resource":"db","resource":"db","action":"connect"}"#,
            r#"{"v":1,"resource":"db","action":"connect","target":"10.0.0.1:22"}"#,
            r#"{"v":1,"ticket":"a.b.c"}{}"#,
            r#"{"v":1,"ticket":"a.b.c"} x"#,
            r#"{"v":2,"ticket":"a.b.c"}"#,
            r#"{"v":1}"#,
            r#"{"v":1,"ticket":7}"#,
            r#"[1,"a.b.c"]"#,
            r#"[1,"db","connect",true]"#,
            "",
            "{}",
            "null",
            padded.as_str(),
        ] {
            assert_eq!(LaneRequest::read(bad.as_bytes()), Err(NotALaneRequest), "{bad}");
        }
    }

    #[test]
    fn a_refusal_never_exceeds_its_limit_and_stays_json() {
        for message in ["short".to_owned(), "é".repeat(400), "\u{1}".repeat(400)] {
            let json = RefusedDetail { decision: None, message }.to_json();
            assert!(json.len() <= REFUSED_DETAIL_MAX_BYTES);
            serde_json::from_slice::<RefusedDetail>(&json).unwrap();
        }
    }
}
