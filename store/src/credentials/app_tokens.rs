//! Tokens that people make for programs of theirs: for one application, and perhaps one part of it.

use super::SecretHash;
use crate::{
    Change, ChangeError, Kind, Store, StoreError,
    change::Note,
    db::{execute, fetch_all, fetch_optional},
};
use postern_ids::{ResourceId, Timestamp, TokenId, UserId};

/// Live tokens of one person. At the limit there is no further one: whoever has so many has lost sight of them.
const LIVE_MAX: u32 = 100;

/// A person's token for one application, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppToken {
    /// Its id.
    pub id: TokenId,
    /// Whose token it is.
    pub user: UserId,
    /// The one application that it is good for.
    pub resource: ResourceId,
    /// The part of it, such as `/api`, by whole segments; empty is all of it.
    pub path: String,
    /// What its owner noted.
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl AppToken {
    /// Whether it is neither revoked nor expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    /// What policy may know of it.
    pub fn facts(&self) -> postern_policy::model::TokenFacts {
        postern_policy::model::TokenFacts { id: self.id, expires_at: Some(self.expires_at) }
    }
}

type Columns = (String, String, String, String, String, i64, i64, Option<i64>);

fn parse(row: Columns) -> Result<AppToken, StoreError> {
    let (id, user, resource, path, note, created_at, expires_at, revoked_at) = row;
    Ok(AppToken {
        user: user.parse().map_err(|_| StoreError::corrupt("app_tokens.user_id", &id))?,
        resource: resource.parse().map_err(|_| StoreError::corrupt("app_tokens.resource_id", &id))?,
        id: id.parse().map_err(|_| StoreError::corrupt("app_tokens.id", &id))?,
        path,
        note,
        created_at: Timestamp::from_micros(created_at),
        expires_at: Timestamp::from_micros(expires_at),
        revoked_at: revoked_at.map(Timestamp::from_micros),
    })
}

impl Change {
    /// Stores a token. `Missing` when its owner or its application is gone, or the owner is disabled; `TooMany` when the owner has too
    /// many already.
    pub async fn put_app_token(&mut self, token: &AppToken, hash: SecretHash) -> Result<(), ChangeError> {
        let done = self.put_app_token_unwatched(token, hash).await;
        self.watch(done)
    }

    /// Revokes a token of this person for good. Another person's is `Missing`.
    pub async fn revoke_app_token(&mut self, id: TokenId, owner: UserId) -> Result<(), ChangeError> {
        let done = self.revoke_app_token_unwatched(id, owner).await;
        self.watch(done)
    }

    async fn put_app_token_unwatched(
        &mut self,
        token: &AppToken,
        hash: SecretHash,
    ) -> Result<(), ChangeError> {
        let (owner, resource) = (token.user.to_string(), token.resource.to_string());
        // Under the lock of changes: a person who is being disabled gets no token that outlives it.
        let enabled: Option<(String,)> = fetch_optional!(
            &mut self.tx,
            (String,),
            "SELECT id FROM users WHERE id = $1 AND NOT disabled",
            &owner
        )?;
        enabled.ok_or_else(|| ChangeError::Missing { kind: Kind::User, id: owner.clone() })?;
        let known: Option<(String,)> =
            fetch_optional!(&mut self.tx, (String,), "SELECT id FROM resources WHERE id = $1", &resource)?;
        known.ok_or_else(|| ChangeError::Missing { kind: Kind::Resource, id: resource.clone() })?;
        self.refuse_hoards(&owner).await?;
        execute!(
            &mut self.tx,
            "INSERT INTO app_tokens (id, hash, user_id, resource_id, path, note, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            token.id.to_string(),
            hash.to_vec(),
            &owner,
            &resource,
            &token.path,
            &token.note,
            token.created_at.as_micros(),
            token.expires_at.as_micros()
        )
        .map_err(|error| error.about(Kind::AppToken, &token.id))?;
        self.note(Note { after: Some(resource.into()), ..Note::new(Kind::AppToken, "created", &token.id) });
        Ok(())
    }

    async fn refuse_hoards(&mut self, owner: &str) -> Result<(), ChangeError> {
        let row: Option<(i64,)> = fetch_optional!(
            &mut self.tx,
            (i64,),
            "SELECT COUNT(*) FROM app_tokens WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2",
            owner,
            self.now.as_micros()
        )?;
        match row {
            Some((live,)) if live >= i64::from(LIVE_MAX) => {
                Err(ChangeError::TooMany { kind: Kind::AppToken, max: LIVE_MAX })
            }
            _ => Ok(()),
        }
    }

    async fn revoke_app_token_unwatched(&mut self, id: TokenId, owner: UserId) -> Result<(), ChangeError> {
        let found: Option<(Option<i64>,)> = fetch_optional!(
            &mut self.tx,
            (Option<i64>,),
            "SELECT revoked_at FROM app_tokens WHERE id = $1 AND user_id = $2",
            id.to_string(),
            owner.to_string()
        )?;
        match found {
            None => return Err(ChangeError::Missing { kind: Kind::AppToken, id: id.to_string() }),
            Some((Some(_),)) => return Ok(()),
            Some((None,)) => {}
        }
        execute!(
            &mut self.tx,
            "UPDATE app_tokens SET revoked_at = $2 WHERE id = $1",
            id.to_string(),
            self.now.as_micros()
        )?;
        self.touch(Kind::AppToken, &id);
        self.note(Note::new(Kind::AppToken, "revoked", &id));
        Ok(())
    }

    /// Revokes every token of a person, or for an application, by its id.
    pub(crate) async fn revoke_app_tokens_of(&mut self, user_or_resource: &str) -> Result<(), ChangeError> {
        let revoked: Vec<(String,)> = fetch_all!(
            &mut self.tx,
            (String,),
            "UPDATE app_tokens SET revoked_at = $2 WHERE (user_id = $1 OR resource_id = $1) AND revoked_at IS NULL AND expires_at > $2 RETURNING id",
            user_or_resource,
            self.now.as_micros()
        )?;
        for (id,) in revoked {
            self.touch(Kind::AppToken, &id);
            self.note(Note::new(Kind::AppToken, "revoked", &id));
        }
        Ok(())
    }
}

impl Store {
    /// The token with this hash, live or not: the caller checks [`AppToken::is_live`] with its clock.
    pub async fn app_token(&self, hash: SecretHash) -> Result<Option<AppToken>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<Columns> = fetch_optional!(
            &mut tx,
            Columns,
            "SELECT id, user_id, resource_id, path, note, created_at, expires_at, revoked_at FROM app_tokens WHERE hash = $1",
            hash.to_vec()
        )?;
        row.map(parse).transpose()
    }

    /// The live tokens of a person, newest first.
    pub async fn app_tokens_of(&self, user: UserId, now: Timestamp) -> Result<Vec<AppToken>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<Columns> = fetch_all!(
            &mut tx,
            Columns,
            "SELECT id, user_id, resource_id, path, note, created_at, expires_at, revoked_at FROM app_tokens
             WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY id DESC",
            user.to_string(),
            now.as_micros()
        )?;
        rows.into_iter().map(parse).collect()
    }
}
