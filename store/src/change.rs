//! The one way to change what administrators manage: revision, change rows, audit rows and notification in one transaction.

use crate::{ChangeError, Store, StoreError, db::Tx};
use postern_ids::{ConnectorId, ServiceAccountId, SignInId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// The number of a state of everything that policy depends on; it only grows.
pub type Revision = u64;

/// Who makes a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A person.
    User {
        /// Who.
        id: UserId,
        /// Under which sign-in.
        sign_in: Option<SignInId>,
    },
    /// A program.
    ServiceAccount {
        /// Which.
        id: ServiceAccountId,
    },
    /// A connector, about itself.
    Connector {
        /// Which.
        id: ConnectorId,
    },
    /// The gateway itself, for the named reason.
    System {
        /// Why, in a word.
        reason: String,
    },
}

impl Actor {
    /// The gateway itself.
    pub fn system(reason: &str) -> Self {
        Self::System { reason: reason.to_owned() }
    }
}

/// A change in progress. Dropped without `commit`, it leaves nothing behind.
pub struct Change {
    pub(crate) tx: Tx,
    pub(crate) revision: Revision,
    pub(crate) actor: Actor,
    pub(crate) now: Timestamp,
}

impl Store {
    /// Begins a change. Changes run one after the other: this waits for its turn.
    pub async fn change(&self, actor: Actor, now: Timestamp) -> Result<Change, StoreError> {
        let _ = (actor, now);
        todo!()
    }

    /// The current revision.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        todo!()
    }
}

impl Change {
    /// The revision that this change will have.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Makes the change durable and tells every gateway. A change that changed nothing moves no revision and gives the
    /// current one.
    pub async fn commit(self) -> Result<Revision, ChangeError> {
        todo!()
    }

    /// Takes everything back.
    pub async fn rollback(self) -> Result<(), StoreError> {
        todo!()
    }
}
