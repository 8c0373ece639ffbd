//! Bearer tokens of service accounts.

use super::SecretHash;
use crate::{
    Change, ChangeError, Kind, Store, StoreError,
    change::Note,
    db::{execute, fetch_all, fetch_optional},
};
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

type Columns = (String, String, String, i64, Option<i64>, Option<i64>);

fn parse(
    (id, account, note, created_at, expires_at, revoked_at): Columns,
) -> Result<ServiceToken, StoreError> {
    Ok(ServiceToken {
        account: account.parse().map_err(|_| StoreError::corrupt("service_tokens.account_id", &id))?,
        id: id.parse().map_err(|_| StoreError::corrupt("service_tokens.id", &id))?,
        note,
        created_at: Timestamp::from_micros(created_at),
        expires_at: expires_at.map(Timestamp::from_micros),
        revoked_at: revoked_at.map(Timestamp::from_micros),
    })
}

impl Change {
    /// Stores a token of a service account.
    pub async fn put_service_token(
        &mut self,
        token: &ServiceToken,
        hash: SecretHash,
    ) -> Result<(), ChangeError> {
        let done = self.put_service_token_unwatched(token, hash).await;
        self.watch(done)
    }

    /// Revokes a token for good.
    pub async fn revoke_service_token(&mut self, id: TokenId) -> Result<(), ChangeError> {
        let done = self.revoke_service_token_unwatched(id).await;
        self.watch(done)
    }
}

impl Change {
    async fn put_service_token_unwatched(
        &mut self,
        token: &ServiceToken,
        hash: SecretHash,
    ) -> Result<(), ChangeError> {
        let account = token.account.to_string();
        let known: Option<(String,)> = fetch_optional!(
            &mut self.tx,
            (String,),
            "SELECT id FROM service_accounts WHERE id = $1",
            &account
        )?;
        if known.is_none() {
            return Err(ChangeError::Missing { kind: Kind::ServiceAccount, id: account });
        }
        execute!(
            &mut self.tx,
            "INSERT INTO service_tokens (id, hash, account_id, note, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
            token.id.to_string(),
            hash.to_vec(),
            &account,
            &token.note,
            token.created_at.as_micros(),
            token.expires_at.map(Timestamp::as_micros)
        )
        .map_err(|error| error.about(Kind::ServiceToken, &token.id))?;
        self.note(Note {
            after: Some(account.into()),
            ..Note::new(Kind::ServiceToken, "created", &token.id)
        });
        Ok(())
    }

    async fn revoke_service_token_unwatched(&mut self, id: TokenId) -> Result<(), ChangeError> {
        let found: Option<(Option<i64>,)> = fetch_optional!(
            &mut self.tx,
            (Option<i64>,),
            "SELECT revoked_at FROM service_tokens WHERE id = $1",
            id.to_string()
        )?;
        match found {
            None => return Err(ChangeError::Missing { kind: Kind::ServiceToken, id: id.to_string() }),
            Some((Some(_),)) => return Ok(()),
            Some((None,)) => {}
        }
        execute!(
            &mut self.tx,
            "UPDATE service_tokens SET revoked_at = $2 WHERE id = $1",
            id.to_string(),
            self.now.as_micros()
        )?;
        self.touch(Kind::ServiceToken, &id);
        self.note(Note::new(Kind::ServiceToken, "revoked", &id));
        Ok(())
    }
}

impl Store {
    /// The token with this hash, live or not: the caller checks [`ServiceToken::is_live`] with its clock.
    pub async fn service_token(&self, hash: SecretHash) -> Result<Option<ServiceToken>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<Columns> = fetch_optional!(
            &mut tx,
            Columns,
            "SELECT id, account_id, note, created_at, expires_at, revoked_at FROM service_tokens WHERE hash = $1",
            hash.to_vec()
        )?;
        row.map(parse).transpose()
    }

    /// The token with this id.
    pub async fn service_token_by_id(&self, id: TokenId) -> Result<Option<ServiceToken>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<Columns> = fetch_optional!(
            &mut tx,
            Columns,
            "SELECT id, account_id, note, created_at, expires_at, revoked_at FROM service_tokens WHERE id = $1",
            id.to_string()
        )?;
        row.map(parse).transpose()
    }

    /// All tokens, or those of one account, newest first.
    pub async fn service_tokens(
        &self,
        account: Option<ServiceAccountId>,
    ) -> Result<Vec<ServiceToken>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<Columns> = fetch_all!(
            &mut tx,
            Columns,
            "SELECT id, account_id, note, created_at, expires_at, revoked_at FROM service_tokens
             WHERE $1 = '' OR account_id = $1 ORDER BY id DESC",
            account.map(|id| id.to_string()).unwrap_or_default()
        )?;
        rows.into_iter().map(parse).collect()
    }
}
