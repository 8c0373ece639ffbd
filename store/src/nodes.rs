//! The gateways of an installation, as they see each other: each counts its signs of life, so that no two clocks are compared.

use crate::{
    Store, StoreError,
    change::count,
    db::{execute, fetch_all},
};
use postern_ids::{NodeId, SessionId};

impl Store {
    /// One more sign of life of a node.
    pub async fn beat(&self, node: NodeId) -> Result<(), StoreError> {
        let mut tx = self.inner.pools.write().await?;
        execute!(
            &mut tx,
            "INSERT INTO nodes (node_id, beats) VALUES ($1, 1) ON CONFLICT (node_id) DO UPDATE SET beats = nodes.beats + 1",
            node.to_string()
        )?;
        tx.commit().await
    }

    /// The nodes, each with the count of its signs of life.
    pub async fn beats(&self) -> Result<Vec<(NodeId, u64)>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<(String, i64)> =
            fetch_all!(&mut tx, (String, i64), "SELECT node_id, beats FROM nodes ORDER BY node_id")?;
        let parsed = rows.iter().map(|(id, beats)| {
            let node = id.parse().map_err(|_| StoreError::corrupt("nodes.node_id", id))?;
            Ok((node, count(*beats, "nodes.beats")?))
        });
        parsed.collect()
    }

    /// Sessions of a node that have no end, at most `max` of them, with the generation of each.
    pub async fn unended_of(&self, node: NodeId, max: u32) -> Result<Vec<(SessionId, u32)>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<(String, i64)> = fetch_all!(
            &mut tx,
            (String, i64),
            "SELECT id, generation FROM sessions WHERE ended_at IS NULL AND node_id = $1 ORDER BY id LIMIT $2",
            node.to_string(),
            i64::from(max)
        )?;
        rows.iter().map(|(id, generation)| unended(id, *generation)).collect()
    }

    /// Forgets a node, unless it gave a sign of life since these.
    pub async fn forget_node(&self, node: NodeId, beats: u64) -> Result<(), StoreError> {
        let mut tx = self.inner.pools.write().await?;
        let beats = i64::try_from(beats).unwrap_or(i64::MAX);
        execute!(&mut tx, "DELETE FROM nodes WHERE node_id = $1 AND beats = $2", node.to_string(), beats)?;
        tx.commit().await
    }
}

/// A session without an end, as a row tells it.
pub(crate) fn unended(id: &str, generation: i64) -> Result<(SessionId, u32), StoreError> {
    let session = id.parse().map_err(|_| StoreError::corrupt("sessions.id", id))?;
    let generation = u32::try_from(generation);
    Ok((session, generation.map_err(|_| StoreError::corrupt("sessions.generation", id))?))
}
