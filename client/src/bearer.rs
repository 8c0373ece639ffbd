//! The token that a command shows to the gateway.

use crate::home::Tokens;
use std::fmt;
use zeroize::Zeroizing;

/// The variable with a service account's token.
pub const TOKEN_VARIABLE: &str = "POSTERN_TOKEN";

/// A token in use.
pub struct Bearer {
    secret: Zeroizing<String>,
    is_service_account: bool,
}

impl Bearer {
    /// The text for the `Authorization` header.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Whether it came from the environment.
    pub fn is_service_account(&self) -> bool {
        self.is_service_account
    }

    /// A person's access token.
    pub fn of_sign_in(tokens: &Tokens) -> Self {
        Self { secret: Zeroizing::new(tokens.access_token.clone()), is_service_account: false }
    }

    /// A service account's token, if the environment has one.
    pub(crate) fn from_env() -> Option<Self> {
        let secret = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.trim().is_empty())?;
        Some(Self { secret: Zeroizing::new(secret.trim().to_owned()), is_service_account: true })
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").finish_non_exhaustive()
    }
}
