//! Authorization codes of the loopback flow (RFC 8252): single use, bound to client, redirect and PKCE challenge.

use super::{SecretHash, let_in};
use crate::{
    Actor, ChangeError, Kind, Store, StoreError,
    db::{execute, fetch_optional},
};
use postern_ids::{SignInId, Timestamp, UserId};

/// One authorization code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// SHA-256 of the code.
    pub hash: SecretHash,
    /// The OAuth client.
    pub client_id: String,
    /// The exact redirect URI.
    pub redirect_uri: String,
    /// The PKCE challenge (S256).
    pub code_challenge: String,
    /// Who approved.
    pub user: UserId,
    /// The id that the sign-in made from this code will have.
    pub sign_in: SignInId,
    /// When the person proved who they are.
    pub authenticated_at: Timestamp,
    /// When the code stops being good.
    pub expires_at: Timestamp,
}

/// What came of redeeming an authorization code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeRedemption {
    /// The code was good and is spent.
    Redeemed(AuthorizationCode),
    /// The code was spent before: the sign-in made from it has been ended.
    Replayed {
        /// The sign-in that ended, if it had begun.
        sign_in: SignInId,
    },
    /// No such code, or it expired.
    Invalid,
}

type Columns = (String, String, String, String, String, i64, i64);

fn parse(hash: SecretHash, row: Columns) -> Result<AuthorizationCode, StoreError> {
    let (client_id, redirect_uri, code_challenge, user, sign_in, authenticated_at, expires_at) = row;
    Ok(AuthorizationCode {
        hash,
        client_id,
        redirect_uri,
        code_challenge,
        user: user.parse().map_err(|_| StoreError::corrupt("authorization_codes.user_id", user))?,
        sign_in: sign_in
            .parse()
            .map_err(|_| StoreError::corrupt("authorization_codes.sign_in_id", sign_in))?,
        authenticated_at: Timestamp::from_micros(authenticated_at),
        expires_at: Timestamp::from_micros(expires_at),
    })
}

impl Store {
    /// Stores a code that a person gave out in the sign-in `origin`; `Missing` when that one is not live any more.
    pub async fn issue_authorization_code(
        &self,
        code: &AuthorizationCode,
        origin: SignInId,
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        let_in::note(&mut tx, code.sign_in, origin, now).await?;
        execute!(
            &mut tx,
            "INSERT INTO authorization_codes (hash, client_id, redirect_uri, code_challenge, user_id, sign_in_id, authenticated_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            code.hash.to_vec(),
            &code.client_id,
            &code.redirect_uri,
            &code.code_challenge,
            code.user.to_string(),
            code.sign_in.to_string(),
            code.authenticated_at.as_micros(),
            code.expires_at.as_micros()
        )
        .map_err(|error| error.about(Kind::SignIn, &code.sign_in))?;
        Ok(tx.commit().await?)
    }

    /// Spends a code; of parallel calls exactly one gets it.
    pub async fn redeem_authorization_code(
        &self,
        hash: SecretHash,
        now: Timestamp,
    ) -> Result<CodeRedemption, ChangeError> {
        let mut tx = self.inner.pools.write().await?;
        let row: Option<Columns> = fetch_optional!(
            &mut tx,
            Columns,
            "UPDATE authorization_codes SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2
             RETURNING client_id, redirect_uri, code_challenge, user_id, sign_in_id, authenticated_at, expires_at",
            hash.to_vec(),
            now.as_micros()
        )?;
        if let Some(row) = row {
            let code = parse(hash, row)?;
            tx.commit().await?;
            return Ok(CodeRedemption::Redeemed(code));
        }
        let spent: Option<(String,)> = fetch_optional!(
            &mut tx,
            (String,),
            "SELECT sign_in_id FROM authorization_codes WHERE hash = $1 AND used_at IS NOT NULL",
            hash.to_vec()
        )?;
        tx.rollback().await?;
        let Some((id,)) = spent else { return Ok(CodeRedemption::Invalid) };
        let sign_in = id.parse().map_err(|_| StoreError::corrupt("authorization_codes.sign_in_id", id))?;
        self.end_sign_in(sign_in, "code_replayed", &Actor::system("code_replayed"), now).await?;
        Ok(CodeRedemption::Replayed { sign_in })
    }
}
