//! A batch of records as rows, in one transaction: inserted or ignored, so that shipping twice is shipping once.

use super::{ShipError, Stored};
use crate::{
    Store, StoreError,
    change::{column, count},
    db::{Tx, bounded, fetch_all, fetch_optional},
    journal::{
        read::Record,
        record::{DecisionIndex, DecisionIndexed, EndBody, RecordKind},
    },
};
use postern_ids::{NodeId, SessionId};
use postern_policy::model::Credential;
use sqlx::{Postgres, QueryBuilder, Sqlite};

/// Rows in one statement: a fixed number, so that the prepared statement is used again.
const ROWS_PER_STATEMENT: usize = 50;

/// `insert_rows!(tx, "INSERT …", rows, row => [values…], "ON CONFLICT …")`: the number of rows that were not there.
macro_rules! insert_rows {
    ($tx:expr, $head:literal, $rows:expr, $row:ident => [$($value:expr),* $(,)?], $tail:literal) => {{
        let mut touched = 0;
        for chunk in $rows.chunks(ROWS_PER_STATEMENT) {
            let is_full = chunk.len() == ROWS_PER_STATEMENT;
            touched += match $tx {
                Tx::Sqlite(tx) => {
                    let mut query = QueryBuilder::<Sqlite>::new($head);
                    query.push_values(chunk, |mut values, $row| { $(values.push_bind($value);)* });
                    query.push($tail);
                    bounded(query.build().persistent(is_full).execute(&mut **tx)).await.map(|done| done.rows_affected())
                }
                Tx::Postgres(tx) => {
                    let mut query = QueryBuilder::<Postgres>::new($head);
                    query.push_values(chunk, |mut values, $row| { $(values.push_bind($value);)* });
                    query.push($tail);
                    bounded(query.build().persistent(is_full).execute(&mut **tx)).await.map(|done| done.rows_affected())
                }
            }
            .map_err(StoreError::from)?;
        }
        touched
    }};
}

/// The decisions of a batch, with the position of each.
struct Decided {
    sequence: u64,
    at: i64,
    is_admitted: bool,
    index: DecisionIndex,
}

impl Decided {
    fn sign_in(&self) -> Option<String> {
        match &self.index.credential {
            Credential::SignIn(sign_in) => Some(sign_in.id.to_string()),
            Credential::Token(_) | Credential::None => None,
        }
    }

    fn resource(&self) -> String {
        self.index.resource.as_ref().map(|resource| resource.id.to_string()).unwrap_or_default()
    }
}

impl Store {
    /// Stores records of a node's chain.
    pub(crate) async fn ship(&self, chain: &str, node: NodeId, records: &[Record]) -> Result<(), ShipError> {
        let (decisions, ends) = sort(records)?;
        let mut tx = self.inner.pools.write().await?;
        insert_audit(&mut tx, chain, records).await?;
        insert_decisions(&mut tx, chain, &decisions).await?;
        insert_sessions(&mut tx, node, &decisions).await?;
        end_sessions(&mut tx, &ends).await?;
        Ok(tx.commit().await?)
    }

    /// The last record of a chain.
    pub(crate) async fn chain_end(&self, chain: &str) -> Result<Option<Stored>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(i64, Vec<u8>)> = fetch_optional!(
            &mut tx,
            (i64, Vec<u8>),
            "SELECT sequence, hash FROM audit WHERE chain = $1 ORDER BY sequence DESC LIMIT 1",
            chain
        )?;
        let Some((sequence, hash)) = row else { return Ok(None) };
        let hash = hash.try_into().map_err(|_| StoreError::corrupt("audit.hash", "not 32 bytes"))?;
        Ok(Some(Stored { sequence: count(sequence, "audit.sequence")?, hash }))
    }

    /// Sessions of a node that have no end, and were not admitted by the process that runs: its records of this chain
    /// come after `recovered`.
    pub(crate) async fn unended_before(
        &self,
        node: NodeId,
        chain: &str,
        recovered: u64,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<(String,)> = fetch_all!(
            &mut tx,
            (String,),
            "SELECT s.id FROM sessions s JOIN decisions d ON d.id = s.decision_id
             WHERE s.ended_at IS NULL AND s.node_id = $1 AND (d.chain <> $2 OR d.sequence <= $3)",
            node.to_string(),
            chain,
            column(recovered)
        )?;
        rows.iter().map(|(id,)| id.parse().map_err(|_| StoreError::corrupt("sessions.id", id))).collect()
    }
}

/// An end, with its time.
type End = (i64, EndBody);

fn sort(records: &[Record]) -> Result<(Vec<Decided>, Vec<End>), StoreError> {
    let (mut decisions, mut ends) = (Vec::new(), Vec::new());
    for record in records {
        let unreadable =
            |error| StoreError::corrupt("journal", format!("record {}: {error}", record.sequence));
        match record.kind {
            RecordKind::Admitted | RecordKind::Denied => {
                let body: DecisionIndexed = serde_json::from_str(&record.body).map_err(unreadable)?;
                let is_admitted = record.kind == RecordKind::Admitted;
                let at = record.at.as_micros();
                decisions.push(Decided { sequence: record.sequence, at, is_admitted, index: body.decision });
            }
            RecordKind::Ended => {
                ends.push((record.at.as_micros(), serde_json::from_str(&record.body).map_err(unreadable)?));
            }
            RecordKind::Suppressed => {}
        }
    }
    Ok((decisions, ends))
}

async fn insert_audit(tx: &mut Tx, chain: &str, records: &[Record]) -> Result<(), ShipError> {
    let inserted = insert_rows!(
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
    insert_rows!(
        tx,
        "INSERT INTO decisions (id, chain, sequence) ",
        decisions,
        decided => [decided.index.decision.to_string(), chain.to_owned(), column(decided.sequence)],
        " ON CONFLICT DO NOTHING"
    );
    Ok(())
}

async fn insert_sessions(tx: &mut Tx, node: NodeId, decisions: &[Decided]) -> Result<(), StoreError> {
    let admitted: Vec<&Decided> = decisions.iter().filter(|decided| decided.is_admitted).collect();
    insert_rows!(
        tx,
        "INSERT INTO sessions (id, decision_id, principal, sign_in_id, resource_id, node_id, generation, started_at, bytes_up, bytes_down) ",
        admitted,
        decided => [
            decided.index.session.to_string(),
            decided.index.decision.to_string(),
            decided.index.principal.id.to_string(),
            decided.sign_in(),
            decided.resource(),
            node.to_string(),
            0_i64,
            decided.at,
            0_i64,
            0_i64,
        ],
        " ON CONFLICT DO NOTHING"
    );
    Ok(())
}

/// Each session ends once: an end that comes second changes nothing (D14).
async fn end_sessions(tx: &mut Tx, ends: &[End]) -> Result<(), StoreError> {
    insert_rows!(
        tx,
        "UPDATE sessions SET ended = e.column2, ended_at = e.column3, bytes_up = e.column4, bytes_down = e.column5 FROM (",
        ends,
        end => [
            end.1.session.to_string(),
            end.1.ended.label(),
            end.0,
            column(end.1.bytes_up),
            column(end.1.bytes_down),
        ],
        ") AS e WHERE sessions.id = e.column1 AND sessions.ended_at IS NULL"
    );
    Ok(())
}
