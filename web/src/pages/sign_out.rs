//! Signing a browser out.

use super::{FormGuard, Next, PageFailure, SignedIn, see_other};
use crate::{WebState, body::Form, cookies, problem::Failure};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use postern_store::Actor;

pub(crate) async fn submit(
    State(state): State<WebState>,
    headers: HeaderMap,
    form: Result<Form, Failure>,
) -> Result<Response, PageFailure> {
    let form = form?;
    FormGuard::check(&headers, &form, state.issuer())?;
    let now = state.now();
    if let Some(signed_in) = SignedIn::of(&state, &headers, now).await? {
        let actor = Actor::User { id: signed_in.user.id, sign_in: Some(signed_in.sign_in.id) };
        state.store().end_sign_in(signed_in.sign_in.id, "signed_out", &actor, now).await?;
    }
    let next = Next::parse(form.get("next").unwrap_or_default());
    let mut response = see_other(&next.sign_in_url());
    response.headers_mut().append(header::SET_COOKIE, cookies::clear(cookies::SIGN_IN));
    response.headers_mut().append(header::SET_COOKIE, cookies::clear(cookies::FORM));
    Ok(response)
}
