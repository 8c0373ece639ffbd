//! Refresh tokens: each is good once; its successor is handed out again for 30 s, and a later second use ends the sign-in.

use super::SecretHash;
use crate::{ChangeError, SignIn, Store};
use postern_ids::{SignInId, Timestamp};
use secrecy::SecretString;

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
        let _ = (sign_in, token, now);
        todo!()
    }

    /// Spends a refresh token and stores its successor, atomically: of any number of parallel calls exactly one rotates.
    pub async fn rotate_refresh_token(
        &self,
        presented: SecretHash,
        successor: &RefreshToken,
        now: Timestamp,
    ) -> Result<RefreshOutcome, ChangeError> {
        let _ = (presented, successor, now);
        todo!()
    }

    /// The sign-in of a refresh token, good or spent; for revocation by its holder.
    pub async fn sign_in_of_refresh_token(
        &self,
        presented: SecretHash,
    ) -> Result<Option<SignInId>, ChangeError> {
        let _ = presented;
        todo!()
    }
}
