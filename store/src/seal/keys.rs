//! The master keys of a node: one seals, all of them open.

use super::{KeyId, Place, Sealer, UnsealError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// The keys that a node was given. Which of them seals is for the store to say: all gateways seal under the same one.
#[derive(Debug, Clone)]
pub(crate) struct MasterKeys {
    /// The one that this node is to use.
    own: Arc<Sealer>,
    /// Those that were used before.
    previous: Vec<Arc<Sealer>>,
    sealing: Arc<Sealer>,
}

impl MasterKeys {
    pub(crate) fn new(own: Sealer, previous: impl IntoIterator<Item = Sealer>) -> Self {
        let own = Arc::new(own);
        let previous = previous.into_iter().map(Arc::new).filter(|key| key.id() != own.id()).collect();
        Self { sealing: Arc::clone(&own), own, previous }
    }

    /// The same keys, with this one to seal under; nothing if it is not among them.
    pub(crate) fn sealing_under(&self, key: KeyId) -> Option<Self> {
        let sealing = Arc::clone(self.get(key)?);
        Some(Self { sealing, ..self.clone() })
    }

    /// The key that this node is to use.
    pub(crate) fn own(&self) -> KeyId {
        self.own.id()
    }

    /// Whether the key with this id, as text, is among them.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.all().any(|key| key.id().to_string() == id)
    }

    /// Whether these are the same files' keys, whichever of them seals.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.all().map(|key| key.id()).eq(other.all().map(|key| key.id()))
    }

    pub(crate) fn seal(&self, place: Place<'_>, secret: &[u8]) -> Vec<u8> {
        self.sealing.seal(place, secret)
    }

    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let key = self.get(KeyId::of(sealed).ok_or(UnsealError::Format)?);
        key.ok_or(UnsealError::OtherKey)?.open(place, sealed)
    }

    fn get(&self, key: KeyId) -> Option<&Arc<Sealer>> {
        self.all().find(|held| held.id() == key)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Sealer>> {
        std::iter::once(&self.own).chain(&self.previous)
    }
}

/// The master keys in use, which may change while the store is open.
#[derive(Debug)]
pub(crate) struct Seals(Mutex<Arc<MasterKeys>>);

impl Seals {
    pub(crate) fn new(keys: MasterKeys) -> Self {
        Self(Mutex::new(Arc::new(keys)))
    }

    pub(crate) fn keys(&self) -> Arc<MasterKeys> {
        Arc::clone(&self.lock())
    }

    /// Takes other keys from here on.
    pub(crate) fn take(&self, keys: MasterKeys) {
        *self.lock() = Arc::new(keys);
    }

    /// Seals under this key from here on, if it is here.
    pub(crate) fn seal_under(&self, key: KeyId) -> bool {
        let mut held = self.lock();
        let Some(keys) = held.sealing_under(key) else { return false };
        *held = Arc::new(keys);
        true
    }

    pub(crate) fn seal(&self, place: Place<'_>, secret: &[u8]) -> Vec<u8> {
        self.keys().seal(place, secret)
    }

    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        self.keys().open(place, sealed)
    }

    fn lock(&self) -> MutexGuard<'_, Arc<MasterKeys>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
