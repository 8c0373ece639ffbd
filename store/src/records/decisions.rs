//! Decisions, by id.

use crate::{
    Store, StoreError,
    db::fetch_optional,
    journal::{DecisionRead, RecordKind},
};
use postern_ids::{DecisionId, Timestamp};
use postern_policy::DecisionRecord;

/// A decision as it was recorded.
#[derive(Debug, Clone)]
pub struct DecisionEntry {
    /// Its id.
    pub id: DecisionId,
    /// When it was made.
    pub at: Timestamp,
    /// Inputs, policies and reasons.
    pub record: DecisionRecord,
    /// The client's attempt that an allow was the answer to; 0 for a session that cannot be resumed.
    pub generation: Option<u32>,
    /// Whether the session lived already and was to go on.
    pub is_resume: bool,
}

impl Store {
    /// The decision with this id, once its node has shipped it.
    pub async fn decision(&self, id: DecisionId) -> Result<Option<DecisionEntry>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(String, i64, String)> = fetch_optional!(
            &mut tx,
            (String, i64, String),
            "SELECT a.kind, a.at, a.body FROM decisions d JOIN audit a ON a.chain = d.chain AND a.sequence = d.sequence WHERE d.id = $1",
            id.to_string()
        )?;
        let Some((kind, at, body)) = row else { return Ok(None) };
        let body: DecisionRead =
            serde_json::from_str(&body).map_err(|error| StoreError::corrupt("audit.body", error))?;
        let is_resume = kind == RecordKind::Resumed.label();
        let DecisionRead { decision: record, generation } = body;
        Ok(Some(DecisionEntry { id, at: Timestamp::from_micros(at), record, generation, is_resume }))
    }
}
