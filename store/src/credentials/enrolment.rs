//! Enrolment tokens: let a connector register its own key at a site.

use super::SecretHash;
use crate::{Change, ChangeError, Store, StoreError};
use postern_ids::{ConnectorId, Name, SiteId, Timestamp, TokenId};

/// An enrolment token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// Its id.
    pub id: TokenId,
    /// The site that the connectors will serve.
    pub site: SiteId,
    /// How many connectors may still enroll with it.
    pub uses_left: u32,
    /// Whether the connectors vanish some time after they went offline.
    pub ephemeral: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being good.
    pub expires_at: Timestamp,
}

/// What a connector brings to its enrolment.
#[derive(Debug, Clone)]
pub struct ConnectorKey {
    /// The id it will have, if it is not known yet.
    pub id: ConnectorId,
    /// The name it asks for; unique.
    pub name: Name,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
}

/// Why a connector was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The token is unknown, used up, revoked or expired.
    #[error("the enrolment token is not good")]
    Token,
    /// The connector could not be stored.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Change {
    /// Stores an enrolment token.
    pub async fn put_enrolment_token(
        &mut self,
        token: &EnrolmentToken,
        hash: SecretHash,
    ) -> Result<(), ChangeError> {
        let _ = (token, hash);
        todo!()
    }

    /// Revokes an enrolment token; connectors that used it stay.
    pub async fn delete_enrolment_token(&mut self, id: TokenId) -> Result<(), ChangeError> {
        let _ = id;
        todo!()
    }
}

impl Store {
    /// The enrolment tokens that are still good, newest first.
    pub async fn enrolment_tokens(&self, now: Timestamp) -> Result<Vec<EnrolmentToken>, StoreError> {
        let _ = now;
        todo!()
    }

    /// Spends one use of the token and registers the connector, in one transaction. The same key presented again under
    /// the same token gets the connector it made before, so an answer lost on the way costs nothing.
    pub async fn enroll(
        &self,
        hash: SecretHash,
        key: &ConnectorKey,
        now: Timestamp,
    ) -> Result<crate::Stored<postern_policy::model::Connector>, EnrolError> {
        let _ = (hash, key, now);
        todo!()
    }

    /// Notes which connectors are online; only ephemeral ones are written.
    pub async fn connectors_seen(&self, online: &[ConnectorId], now: Timestamp) -> Result<(), StoreError> {
        let _ = (online, now);
        todo!()
    }

    /// Removes ephemeral connectors that were not seen for 30 min, and says which.
    pub async fn reap_ephemeral_connectors(&self, now: Timestamp) -> Result<Vec<ConnectorId>, ChangeError> {
        let _ = now;
        todo!()
    }
}
