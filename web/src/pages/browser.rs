//! Who this browser is signed in as.

use super::PageFailure;
use crate::{WebState, cookies};
use axum::http::HeaderMap;
use postern_ids::Timestamp;
use postern_store::{SecretHash, SignIn, User};
use postern_token::opaque::OpaqueKind;

/// A browser with a live sign-in of an enabled person.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) sign_in: SignIn,
    pub(crate) user: User,
}

impl SignedIn {
    /// Reads the cookie and asks the store; nothing when nobody is signed in any more.
    pub(crate) async fn of(
        state: &WebState,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<Self>, PageFailure> {
        let cookie = cookies::read(headers, cookies::SIGN_IN, OpaqueKind::Cookie)
            .map_err(|_| PageFailure::CookieAmbiguous)?;
        let Some(cookie) = cookie else { return Ok(None) };
        let sign_in = state.store().browser_sign_in(SecretHash(cookie.hash())).await?;
        let Some(sign_in) = sign_in.filter(|sign_in| sign_in.is_live(now)) else { return Ok(None) };
        state.uses().note(sign_in.id);
        let user = state.store().find::<User>(&sign_in.user).await?;
        Ok(user.filter(|user| !user.value.disabled).map(|user| Self { sign_in, user: user.value }))
    }
}
