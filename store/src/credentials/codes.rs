//! Authorization codes of the loopback flow (RFC 8252): single use, bound to client, redirect and PKCE challenge.

use super::SecretHash;
use crate::{ChangeError, Store};
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

impl Store {
    /// Stores a code.
    pub async fn issue_authorization_code(&self, code: &AuthorizationCode) -> Result<(), ChangeError> {
        let _ = code;
        todo!()
    }

    /// Spends a code; of parallel calls exactly one gets it.
    pub async fn redeem_authorization_code(
        &self,
        hash: SecretHash,
        now: Timestamp,
    ) -> Result<CodeRedemption, ChangeError> {
        let _ = (hash, now);
        todo!()
    }
}
