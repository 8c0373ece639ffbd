//! Sessions: who reached what, from when to when, and how it ended.

use crate::{Store, StoreError};
use postern_ids::{DecisionId, Ended, NodeId, ResourceId, SessionId, SignInId, Timestamp};

/// One session as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEntry {
    /// Its id.
    pub id: SessionId,
    /// The decision that admitted it.
    pub decision: DecisionId,
    /// Who.
    pub principal: String,
    /// Under which sign-in.
    pub sign_in: Option<SignInId>,
    /// What was reached.
    pub resource: ResourceId,
    /// The gateway that carries or carried it.
    pub node: NodeId,
    /// How often it changed its gateway or link.
    pub generation: u32,
    /// When it was admitted.
    pub started_at: Timestamp,
    /// How and when it ended, if it has.
    pub ended: Option<(Ended, Timestamp)>,
    /// Bytes from the principal to the target.
    pub bytes_up: u64,
    /// Bytes from the target to the principal.
    pub bytes_down: u64,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Only those that have not ended.
    pub live: bool,
    /// Only those of this principal.
    pub principal: Option<String>,
    /// Only those that reached this resource.
    pub resource: Option<ResourceId>,
    /// Only those older than this one, for the next page.
    pub before: Option<SessionId>,
}

impl Store {
    /// Recorded sessions, newest first, at most 1,000.
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
        limit: u32,
    ) -> Result<Vec<SessionEntry>, StoreError> {
        let _ = (filter, limit);
        todo!()
    }

    /// The session with this id.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionEntry>, StoreError> {
        let _ = id;
        todo!()
    }
}
