//! The question that [`crate::decide`] answers.

use crate::model::{ActionKind, Credential, Principal};
use postern_ids::{DecisionId, Name, ResourceId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

/// One question: may this principal do this at this resource, from here.
#[derive(Debug, Clone)]
pub struct Request {
    /// The id of this decision, minted by the caller; a denial shows it.
    pub decision: DecisionId,
    /// The session this is about.
    pub session: SessionId,
    /// When the session began; `now` on its first decision.
    pub started_at: Timestamp,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// What proved it.
    pub credential: Credential,
    /// What was asked for.
    pub resource: Asked,
    /// What is to be done there.
    pub action: Action,
    /// The client's address, as resolved by the gateway.
    pub source: IpAddr,
}

/// A resource as a client names it; [`crate::decide`] resolves it, so that asking for something unknown is a recorded denial.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// By its id.
    Id(ResourceId),
    /// By its name.
    Name(Name),
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// What is to be done at a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Open a byte stream.
    Connect,
    /// Send one HTTP request.
    Http(Arc<HttpRequest>),
}

impl Action {
    /// The kind of action, without its arguments.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Connect => ActionKind::Connect,
            Self::Http(_) => ActionKind::Http,
        }
    }
}

/// What rules can see of an HTTP request: exactly what is forwarded (D7).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method.
    pub method: Box<str>,
    /// The canonical path, without the query; empty where the application's paths are not read. Rules then see none: a
    /// permit that asks for it does not count, and a forbid that asks for it denies.
    pub path: Box<str>,
}

/// The time since the store last confirmed the snapshot's revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Staleness(pub Duration);

impl Staleness {
    /// The store has just confirmed.
    pub const FRESH: Self = Self(Duration::ZERO);

    /// Whole seconds, rounded up: 300.1 s is beyond a limit of 300 s.
    pub fn as_secs(self) -> u64 {
        self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0)
    }
}
