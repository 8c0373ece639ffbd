//! Bearer tokens of service accounts.

use super::SecretHash;
use crate::{Change, ChangeError, Store, StoreError};
use postern_ids::{ServiceAccountId, Timestamp, TokenId};

/// A token of a service account, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// Its id.
    pub id: TokenId,
    /// Whose token it is.
    pub account: ServiceAccountId,
    /// What the creator noted.
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being good, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl ServiceToken {
    /// Whether it is neither revoked nor expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }

    /// What policy may know of it.
    pub fn facts(&self) -> postern_policy::model::TokenFacts {
        postern_policy::model::TokenFacts { id: self.id, expires_at: self.expires_at }
    }
}

impl Change {
    /// Stores a token of a service account.
    pub async fn put_service_token(
        &mut self,
        token: &ServiceToken,
        hash: SecretHash,
    ) -> Result<(), ChangeError> {
        let _ = (token, hash);
        todo!()
    }

    /// Revokes a token for good.
    pub async fn revoke_service_token(&mut self, id: TokenId) -> Result<(), ChangeError> {
        let _ = id;
        todo!()
    }
}

impl Store {
    /// The token with this hash, live or not: the caller checks [`ServiceToken::is_live`] with its clock.
    pub async fn service_token(&self, hash: SecretHash) -> Result<Option<ServiceToken>, StoreError> {
        let _ = hash;
        todo!()
    }

    /// The token with this id.
    pub async fn service_token_by_id(&self, id: TokenId) -> Result<Option<ServiceToken>, StoreError> {
        let _ = id;
        todo!()
    }

    /// All tokens, or those of one account, newest first.
    pub async fn service_tokens(
        &self,
        account: Option<ServiceAccountId>,
    ) -> Result<Vec<ServiceToken>, StoreError> {
        let _ = account;
        todo!()
    }
}
