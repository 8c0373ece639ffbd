//! The bootstrap token: turns an empty store into one with an owner, once.

use super::SecretHash;
use crate::{
    Actor, ChangeError, Expect, Kind, Revision, Store, StoreError, User,
    change::Note,
    db::{execute, fetch_optional},
};
use postern_ids::Timestamp;
use postern_policy::{admin::OWNERS, model::PrincipalId};

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
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(Option<i64>,)> =
            fetch_optional!(&mut tx, (Option<i64>,), "SELECT bootstrapped_at FROM meta WHERE one = 1")?;
        Ok(row.is_some_and(|(at,)| at.is_some()))
    }

    /// Makes this the one bootstrap token. `false`, and nothing stored, when the store has its owner.
    pub async fn issue_bootstrap_token(
        &self,
        hash: SecretHash,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, ChangeError> {
        let mut change = self.change(Actor::system("bootstrap"), now).await?;
        if change.is_bootstrapped() {
            change.rollback().await?;
            return Ok(false);
        }
        execute!(&mut change.tx, "DELETE FROM bootstrap_tokens")?;
        execute!(
            &mut change.tx,
            "INSERT INTO bootstrap_tokens (one, hash, expires_at) VALUES (1, $1, $2)",
            hash.to_vec(),
            expires_at.as_micros()
        )?;
        change.note(Note::new(Kind::User, "bootstrap_issued", &OWNERS));
        change.commit().await?;
        Ok(true)
    }

    /// Spends the token and makes the owner in one transaction: of parallel calls exactly one wins.
    pub async fn bootstrap(
        &self,
        hash: SecretHash,
        owner: &NewOwner,
        now: Timestamp,
    ) -> Result<Revision, BootstrapError> {
        let actor = Actor::User { id: owner.user.id, sign_in: None };
        let mut change = self.change(actor, now).await.map_err(ChangeError::from)?;
        if change.is_bootstrapped() {
            return Err(BootstrapError::Done);
        }
        let spent = execute!(
            &mut change.tx,
            "DELETE FROM bootstrap_tokens WHERE hash = $1 AND expires_at > $2",
            hash.to_vec(),
            now.as_micros()
        )
        .map_err(ChangeError::from)?;
        if spent == 0 {
            return Err(BootstrapError::Token);
        }
        change.put(&owner.user, Expect::New).await?;
        change.set_password_hash(owner.user.id, Some(&owner.password_hash)).await?;
        change.set_groups_of(PrincipalId::User(owner.user.id), &[OWNERS]).await?;
        change.set_bootstrapped().await?;
        Ok(change.commit().await?)
    }
}
