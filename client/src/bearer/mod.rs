//! The token that a command shows to the gateway: from the environment, or from the sign-in, refreshed when it is due.
//!
//! Many commands may run at once (git, ansible, an editor). A lock lets one of them refresh, or ask the person; the
//! others wait for what it gets.

mod keeper;
mod renew;

pub use keeper::Keeper;
pub use renew::{Offer, Renewal};

use crate::{
    failure::Failure,
    home::{Home, Lock, Profile, Tokens},
    sign_in,
};
use postern_ids::Timestamp;
use renew::{Stale, renew};
use std::{fmt, time::SystemTime};
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

    fn from_env() -> Option<Self> {
        let secret = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.trim().is_empty())?;
        Some(Self { secret: Zeroizing::new(secret.trim().to_owned()), is_service_account: true })
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").finish_non_exhaustive()
    }
}

/// This machine's clock.
pub fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// A token that is good now. While the kept one is fresh this reads one file and asks nobody.
pub async fn get(home: &Home, profile: &Profile) -> Result<Bearer, Failure> {
    if let Some(bearer) = Bearer::from_env() {
        return Ok(bearer);
    }
    let kept = Tokens::load(home, profile.gateway.as_str())?;
    match kept {
        Some(tokens) if tokens.is_fresh(now()) => Ok(Bearer::of_sign_in(&tokens)),
        Some(_) => Ok(renew(home, profile, Stale { refused: None, may_ask: true }).await?),
        // Never signed in, or signed out on purpose: a prompt would be a surprise.
        None => Err(Failure::signed_out("you are not signed in")),
    }
}

/// Refreshes tokens past half of their life, so that no later command has to wait for it. Whatever goes wrong is for a
/// later command to tell.
pub async fn refresh_early(home: Home, profile: Profile) {
    let gateway = profile.gateway.as_str();
    let due = || Tokens::load(&home, gateway).ok().flatten().filter(|tokens| tokens.is_past_half_life(now()));
    if Bearer::from_env().is_some() || due().is_none() {
        return;
    }
    let Ok(Some(_lock)) = Lock::try_take(&home) else { return };
    let Some(tokens) = due() else { return };
    if let Ok(renewed) = sign_in::refresh(&profile, &tokens).await {
        let _ = renewed.keep(&home, &profile);
    }
}
