//! The principals that were read, each until the store says that it changed.

use postern_policy::model::{Principal, PrincipalId};
use postern_store::{Store, StoreError};
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Principals kept, about 300 B each. At the limit one that is at rest makes room.
const PRINCIPALS_MAX: usize = 65_536;
/// The longest that a first use waits for the store (D4).
const READ_MAX: Duration = Duration::from_secs(1);

/// Why there is no principal to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalError {
    /// The store knows none.
    #[error("there is no such principal")]
    Unknown,
    /// The store did not answer, and the principal was not read before.
    #[error("the store is away and has not been asked about this principal before")]
    Unavailable,
}

enum Slot {
    Known(Arc<Principal>),
    /// To be read; a reading older than this revision does not count.
    Wanted {
        at_least: u64,
    },
}

/// A cache over the store.
pub struct Principals {
    store: Store,
    slots: Mutex<HashMap<PrincipalId, Slot>>,
}

impl fmt::Debug for Principals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principals({})", self.lock().len())
    }
}

impl Principals {
    /// An empty cache.
    pub fn new(store: Store) -> Self {
        Self { store, slots: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PrincipalId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The principal as last read; none if it was not read or has changed since.
    pub fn cached(&self, id: PrincipalId) -> Option<Arc<Principal>> {
        match self.lock().get(&id)? {
            Slot::Known(principal) => Some(Arc::clone(principal)),
            Slot::Wanted { .. } => None,
        }
    }

    /// The principal, read from the store if it must be.
    pub async fn get(&self, id: PrincipalId) -> Result<Arc<Principal>, PrincipalError> {
        if let Some(known) = self.cached(id) {
            return Ok(known);
        }
        match tokio::time::timeout(READ_MAX, self.read(id)).await {
            Ok(Ok(Some(principal))) => Ok(principal),
            Ok(Ok(None)) => Err(PrincipalError::Unknown),
            Ok(Err(_)) | Err(_) => Err(PrincipalError::Unavailable),
        }
    }

    /// Reads a principal and keeps it, unless it changed while it was read: then once more.
    pub async fn read(&self, id: PrincipalId) -> Result<Option<Arc<Principal>>, StoreError> {
        loop {
            self.want(id);
            let Some(read) = self.store.principal(id).await? else {
                self.lock().remove(&id);
                return Ok(None);
            };
            if let Some(kept) = self.keep(Arc::new(read)) {
                return Ok(Some(kept));
            }
        }
    }

    /// Marks a reading as under way, so that a change during it is seen.
    pub(super) fn want(&self, id: PrincipalId) {
        let mut slots = self.lock();
        if slots.len() >= PRINCIPALS_MAX && !slots.contains_key(&id) {
            let at_rest = slots.iter().find(|(_, slot)| matches!(slot, Slot::Known(_))).map(|(id, _)| *id);
            at_rest.map(|id| slots.remove(&id));
        }
        if let Entry::Vacant(free) = slots.entry(id) {
            free.insert(Slot::Wanted { at_least: 0 });
        }
    }

    pub(super) fn keep(&self, read: Arc<Principal>) -> Option<Arc<Principal>> {
        let mut slots = self.lock();
        match slots.get(&read.id) {
            Some(Slot::Wanted { at_least }) if read.revision < *at_least => None,
            Some(Slot::Known(known)) if read.revision < known.revision => Some(Arc::clone(known)),
            Some(Slot::Wanted { .. } | Slot::Known(_)) | None => {
                slots.insert(read.id, Slot::Known(Arc::clone(&read)));
                Some(read)
            }
        }
    }

    /// These changed at `revision`: whatever was read before does not count any more. Gives those that were in use.
    pub fn changed(&self, ids: impl IntoIterator<Item = PrincipalId>, revision: u64) -> Vec<PrincipalId> {
        let mut slots = self.lock();
        ids.into_iter()
            .filter(|id| match slots.get_mut(id) {
                Some(slot) => {
                    *slot = Slot::Wanted { at_least: revision };
                    true
                }
                None => false,
            })
            .collect()
    }

    /// Some changes are not known: everything may have changed.
    pub fn all_changed(&self, revision: u64) -> Vec<PrincipalId> {
        let all: Vec<PrincipalId> = self.lock().keys().copied().collect();
        self.changed(all, revision)
    }
}
