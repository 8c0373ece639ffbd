//! A batch of records as rows, in one transaction. What is in the store already is not applied again, so that shipping twice
//! is shipping once.

use super::{
    ShipError, Stored,
    batch::{Batch, Decided},
    sessions,
    statement::for_rows,
};
use crate::{
    Store, StoreError,
    change::{column, count},
    db::{Tx, fetch_optional},
    journal::read::Record,
};
use postern_ids::NodeId;

impl Store {
    /// Stores records of a node's chain.
    pub(crate) async fn ship(&self, chain: &str, node: NodeId, records: &[Record]) -> Result<(), ShipError> {
        let mut tx = self.inner.pools.write().await?;
        let stored = end_of(&mut tx, chain).await?.map_or(0, |stored| stored.sequence);
        insert_audit(&mut tx, chain, records).await?;
        // Bytes are added up: a record whose commit was answered into the void must not count again.
        let fresh = records.partition_point(|record| record.sequence <= stored);
        let batch = Batch::read(records.get(fresh..).unwrap_or_default())?;
        insert_decisions(&mut tx, chain, &batch.decisions).await?;
        sessions::merge(&mut tx, node, &batch).await?;
        Ok(tx.commit().await?)
    }

    /// The last record of a chain.
    pub(crate) async fn chain_end(&self, chain: &str) -> Result<Option<Stored>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        end_of(&mut tx, chain).await
    }
}

async fn end_of(tx: &mut Tx, chain: &str) -> Result<Option<Stored>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = fetch_optional!(
        tx,
        (i64, Vec<u8>),
        "SELECT sequence, hash FROM audit WHERE chain = $1 ORDER BY sequence DESC LIMIT 1",
        chain
    )?;
    let Some((sequence, hash)) = row else { return Ok(None) };
    let hash = hash.try_into().map_err(|_| StoreError::corrupt("audit.hash", "not 32 bytes"))?;
    Ok(Some(Stored { sequence: count(sequence, "audit.sequence")?, hash }))
}

async fn insert_audit(tx: &mut Tx, chain: &str, records: &[Record]) -> Result<(), ShipError> {
    let inserted = for_rows!(
        tx,
        "INSERT INTO audit (chain, sequence, at, kind, body, hash) ",
        records,
        record => [
            chain.to_owned(),
            column(record.sequence),
            record.at.as_micros(),
            record.kind.label(),
            record.body.clone(),
            record.hash.to_vec(),
        ],
        " ON CONFLICT DO NOTHING"
    );
    if inserted == records.len() as u64 {
        return Ok(());
    }
    // Some were there: from an answer that was lost on the way, or from another history under the same name.
    let Some(last) = records.last() else { return Ok(()) };
    let row: Option<(Vec<u8>,)> = fetch_optional!(
        tx,
        (Vec<u8>,),
        "SELECT hash FROM audit WHERE chain = $1 AND sequence = $2",
        chain,
        column(last.sequence)
    )
    .map_err(StoreError::from)?;
    match row {
        Some((hash,)) if hash == last.hash => Ok(()),
        _ => Err(ShipError::Forked { sequence: last.sequence }),
    }
}

async fn insert_decisions(tx: &mut Tx, chain: &str, decisions: &[Decided]) -> Result<(), StoreError> {
    for_rows!(
        tx,
        "INSERT INTO decisions (id, chain, sequence) ",
        decisions,
        decided => [decided.index.decision.to_string(), chain.to_owned(), column(decided.sequence)],
        " ON CONFLICT DO NOTHING"
    );
    Ok(())
}
