//! Proving again who one is, with the password of an account of this gateway, for an application that wants it fresh.

use super::{
    FormGuard, Markup, Next, Page, PageFailure, Proof, SignedIn, come_in, fill, onward::after_form,
    see_other, text,
};
use crate::{WebState, body::Form, client_addr::Client, problem::Failure};
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_identity::{Attempted, DoorRefused, HashRefused, Password};
use postern_store::User;
use secrecy::ExposeSecret;
use std::time::Duration;

const FORM: &str = include_str!("templates/sign_in_again.html");
const ALERT: &str = include_str!("templates/alert.html");

pub(crate) async fn show(
    State(state): State<WebState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let query = Form::parse(query.unwrap_or_default().as_bytes())
        .ok_or(PageFailure::BadRequest("The address has a part that is given twice."))?;
    let next = Next::parse(query.get("next").unwrap_or_default());
    match SignedIn::of(&state, &headers, state.now()).await? {
        Some(signed_in) if signed_in.sign_in.idp == User::LOCAL => {
            Ok(form(&headers, &signed_in, &next, None)?.into_response())
        }
        Some(_) | None => Ok(see_other(&next.sign_in_url())),
    }
}

pub(crate) async fn submit(
    State(state): State<WebState>,
    Client(address): Client,
    headers: HeaderMap,
    form_body: Result<Form, Failure>,
) -> Result<Response, PageFailure> {
    let mut sent = form_body?;
    FormGuard::check(&headers, &sent, state.issuer())?;
    let now = state.now();
    let next = Next::parse(sent.get("next").unwrap_or_default());
    let signed_in = SignedIn::of(&state, &headers, now).await?;
    let Some(signed_in) = signed_in.filter(|signed_in| signed_in.sign_in.idp == User::LOCAL) else {
        return Ok(after_form(&next));
    };
    // Whose password it is was settled at the sign-in: no form can name somebody else (O8).
    let account = state.store().local_account(&signed_in.user.name).await?;
    let attempted = Attempted {
        person: signed_in.user.id.to_string(),
        address,
        hash: account.map(|account| account.password_hash.expose_secret().to_owned()),
        enabled: true,
    };
    let password = Password::presented(sent.take("password").unwrap_or_default());
    let refused = |said, status| Ok(form(&headers, &signed_in, &next, Some(said))?.status(status));
    match state.door().check(attempted, password, now).await {
        Ok(()) => {
            let proof = Proof::password(now);
            come_in(&state, &headers, signed_in.user.id, &proof, after_form(&next), now)
                .await
                .map(|(response, _)| response)
        }
        Err(DoorRefused::Wrong) => {
            tracing::info!(client.address = %address, "authn.rejected: a password was wrong");
            refused("The password is wrong.", StatusCode::UNAUTHORIZED).map(IntoResponse::into_response)
        }
        Err(DoorRefused::Throttled(wait)) => {
            tracing::info!(client.address = %address, "limit.hit: too many sign-in attempts");
            let page =
                refused("Too many attempts. Wait a minute, then try again.", StatusCode::TOO_MANY_REQUESTS);
            Ok(later(page?, wait.retry_after))
        }
        Err(DoorRefused::Hash(HashRefused::Busy)) => {
            let page = refused(
                "Too many people are signing in at this moment. Try again in a few seconds.",
                StatusCode::TOO_MANY_REQUESTS,
            );
            Ok(later(page?, Duration::from_secs(3)))
        }
        Err(DoorRefused::Hash(HashRefused::Failed)) => Err(PageFailure::Internal),
    }
}

fn form(
    headers: &HeaderMap,
    signed_in: &SignedIn,
    next: &Next,
    said: Option<&str>,
) -> Result<Page, PageFailure> {
    let guard = FormGuard::of(headers)?;
    let alert = said.map_or(Markup::default(), |said| fill(ALERT, &[("said", text(said))]));
    let body = fill(
        FORM,
        &[
            ("alert", alert),
            ("csrf", guard.field()),
            ("next", text(next.as_str())),
            ("user", text(signed_in.user.name.as_str())),
        ],
    );
    Ok(Page::new("Is it still you?", body).header(header::SET_COOKIE, guard.set_cookie()))
}

fn later(page: Page, after: Duration) -> Response {
    page.header(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1))).into_response()
}
