//! Refresh tokens: each is good once; its successor is handed out again for 30 s, and a later second use ends the sign-in.

use super::SecretHash;
use super::sign_ins;
use crate::{
    Actor, ChangeError, Kind, SignIn, Store, StoreError,
    db::{Tx, execute, fetch_optional},
    seal::Place,
};
use postern_ids::{SignInId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Parallel commands that were started with the same token meet within this time.
const REPEATED_FOR: Duration = Duration::from_secs(30);

/// A refresh token to store: the text goes to the client, the hash stays.
#[derive(Debug, Clone)]
pub struct RefreshToken {
    /// The token's text. Kept sealed, and only while it may have to be handed out again.
    pub text: SecretString,
    /// Its SHA-256.
    pub hash: SecretHash,
    /// When it stops being good.
    pub expires_at: Timestamp,
}

/// What came of presenting a refresh token.
#[derive(Debug, Clone)]
pub enum RefreshOutcome {
    /// The token was good and is spent; the successor that the caller offered is stored.
    Rotated {
        /// The sign-in behind it.
        sign_in: SignIn,
    },
    /// The token was spent less than 30 s ago, by a parallel command: here is the successor it got then.
    Repeated {
        /// The sign-in behind it.
        sign_in: SignIn,
        /// The text of the successor handed out first.
        successor: SecretString,
        /// When that successor stops being good.
        expires_at: Timestamp,
    },
    /// The token was spent before: somebody has a copy. The sign-in has been ended.
    Reused {
        /// The sign-in that ended.
        sign_in: SignInId,
    },
    /// No such token, or it, its sign-in or its user is no longer good.
    Invalid,
}

impl Store {
    /// Stores the first refresh token of a sign-in.
    pub async fn issue_refresh_token(
        &self,
        sign_in: SignInId,
        token: &RefreshToken,
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        insert(&mut tx, sign_in, token, now).await?;
        Ok(tx.commit().await?)
    }

    /// Spends a refresh token and stores its successor, atomically: of any number of parallel calls exactly one rotates.
    pub async fn rotate_refresh_token(
        &self,
        presented: SecretHash,
        successor: &RefreshToken,
        now: Timestamp,
    ) -> Result<RefreshOutcome, ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        let place = hex(presented);
        let place = Place { table: "refresh_tokens", id: &place, column: "successor_sealed" };
        let sealed = self.inner.seals.seal(place, successor.text.expose_secret().as_bytes());
        let spent: Option<(String,)> = fetch_optional!(
            &mut tx,
            (String,),
            "UPDATE refresh_tokens SET used_at = $2, successor_sealed = $3, successor_expires_at = $4
             WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING sign_in_id",
            presented.to_vec(),
            now.as_micros(),
            sealed,
            successor.expires_at.as_micros()
        )?;
        let Some((id,)) = spent else { return self.present_again(tx, presented, place, now).await };
        let Some(sign_in) = live(&mut tx, &id, now).await? else { return Ok(RefreshOutcome::Invalid) };
        insert(&mut tx, sign_in.id, successor, now).await?;
        tx.commit().await?;
        Ok(RefreshOutcome::Rotated { sign_in })
    }

    /// The sign-in of a refresh token, good or spent; for revocation by its holder.
    pub async fn sign_in_of_refresh_token(
        &self,
        presented: SecretHash,
    ) -> Result<Option<SignInId>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(String,)> = fetch_optional!(
            &mut tx,
            (String,),
            "SELECT sign_in_id FROM refresh_tokens WHERE hash = $1",
            presented.to_vec()
        )?;
        row.map(|(id,)| parse(&id)).transpose()
    }

    /// A token that was not good to spend: unknown, expired, or spent before.
    async fn present_again(
        &self,
        mut tx: Tx,
        presented: SecretHash,
        place: Place<'_>,
        now: Timestamp,
    ) -> Result<RefreshOutcome, ChangeError> {
        let row: Option<Spent> = fetch_optional!(
            &mut tx,
            Spent,
            "SELECT sign_in_id, used_at, successor_sealed, successor_expires_at FROM refresh_tokens WHERE hash = $1 AND used_at IS NOT NULL",
            presented.to_vec()
        )?;
        let Some((id, used_at, sealed, expires_at)) = row else { return Ok(RefreshOutcome::Invalid) };
        let Some(sign_in) = live(&mut tx, &id, now).await? else { return Ok(RefreshOutcome::Invalid) };
        tx.rollback().await?;
        let is_recent = now.since(Timestamp::from_micros(used_at)) <= REPEATED_FOR;
        if let (true, Some(sealed), Some(expires_at)) = (is_recent, sealed, expires_at) {
            let text = self.inner.seals.open(place, &sealed).map_err(StoreError::from)?;
            let text = str::from_utf8(&text).map_err(|error| StoreError::corrupt("refresh_tokens", error))?;
            let expires_at = Timestamp::from_micros(expires_at);
            return Ok(RefreshOutcome::Repeated { sign_in, successor: text.into(), expires_at });
        }
        self.end_sign_in(sign_in.id, "refresh_token_reused", &Actor::system("refresh_token_reused"), now)
            .await?;
        Ok(RefreshOutcome::Reused { sign_in: sign_in.id })
    }
}

type Spent = (String, i64, Option<Vec<u8>>, Option<i64>);

async fn insert(
    tx: &mut Tx,
    sign_in: SignInId,
    token: &RefreshToken,
    now: Timestamp,
) -> Result<(), ChangeError> {
    execute!(
        tx,
        "INSERT INTO refresh_tokens (hash, sign_in_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)",
        token.hash.to_vec(),
        sign_in.to_string(),
        now.as_micros(),
        token.expires_at.as_micros()
    )
    .map_err(|error| error.about(Kind::SignIn, &sign_in))?;
    Ok(())
}

/// The sign-in of a token, if it is neither ended nor expired. Disabling a user ends its sign-ins, so that is covered.
async fn live(tx: &mut Tx, id: &str, now: Timestamp) -> Result<Option<SignIn>, StoreError> {
    Ok(sign_ins::select(tx, parse(id)?).await?.filter(|sign_in| sign_in.is_live(now)))
}

fn parse(id: &str) -> Result<SignInId, StoreError> {
    id.parse().map_err(|_| StoreError::corrupt("refresh_tokens.sign_in_id", id))
}

fn hex(hash: SecretHash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}
