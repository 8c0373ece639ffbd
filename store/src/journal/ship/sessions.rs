//! The row of a session, made of what one or more gateways say about it, in whatever order their records arrive (D14).
//!
//! - The row belongs to the greatest generation: its gateway, its decision.
//! - An end counts while no greater generation is known, and is taken back when one becomes known: the session went on, and
//!   whoever has it now will see its end. So a gateway that comes back from the dead ends nothing that moved on.
//! - Of several ends of one generation the first counts, but one that somebody saw replaces one that was only presumed.
//! - Bytes are added up. Those of a gateway that died with them are missing.
//!
//! An end of a session that has no row yet is only in the audit: the gateway that admitted it will see an end of its own,
//! or its next start will.

use super::{
    batch::{Batch, Carried, Decided, End},
    statement::for_rows,
};
use crate::{
    Store, StoreError,
    change::column,
    db::{Tx, fetch_all},
    nodes::unended,
};
use postern_ids::{Ended, NodeId, SessionId};
use std::collections::{BTreeMap, btree_map::Entry};

/// More than any session carries, and small enough that a column takes the sum of many.
const BYTES_MAX: u64 = 1 << 53;

pub(super) async fn merge(tx: &mut Tx, node: NodeId, batch: &Batch) -> Result<(), StoreError> {
    own(tx, node, &newest(&batch.decisions)).await?;
    end(tx, &last(&batch.ends)).await?;
    add(tx, &sums(&batch.carried)).await
}

impl Store {
    /// Sessions of a node that have no end, and were neither admitted nor resumed by the process that runs: its records of
    /// this chain come after `recovered`. With the generation of each.
    pub(crate) async fn unended_before(
        &self,
        node: NodeId,
        chain: &str,
        recovered: u64,
    ) -> Result<Vec<(SessionId, u32)>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<(String, i64)> = fetch_all!(
            &mut tx,
            (String, i64),
            "SELECT s.id, s.generation FROM sessions s JOIN decisions d ON d.id = s.decision_id
             WHERE s.ended_at IS NULL AND s.node_id = $1 AND (d.chain <> $2 OR d.sequence <= $3)",
            node.to_string(),
            chain,
            column(recovered)
        )?;
        rows.iter().map(|(id, generation)| unended(id, *generation)).collect()
    }
}

/// The decision that each session now rests on. In order of the ids, so that two gateways seldom wait for each other.
fn newest(decisions: &[Decided]) -> Vec<&Decided> {
    let mut newest: BTreeMap<SessionId, &Decided> = BTreeMap::new();
    for decided in decisions.iter().filter(|decided| decided.is_allowed) {
        let kept = newest.entry(decided.index.session).or_insert(decided);
        if kept.generation < decided.generation {
            *kept = decided;
        }
    }
    newest.into_values().collect()
}

/// The one end of each session that counts among those of a batch.
fn last(ends: &[End]) -> Vec<End> {
    let mut last: BTreeMap<SessionId, End> = BTreeMap::new();
    for end in ends {
        match last.entry(end.session) {
            Entry::Vacant(free) => {
                free.insert(*end);
            }
            Entry::Occupied(mut found) if found.get().yields_to(end) => {
                found.insert(*end);
            }
            Entry::Occupied(_) => {}
        }
    }
    last.into_values().collect()
}

impl End {
    fn is_presumed(self) -> bool {
        matches!(self.ended, Ended::Lost | Ended::ResumeFailed)
    }

    fn yields_to(self, other: &Self) -> bool {
        let better = self.is_presumed() && !other.is_presumed();
        self.generation < other.generation || (self.generation == other.generation && better)
    }
}

fn sums(carried: &[Carried]) -> Vec<(SessionId, u64, u64)> {
    let mut sums: BTreeMap<SessionId, (u64, u64)> = BTreeMap::new();
    for Carried { session, up, down } in carried.iter().filter(|carried| carried.up > 0 || carried.down > 0) {
        let (all_up, all_down) = sums.entry(*session).or_default();
        *all_up = all_up.saturating_add(*up).min(BYTES_MAX);
        *all_down = all_down.saturating_add(*down).min(BYTES_MAX);
    }
    sums.into_iter().map(|(session, (up, down))| (session, up, down)).collect()
}

async fn own(tx: &mut Tx, node: NodeId, decisions: &[&Decided]) -> Result<(), StoreError> {
    for_rows!(
        tx,
        "INSERT INTO sessions (id, decision_id, principal, sign_in_id, resource_id, node_id, generation, started_at, bytes_up, bytes_down) ",
        decisions,
        decided => [
            decided.index.session.to_string(),
            decided.index.decision.to_string(),
            decided.index.principal.id.to_string(),
            decided.sign_in(),
            decided.resource(),
            node.to_string(),
            i64::from(decided.generation),
            decided.started_at,
            0_i64,
            0_i64,
        ],
        " ON CONFLICT (id) DO UPDATE SET
            decision_id = excluded.decision_id,
            sign_in_id = excluded.sign_in_id,
            node_id = excluded.node_id,
            generation = excluded.generation,
            ended = CASE WHEN sessions.ended_generation >= excluded.generation THEN sessions.ended END,
            ended_at = CASE WHEN sessions.ended_generation >= excluded.generation THEN sessions.ended_at END,
            ended_generation = CASE WHEN sessions.ended_generation >= excluded.generation THEN sessions.ended_generation END
          WHERE sessions.generation < excluded.generation"
    );
    Ok(())
}

async fn end(tx: &mut Tx, ends: &[End]) -> Result<(), StoreError> {
    for_rows!(
        tx,
        "UPDATE sessions SET ended = e.column2, ended_at = e.column3, ended_generation = e.column4 FROM (",
        ends,
        end => [
            end.session.to_string(),
            end.ended.label(),
            end.at,
            i64::from(end.generation),
            end.is_presumed(),
        ],
        ") AS e WHERE sessions.id = e.column1 AND sessions.generation <= e.column4 AND (
            sessions.ended_at IS NULL
            OR sessions.ended_generation < e.column4
            OR (sessions.ended_generation = e.column4 AND sessions.ended IN ('lost', 'resume_failed') AND NOT e.column5))"
    );
    Ok(())
}

async fn add(tx: &mut Tx, sums: &[(SessionId, u64, u64)]) -> Result<(), StoreError> {
    for_rows!(
        tx,
        "UPDATE sessions SET bytes_up = sessions.bytes_up + e.column2, bytes_down = sessions.bytes_down + e.column3 FROM (",
        sums,
        sum => [sum.0.to_string(), column(sum.1), column(sum.2)],
        ") AS e WHERE sessions.id = e.column1"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_knows_the_presumed_ends_by_their_labels() {
        for &ended in Ended::ALL {
            let end = End { session: SessionId::from_bytes([1; 16]), generation: 1, ended, at: 0 };
            assert_eq!(end.is_presumed(), ["lost", "resume_failed"].contains(&ended.label()), "{ended:?}");
        }
    }
}
