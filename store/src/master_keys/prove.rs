//! The keys that a node was given must be those of the store.

use super::{SEAL_CHECK, SEAL_CHECK_TEXT, StoredKeys};
use crate::{
    OpenError, Store, StoreConfig, StoreError,
    db::{Pools, execute},
    seal::{self, MasterKeyError, MasterKeys, Sealer},
};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Reads the keys and proves them. One is made only for an embedded store that never had one.
pub(crate) async fn prove(pools: &Pools, config: &StoreConfig) -> Result<MasterKeys, OpenError> {
    let path = &config.master_key_file;
    let mut stored = stored(pools).await?;
    let own = match (seal::read(path)?, &stored.check, pools) {
        (Some(key), _, _) => key,
        (None, None, Pools::Sqlite(_)) => seal::create(path)?,
        (None, Some(_), _) | (None, None, Pools::Postgres(_)) => return Err(missing(path).into()),
    };
    let keys = with_previous(&own, &config.previous_master_key_files)?;
    if stored.check.is_none() {
        stored = first_check(pools, &keys).await?;
    }
    Ok(fitting(&keys, &stored, path)?)
}

/// Master keys that are those of the store.
#[derive(Debug)]
pub struct ProvenKeys(MasterKeys);

impl Store {
    /// Reads master keys from these files and proves them; nothing changes.
    pub async fn prove_master_keys(&self, own: &Path, previous: &[PathBuf]) -> Result<ProvenKeys, OpenError> {
        let key = seal::read(own)?.ok_or_else(|| missing(own))?;
        let keys = with_previous(&key, previous)?;
        let in_use = self.inner.seals.keys();
        if keys.same_as(&in_use) {
            return Ok(ProvenKeys(MasterKeys::clone(&in_use)));
        }
        let stored = stored(&self.inner.pools).await?;
        Ok(ProvenKeys(fitting(&keys, &stored, own)?))
    }

    /// Uses these master keys from here on.
    pub fn take_master_keys(&self, keys: ProvenKeys) {
        self.inner.seals.take(keys.0);
    }
}

fn missing(path: &Path) -> MasterKeyError {
    MasterKeyError::Missing { path: path.to_owned() }
}

fn with_previous(own: &Zeroizing<[u8; 32]>, previous: &[PathBuf]) -> Result<MasterKeys, MasterKeyError> {
    let read = |path: &PathBuf| Ok(Sealer::new(&*seal::read(path)?.ok_or_else(|| missing(path))?));
    let previous = previous.iter().map(read).collect::<Result<Vec<_>, MasterKeyError>>()?;
    Ok(MasterKeys::new(Sealer::new(own), previous))
}

async fn stored(pools: &Pools) -> Result<StoredKeys, StoreError> {
    StoredKeys::select(&mut pools.read().await?).await
}

/// Of gateways that start on the same empty store the first one wins; the others must have the same key.
async fn first_check(pools: &Pools, keys: &MasterKeys) -> Result<StoredKeys, StoreError> {
    let mut tx = pools.write().await?;
    execute!(
        &mut tx,
        "UPDATE meta SET seal_check = $1 WHERE one = 1 AND seal_check IS NULL",
        keys.seal(SEAL_CHECK, SEAL_CHECK_TEXT)
    )?;
    tx.commit().await?;
    stored(pools).await
}

/// The keys, sealing under the one in force, if they open all that the store may hold.
fn fitting(keys: &MasterKeys, stored: &StoredKeys, path: &Path) -> Result<MasterKeys, MasterKeyError> {
    let check = stored.check.as_deref().unwrap_or_default();
    let in_force = stored.in_force().and_then(|key| keys.sealing_under(key));
    let Some(proven) = in_force.filter(|keys| keys.open(SEAL_CHECK, check).is_ok()) else {
        let stored = stored.in_force().map_or_else(|| "unreadable".to_owned(), |key| key.to_string());
        return Err(MasterKeyError::Wrong { path: path.to_owned(), own: keys.own().to_string(), stored });
    };
    let lacking: Vec<&str> =
        stored.earlier.iter().map(String::as_str).filter(|id| !proven.holds(id)).collect();
    match lacking.is_empty() {
        true => Ok(proven),
        false => Err(MasterKeyError::Earlier { earlier: lacking.join(" ") }),
    }
}
