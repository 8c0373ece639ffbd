//! Brings a store under the master key that its gateways were given, while they serve.

use super::{SEAL_CHECK, SEAL_CHECK_TEXT, StoredKeys, reseal};
use crate::{
    Actor, Change, ChangeError, Store, StoreError,
    db::{Pools, execute, fetch_all, fetch_optional},
    seal::KeyId,
};
use postern_ids::{NodeId, Timestamp};
use serde_json::json;
use std::time::{Duration, Instant};

/// What one look at the seals found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealNews {
    /// Everything is sealed under the key of this gateway.
    Settled,
    /// This gateway was given another key than the store is sealed under, and these gateways were not.
    Waiting {
        /// Those that are to be given it first.
        nodes: Vec<NodeId>,
    },
    /// From here on the store is sealed under the key of this gateway.
    Changed {
        /// Which it was before.
        from: String,
        /// Which it is.
        to: String,
    },
    /// Values were sealed anew.
    Resealed {
        /// How many.
        values: u64,
    },
    /// Nothing was found that is sealed under an earlier key; whether that stays so is looked at for a while.
    Settling,
    /// Nothing is sealed under these keys any more: nobody needs them.
    Retired {
        /// Which keys.
        keys: String,
    },
    /// The store is sealed under a key that this gateway does not have.
    Unknown {
        /// Which key.
        key: String,
    },
}

/// Looks after the seals of a store for one gateway.
pub struct SealKeeper {
    store: Store,
    node: NodeId,
    /// How long nothing must be found under an earlier key before it counts as done.
    settled_after: Duration,
    quiet_since: Option<Instant>,
}

impl Store {
    /// What looks after the seals for this gateway. `settled_after` must be longer than any gateway waits between two looks,
    /// because only then does it seal under the key that is in force.
    pub fn seal_keeper(&self, node: NodeId, settled_after: Duration) -> SealKeeper {
        SealKeeper { store: self.clone(), node, settled_after, quiet_since: None }
    }
}

impl SealKeeper {
    /// One look. Call it every few seconds.
    pub async fn look(&mut self, now: Timestamp) -> Result<SealNews, ChangeError> {
        let own = self.store.inner.seals.keys().own();
        self.announce(own).await?;
        let stored = StoredKeys::select(&mut self.store.inner.pools.read().await?).await?;
        let in_force =
            stored.in_force().ok_or_else(|| StoreError::corrupt("meta.seal_check", "unreadable"))?;
        if !self.store.inner.seals.seal_under(in_force) {
            return Ok(SealNews::Unknown { key: in_force.to_string() });
        }
        if own != in_force {
            self.quiet_since = None;
            return self.change_over(own, in_force, now).await;
        }
        if stored.earlier.is_empty() {
            return Ok(SealNews::Settled);
        }
        self.finish(&stored, in_force, now).await
    }

    /// Says which key this gateway was given. An embedded store has only the one gateway.
    async fn announce(&self, own: KeyId) -> Result<(), ChangeError> {
        if let Pools::Sqlite(_) = &self.store.inner.pools {
            return Ok(());
        }
        let (node, own) = (self.node.to_string(), own.to_string());
        let mut tx = self.store.inner.pools.read().await?;
        let said: Option<(Option<String>,)> = fetch_optional!(
            &mut tx,
            (Option<String>,),
            "SELECT master_key FROM nodes WHERE node_id = $1",
            &node
        )?;
        tx.rollback().await?;
        if said.is_some_and(|(said,)| said.as_deref() == Some(own.as_str())) {
            return Ok(());
        }
        let mut tx = self.store.inner.pools.write().await?;
        execute!(
            &mut tx,
            "INSERT INTO nodes (node_id, beats, master_key) VALUES ($1, 0, $2) ON CONFLICT (node_id) DO UPDATE SET master_key = $2",
            node,
            own
        )?;
        Ok(tx.commit().await?)
    }

    /// Changes over to the key of this gateway, unless another gateway could not follow.
    async fn change_over(&self, own: KeyId, from: KeyId, now: Timestamp) -> Result<SealNews, ChangeError> {
        let mut change = self.store.change(Actor::system("master_key"), now).await?;
        let stored = StoredKeys::select(&mut change.tx).await?;
        let nodes = self.others_than(&mut change, own).await?;
        if stored.in_force() != Some(from) || !nodes.is_empty() {
            change.rollback().await?;
            return Ok(SealNews::Waiting { nodes });
        }
        let (from, to) = (from.to_string(), own.to_string());
        let earlier = stored.earlier.iter().filter(|key| **key != to && **key != from);
        let earlier = earlier.chain([&from]).map(String::as_str).collect::<Vec<_>>().join(" ");
        let keys = self.store.inner.seals.keys().sealing_under(own);
        let keys = keys.ok_or_else(|| StoreError::corrupt("master key", "taken away meanwhile"))?;
        execute!(
            &mut change.tx,
            "UPDATE meta SET seal_check = $1, earlier_master_keys = $2 WHERE one = 1",
            keys.seal(SEAL_CHECK, SEAL_CHECK_TEXT),
            earlier
        )?;
        change.record("master_key.changed", &json!({ "from": from, "to": to }))?;
        change.commit().await?;
        self.store.inner.seals.seal_under(own);
        Ok(SealNews::Changed { from, to })
    }

    /// The other gateways that were not given this key, or are of a version that does not say.
    async fn others_than(&self, change: &mut Change, own: KeyId) -> Result<Vec<NodeId>, ChangeError> {
        if let Pools::Sqlite(_) = &self.store.inner.pools {
            return Ok(Vec::new());
        }
        let rows: Vec<(String,)> = fetch_all!(
            &mut change.tx,
            (String,),
            "SELECT node_id FROM nodes WHERE node_id <> $1 AND (master_key IS NULL OR master_key <> $2) ORDER BY node_id",
            self.node.to_string(),
            own.to_string()
        )?;
        let parsed =
            rows.iter().map(|(id,)| id.parse().map_err(|_| StoreError::corrupt("nodes.node_id", id)));
        Ok(parsed.collect::<Result<_, _>>()?)
    }

    /// Seals anew what is left, and says so once nothing was left for long enough.
    async fn finish(
        &mut self,
        stored: &StoredKeys,
        in_force: KeyId,
        now: Timestamp,
    ) -> Result<SealNews, ChangeError> {
        let values = reseal::reseal(&self.store, in_force).await?;
        if values > 0 {
            self.quiet_since = None;
            return Ok(SealNews::Resealed { values });
        }
        let quiet_since = *self.quiet_since.get_or_insert_with(Instant::now);
        if quiet_since.elapsed() < self.settled_after || !reseal::is_done(&self.store, in_force).await? {
            return Ok(SealNews::Settling);
        }
        let mut change = self.store.change(Actor::system("master_key"), now).await?;
        if StoredKeys::select(&mut change.tx).await? != *stored {
            change.rollback().await?;
            return Ok(SealNews::Settling);
        }
        execute!(&mut change.tx, "UPDATE meta SET earlier_master_keys = NULL WHERE one = 1")?;
        let keys = stored.earlier.join(" ");
        change.record("master_key.retired", &json!({ "keys": keys }))?;
        change.commit().await?;
        self.quiet_since = None;
        Ok(SealNews::Retired { keys })
    }
}
