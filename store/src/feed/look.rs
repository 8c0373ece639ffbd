//! One look at the store: where the revision stands, and what lies between.

use super::{Changed, Changes};
use crate::{
    Kind, Revision, Store, StoreError,
    change::{column, count},
    db::{Tx, fetch_all, fetch_optional},
};
use std::time::Instant;

/// Beyond this, dropping caches is cheaper than listing what changed. The statement reads one row more, to tell.
const LISTED_MAX: usize = 1000;

/// What one look found.
pub(super) struct Look {
    pub(super) found: Revision,
    pub(super) changes: Changes,
    pub(super) asked_at: Instant,
}

/// Looks once. `after` is where the list of changes begins; without it, after a regression, the numbers between may belong
/// to another history, so there is none.
pub(super) async fn look(store: Store, seen: Revision, after: Option<Revision>) -> Result<Look, StoreError> {
    let asked_at = Instant::now();
    let mut tx = store.inner.pools.read().await?;
    let row: Option<(i64,)> = fetch_optional!(&mut tx, (i64,), "SELECT revision FROM meta WHERE one = 1")?;
    let (found,) = row.ok_or_else(|| StoreError::corrupt("meta", "no row"))?;
    let found = count(found, "meta.revision")?;
    let changes = match after {
        Some(after) if found > seen => changes(&mut tx, after, found).await?,
        _ => Changes::Gap,
    };
    Ok(Look { found, changes, asked_at })
}

/// Every committed revision has at least one row, so a missing one is a row that was cleaned away.
async fn changes(tx: &mut Tx, seen: Revision, found: Revision) -> Result<Changes, StoreError> {
    let rows: Vec<(i64, String, String)> = fetch_all!(
        tx,
        (i64, String, String),
        "SELECT revision, kind, id FROM changes WHERE revision > $1 ORDER BY revision, kind, id LIMIT 1001",
        column(seen)
    )?;
    if rows.len() > LISTED_MAX {
        return Ok(Changes::Gap);
    }
    let mut listed = Vec::with_capacity(rows.len());
    let mut reached = seen;
    for (revision, kind, id) in rows {
        let revision = count(revision, "changes.revision")?;
        // A kind that this program does not know comes from a newer gateway.
        let Some(kind) = Kind::from_label(&kind) else { return Ok(Changes::Gap) };
        if revision > reached + 1 {
            return Ok(Changes::Gap);
        }
        reached = revision;
        listed.push(Changed { revision, kind, id });
    }
    Ok(if reached == found { Changes::Listed(listed) } else { Changes::Gap })
}
