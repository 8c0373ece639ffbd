//! Signing a browser out: here, and at the provider that vouched for the person (OpenID Connect RP-Initiated Logout 1.0).
//!
//! An application's host ends the sign-in itself and then leads here. Nothing is ended by coming here: the way to the
//! provider opens only for a browser whose sign-in was ended by its person already, so no other site's link signs
//! anybody out.

use super::{FormGuard, Markup, Page, PageFailure, SignedIn, fill, see_other, text};
use crate::{WebState, body::Form, cookies, problem::Failure};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use postern_ids::Name;
use postern_store::{Actor, SecretHash, SignIn, User};
use postern_token::opaque::OpaqueKind;
use std::time::Instant;
use url::Url;

const SIGNED_OUT: &str = include_str!("templates/signed_out.html");
const AT_PROVIDER: &str = include_str!("templates/signed_out_provider.html");
const HERE: &str = include_str!("templates/signed_out_here.html");

/// Where the provider sends people back to; it has to be registered there.
const PATH: &str = "/signed-out";

/// Why a sign-in ended that its person ended.
const SIGNED_OUT_REASON: &str = "signed_out";

pub(crate) async fn submit(
    State(state): State<WebState>,
    headers: HeaderMap,
    form: Result<Form, Failure>,
) -> Result<Response, PageFailure> {
    let form = form?;
    FormGuard::check(&headers, &form, state.issuer())?;
    let now = state.now();
    let signed_in = SignedIn::of(&state, &headers, now).await?;
    if let Some(signed_in) = &signed_in {
        let actor = Actor::User { id: signed_in.user.id, sign_in: Some(signed_in.sign_in.id) };
        let ended = state.store().end_sign_in(signed_in.sign_in.id, SIGNED_OUT_REASON, &actor, now).await?;
        // Whoever is told that they are signed out is.
        state.until_in_force(ended).await;
    }
    Ok(farewell(&state, signed_in.map(|signed_in| signed_in.sign_in)).await)
}

pub(crate) async fn show(State(state): State<WebState>, headers: HeaderMap) -> Result<Response, PageFailure> {
    let cookie = cookies::read(&headers, cookies::SIGN_IN, OpaqueKind::Cookie)
        .map_err(|_| PageFailure::CookieAmbiguous)?;
    let sign_in = match cookie {
        Some(cookie) => state.store().browser_sign_in(SecretHash(cookie.hash())).await?,
        None => None,
    };
    match sign_in {
        Some(sign_in) if sign_in.is_live(state.now()) => Ok(see_other("/sign-in")),
        ended => {
            let by_person = |sign_in: &SignIn| sign_in.end_reason.as_deref() == Some(SIGNED_OUT_REASON);
            Ok(farewell(&state, ended.filter(by_person)).await)
        }
    }
}

/// The last page, without cookies; it leads on to the provider of the sign-in that was ended.
async fn farewell(state: &WebState, ended: Option<SignIn>) -> Response {
    let provider = match &ended {
        Some(sign_in) if sign_in.idp != User::LOCAL => at_provider(state, sign_in).await,
        Some(_) | None => None,
    };
    let way = match &provider {
        Some((name, url)) => fill(AT_PROVIDER, &[("provider", text(name)), ("location", text(url.as_str()))]),
        None => Markup::of_ours(HERE),
    };
    let mut page = Page::new("Signed out", fill(SIGNED_OUT, &[("way", way)]))
        .header(header::SET_COOKIE, cookies::clear(cookies::SIGN_IN))
        .header(header::SET_COOKIE, cookies::clear(cookies::FORM));
    if let Some((_, url)) = provider {
        page = page.continue_at(url.as_str());
    }
    page.into_response()
}

/// The provider's name and its page for signing out. Where there is none, or it cannot be asked, signing out here is all
/// there is.
async fn at_provider(state: &WebState, sign_in: &SignIn) -> Option<(String, Url)> {
    let name: Name = sign_in.idp.parse().ok()?;
    let known = state.providers().find(state.store(), state.issuer(), &name).await.ok()??;
    let id_token = state.store().provider_id_token(sign_in.id).await.ok()?;
    let back: Url = format!("{}{PATH}", state.issuer()).parse().ok()?;
    let url = known.party.end_session_url(id_token.as_ref(), &back, Instant::now()).await.ok()??;
    let shown = Some(known.provider.display_name.as_str()).filter(|shown| !shown.is_empty());
    Some((shown.unwrap_or(name.as_str()).to_owned(), url))
}
