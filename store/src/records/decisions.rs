//! Decisions, by id.

use crate::{Store, StoreError, db::fetch_optional, journal::DecisionRead};
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
}

impl Store {
    /// The decision with this id, once its node has shipped it.
    pub async fn decision(&self, id: DecisionId) -> Result<Option<DecisionEntry>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(String, i64, String)> = fetch_optional!(
            &mut tx,
            (String, i64, String),
            "SELECT d.id, a.at, a.body FROM decisions d JOIN audit a ON a.chain = d.chain AND a.sequence = d.sequence WHERE d.id = $1",
            id.to_string()
        )?;
        let Some((_, at, body)) = row else { return Ok(None) };
        let body: DecisionRead =
            serde_json::from_str(&body).map_err(|error| StoreError::corrupt("audit.body", error))?;
        Ok(Some(DecisionEntry { id, at: Timestamp::from_micros(at), record: body.decision }))
    }
}
