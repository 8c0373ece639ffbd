//! A token that is good now: from the environment, or from the sign-in, refreshed when it is due.
//!
//! Many commands may run at once (git, ansible, an editor). A lock lets one of them refresh, or ask the person; the
//! others wait for what it gets.

mod keeper;
mod renew;

pub use keeper::Keeper;
pub use renew::{Offer, Renewal};

use crate::{
    bearer::Bearer,
    clock::now,
    failure::Failure,
    home::{Home, Lock, Profile, Tokens},
    sign_in,
};
use renew::{Stale, renew};
use zeroize::Zeroizing;

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

/// A token for one that looked good and that the gateway refused: the sign-in may have ended before its time.
pub async fn again(home: &Home, profile: &Profile, refused: &Bearer) -> Result<(), Failure> {
    let refused = Some(Zeroizing::new(refused.secret().to_owned()));
    renew(home, profile, Stale { refused, may_ask: true }).await?;
    Ok(())
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
