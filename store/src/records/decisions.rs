//! Decisions, by id.

use crate::{Store, StoreError};
use postern_ids::{DecisionId, SessionId, Timestamp};
use postern_policy::DecisionRecord;

/// A decision as it was recorded.
#[derive(Debug, Clone)]
pub struct DecisionEntry {
    /// Its id.
    pub id: DecisionId,
    /// When it was made.
    pub at: Timestamp,
    /// The session it admitted, or asked for.
    pub session: Option<SessionId>,
    /// Inputs, policies and reasons.
    pub record: DecisionRecord,
}

impl Store {
    /// The decision with this id, once its node has shipped it.
    pub async fn decision(&self, id: DecisionId) -> Result<Option<DecisionEntry>, StoreError> {
        let _ = id;
        todo!()
    }
}
