//! The way back: from the provider's answer to a sign-in of this browser.

use super::{
    pending::{Waiting, clear_cookie},
    start::failed,
};
use crate::{
    WebState,
    body::Form,
    pages::{PageFailure, Proof, come_in},
    providers::Known,
};
use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use postern_identity::{
    lifetimes,
    oidc::{Callback, Rejected, SignedIn},
};
use postern_ids::{Name, Timestamp};
use postern_store::{User, Vouched, WelcomeError};
use std::time::Instant;

/// Means that count as a second factor (RFC 8176 section 2).
const SECOND_FACTORS: &[&str] = &["mfa", "otp", "hwk", "pop", "fpt", "face", "iris", "sc"];

pub(super) async fn callback(
    State(state): State<WebState>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let done = back(&state, &provider, &query.unwrap_or_default(), &headers).await;
    let mut response = done.unwrap_or_else(IntoResponse::into_response);
    // Spent in any case: an answer is looked at once (O1).
    response.headers_mut().append(header::SET_COOKIE, clear_cookie());
    response
}

async fn back(
    state: &WebState,
    provider: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<Response, PageFailure> {
    let name: Name = provider.parse().map_err(|_| PageFailure::NotFound)?;
    let callback = read(query)?;
    let known = state.providers().find(state.store(), state.issuer(), &name).await?;
    let known = known.ok_or(PageFailure::NotFound)?;
    let waiting = Waiting::of(state, headers)?.ok_or(PageFailure::NotSignedIn(Rejected::State))?;
    let next = waiting.next();
    let now = state.now();
    let answer = known.party.finish(callback, waiting.pending, now, Instant::now()).await;
    let signed_in = answer.map_err(|error| failed(&name, &error))?;
    let user = welcome(state, &known, &signed_in, now).await?;
    let proof = proof(&known, &signed_in, now);
    let (response, sign_in) = come_in(state, headers, user.id, &proof, &next, now).await?;
    let session = signed_in.person.provider_session.as_deref();
    state.store().keep_provider_word(sign_in, session, signed_in.refresh_token.as_ref(), now).await?;
    Ok(response)
}

fn read(query: &str) -> Result<Callback, PageFailure> {
    let twice = PageFailure::BadRequest("The provider's answer has a part that is given twice.");
    let mut form = Form::parse(query.as_bytes()).ok_or(twice)?;
    Ok(Callback {
        state: form.take("state"),
        code: form.take("code"),
        iss: form.take("iss"),
        error: form.take("error"),
    })
}

async fn welcome(
    state: &WebState,
    known: &Known,
    signed_in: &SignedIn,
    now: Timestamp,
) -> Result<User, PageFailure> {
    let person = &signed_in.person;
    let vouched = Vouched {
        provider: &known.provider,
        subject: &person.subject,
        email: person.email.as_ref().map(|email| email.as_str()),
        name: person.name.as_deref(),
        groups: &person.groups,
    };
    state.store().welcome(&vouched, now).await.map_err(|error| match error {
        WelcomeError::Unknown | WelcomeError::Disabled => {
            tracing::warn!(provider = %known.provider.name, reason = %error, "authn.rejected: a person may not come in");
            PageFailure::NotWelcome
        }
        WelcomeError::Change(error) => error.into(),
    })
}

/// What the provider's word is worth, and for how long: without a way to ask again, an hour.
fn proof(known: &Known, signed_in: &SignedIn, now: Timestamp) -> Proof {
    let person = &signed_in.person;
    let at = person.authenticated_at.filter(|at| *at <= now).unwrap_or(now);
    let has_second = person.amr.iter().any(|means| SECOND_FACTORS.contains(&means.as_str()));
    let lasts = match signed_in.refresh_token {
        Some(_) => lifetimes::PROVIDED_SIGN_IN,
        None => lifetimes::UNREFRESHED_SIGN_IN,
    };
    Proof { idp: known.provider.name.to_string(), at, mfa_at: has_second.then_some(at), lasts }
}
