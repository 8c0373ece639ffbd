//! The bootstrap token: turns an empty store into one with an owner, once.

use super::SecretHash;
use crate::{ChangeError, Revision, Store, StoreError, User};
use postern_ids::Timestamp;

/// The first owner.
#[derive(Debug, Clone)]
pub struct NewOwner {
    /// The person.
    pub user: User,
    /// The argon2 hash of the password, as PHC text.
    pub password_hash: String,
}

/// Why a bootstrap did not happen.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The token is unknown, used, replaced or expired.
    #[error("the bootstrap token is not good")]
    Token,
    /// The store has its owner.
    #[error("this installation has an owner already")]
    Done,
    /// The owner could not be stored.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Store {
    /// Whether a first owner was ever made.
    pub async fn is_bootstrapped(&self) -> Result<bool, StoreError> {
        todo!()
    }

    /// Makes this the one bootstrap token. `false`, and nothing stored, when the store has its owner.
    pub async fn issue_bootstrap_token(
        &self,
        hash: SecretHash,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, ChangeError> {
        let _ = (hash, expires_at, now);
        todo!()
    }

    /// Spends the token and makes the owner in one transaction: of parallel calls exactly one wins.
    pub async fn bootstrap(
        &self,
        hash: SecretHash,
        owner: &NewOwner,
        now: Timestamp,
    ) -> Result<Revision, BootstrapError> {
        let _ = (hash, owner, now);
        todo!()
    }
}
