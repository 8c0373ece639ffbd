//! The master key of a store: proven at every start, and changed while gateways serve.
//!
//! The seal check in `meta` says under which key everybody seals. A gateway that was given another key, and the one in force
//! as a previous one, has the store change over as soon as every gateway was given that key. From then on values are sealed
//! under the new key, those that are there are sealed anew one by one, and the key of before opens what is left until nothing is.

mod keeper;
mod prove;
mod reseal;

pub use keeper::{SealKeeper, SealNews};
pub use prove::ProvenKeys;
pub(crate) use prove::prove;

use crate::{
    StoreError,
    db::{Tx, fetch_optional},
    seal::{KeyId, Place},
};

/// Sealed once into a store, so that a wrong master key is found at start and not at the first use.
const SEAL_CHECK: Place<'_> = Place { table: "meta", id: "1", column: "seal_check" };
/// What the seal check says.
const SEAL_CHECK_TEXT: &[u8] = b"postern";

/// What the store says about its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StoredKeys {
    /// Sealed under the key in force; nothing in an empty store.
    check: Option<Vec<u8>>,
    /// Keys under which values may be sealed still, by their ids.
    earlier: Vec<String>,
}

impl StoredKeys {
    async fn select(tx: &mut Tx) -> Result<Self, StoreError> {
        let row: Option<(Option<Vec<u8>>, Option<String>)> = fetch_optional!(
            tx,
            (Option<Vec<u8>>, Option<String>),
            "SELECT seal_check, earlier_master_keys FROM meta WHERE one = 1"
        )?;
        let (check, earlier) = row.ok_or_else(|| StoreError::corrupt("meta", "no row"))?;
        let earlier = earlier.unwrap_or_default();
        Ok(Self { check, earlier: earlier.split_whitespace().map(str::to_owned).collect() })
    }

    /// The key under which everybody seals.
    fn in_force(&self) -> Option<KeyId> {
        KeyId::of(self.check.as_deref()?)
    }
}
