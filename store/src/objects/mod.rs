//! The objects that administrators manage: what all of them share.

mod catalog;
mod connectors;
mod groups;
mod service_accounts;
mod settings;
mod users;

pub use service_accounts::ServiceAccount;
pub use users::{LocalAccount, User};

use crate::{Change, ChangeError, Kind, Store, StoreError};
use postern_ids::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of writes an object has seen; a writer states the one it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a writer expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: the object is created.
    New,
    /// Exactly this version.
    At(Version),
    /// The object, at whatever version.
    Any,
}

/// An object as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The object.
    pub value: T,
    /// Its version.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// A kind of object with an id and a unique name.
pub trait Object: catalog::Row + Clone + Send + Sync + 'static {
    /// Its id; windows and thresholds have none but their name.
    type Id: fmt::Display + Clone + Send + Sync;
    /// Which kind it is.
    const KIND: Kind;
    /// Its id.
    fn id(&self) -> Self::Id;
    /// Its name, unique in its kind.
    fn name(&self) -> &Name;
}

impl Store {
    /// All objects of a kind, by name.
    pub async fn all<T: Object>(&self) -> Result<Vec<Stored<T>>, StoreError> {
        todo!()
    }

    /// The object with this id.
    pub async fn find<T: Object>(&self, id: &T::Id) -> Result<Option<Stored<T>>, StoreError> {
        let _ = id;
        todo!()
    }

    /// The object with this name.
    pub async fn find_named<T: Object>(&self, name: &Name) -> Result<Option<Stored<T>>, StoreError> {
        let _ = name;
        todo!()
    }
}

impl Change {
    /// Writes an object. An equal object at the expected version is left alone.
    pub async fn put<T: Object>(&mut self, object: &T, expect: Expect) -> Result<Version, ChangeError> {
        let _ = (object, expect);
        todo!()
    }

    /// Removes an object; its id is never given to another one.
    pub async fn delete<T: Object>(&mut self, id: &T::Id, expect: Expect) -> Result<(), ChangeError> {
        let _ = (id, expect);
        todo!()
    }

    /// The object with this id, as this transaction sees it.
    pub async fn find<T: Object>(&mut self, id: &T::Id) -> Result<Option<Stored<T>>, ChangeError> {
        let _ = id;
        todo!()
    }
}
