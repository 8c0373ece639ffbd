//! What the journal records, and how each record reads as JSON. The same text goes to the store's audit.

use super::{RequestCount, RequestsMade, SessionEnd, SessionFacts, SessionLeft};
use postern_ids::{ConnectorId, DecisionId, Ended, NodeId, ResourceId, SessionId, Timestamp};
use postern_policy::{
    DecisionRecord, Permit,
    model::{Credential, PrincipalId},
};
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $label:literal;)*) => {
        /// The kinds of records.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum RecordKind { $($(#[$doc])* $variant,)* }

        impl RecordKind {
            /// The byte on disk.
            pub(crate) const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The word in the audit.
            pub(crate) const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            pub(crate) const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A session was allowed.
    Admitted = 1, "session.admitted";
    /// A request was denied, or a live session lost its right.
    Denied = 2, "session.denied";
    /// A session ended.
    Ended = 3, "session.ended";
    /// Denials that were only counted.
    Suppressed = 4, "denials.suppressed";
    /// A session was allowed to go on, here.
    Resumed = 5, "session.resumed";
    /// A session goes on without this gateway.
    Left = 6, "session.left";
    /// Requests that were decided inside a session.
    Requests = 7, "session.requests";
}

/// An allow or a deny, with what the gateway knows beside it.
#[derive(Serialize)]
struct DecisionWritten<'a> {
    decision: &'a DecisionRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<ConnectorId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
    /// When the session began, of which this is one decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
}

/// The part of it that explains.
#[derive(Deserialize)]
pub(crate) struct DecisionRead {
    pub(crate) decision: DecisionRecord,
    pub(crate) generation: Option<u32>,
}

/// The part of it that rows are made of. Skipping the rest keeps shipping cheap.
#[derive(Deserialize)]
pub(crate) struct DecisionIndexed {
    pub(crate) decision: DecisionIndex,
    #[serde(default)]
    pub(crate) generation: u32,
    pub(crate) started_at: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(crate) struct DecisionIndex {
    pub(crate) decision: DecisionId,
    pub(crate) session: SessionId,
    pub(crate) principal: PrincipalIndex,
    pub(crate) credential: Credential,
    pub(crate) resource: Option<ResourceIndex>,
}

#[derive(Deserialize)]
pub(crate) struct PrincipalIndex {
    pub(crate) id: PrincipalId,
}

#[derive(Deserialize)]
pub(crate) struct ResourceIndex {
    pub(crate) id: ResourceId,
}

/// The end of a session.
#[derive(Serialize, Deserialize)]
pub(crate) struct EndBody {
    pub(crate) session: SessionId,
    #[serde(default)]
    pub(crate) generation: u32,
    pub(crate) ended: Ended,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
}

/// What a gateway carried of a session that goes on elsewhere.
#[derive(Serialize, Deserialize)]
pub(crate) struct LeftBody {
    pub(crate) session: SessionId,
    pub(crate) generation: u32,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
}

/// Requests inside a session, counted.
#[derive(Serialize)]
pub(crate) struct RequestsBody<'a> {
    pub(crate) session: SessionId,
    pub(crate) requests: &'a [RequestCount],
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
}

/// Denials that were counted instead of recorded.
#[derive(Serialize)]
pub(crate) struct SuppressedBody {
    pub(crate) principal: String,
    pub(crate) asked: String,
    pub(crate) count: u64,
}

/// An allow: of a new session, or of one that began at `started_at` and goes on.
pub(crate) fn allowed(permit: &Permit, facts: &SessionFacts) -> Vec<u8> {
    json(&DecisionWritten {
        decision: &permit.record(),
        ingress: Some(facts.ingress),
        connector: facts.connector,
        generation: Some(facts.generation),
        started_at: Some(permit.started_at()),
    })
}

pub(crate) fn denied(record: &DecisionRecord) -> Vec<u8> {
    json(&DecisionWritten {
        decision: record,
        ingress: None,
        connector: None,
        generation: None,
        started_at: None,
    })
}

pub(crate) fn ended(end: &SessionEnd) -> Vec<u8> {
    json(&EndBody {
        session: end.session,
        generation: end.generation,
        ended: end.ended,
        bytes_up: end.bytes_up,
        bytes_down: end.bytes_down,
    })
}

pub(crate) fn left(left: &SessionLeft) -> Vec<u8> {
    json(&LeftBody {
        session: left.session,
        generation: left.generation,
        bytes_up: left.bytes_up,
        bytes_down: left.bytes_down,
    })
}

pub(crate) fn requests(made: &RequestsMade) -> Vec<u8> {
    json(&RequestsBody {
        session: made.session,
        requests: &made.counts,
        bytes_up: made.bytes_up,
        bytes_down: made.bytes_down,
    })
}

/// The name of a node's chain: a journal that is begun anew is another chain, so that its records never pass for those of
/// a lost one.
pub(crate) fn chain_name(node: NodeId, birth: [u8; 8]) -> String {
    format!("{node}.{:016x}", u64::from_be_bytes(birth))
}

pub(crate) fn json<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).expect("these bodies have only text keys and no failing serializers")
}
