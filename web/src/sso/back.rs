//! The way back: from the provider's answer to a sign-in of this browser.

use super::{
    pending::{Waiting, clear_cookies},
    start::failed,
};
use crate::{
    WebState,
    body::Form,
    pages::{PageFailure, Proof, come_in, see_other},
    providers::Known,
};
use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use postern_identity::{
    lifetimes,
    oidc::{Callback, Person, Rejected, SignedIn},
};
use postern_ids::{Name, Timestamp};
use postern_store::{ProviderWord, User, Vouched, WelcomeError};
use std::time::Instant;

/// Means that count as a second factor (RFC 8176 section 2).
const SECOND_FACTORS: &[&str] = &["mfa", "otp", "hwk", "pop", "fpt", "face", "iris", "sc"];

pub(super) async fn callback(
    State(state): State<WebState>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let callback = match read(&query.unwrap_or_default()) {
        Ok(callback) => callback,
        Err(failure) => return failure.into_response(),
    };
    // Spent in any case: an answer is looked at once (O1).
    let spent = clear_cookies(&headers, callback.state.as_deref());
    let done = back(&state, &provider, callback, &headers).await;
    let mut response = done.unwrap_or_else(IntoResponse::into_response);
    for cookie in spent {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

async fn back(
    state: &WebState,
    provider: &str,
    callback: Callback,
    headers: &HeaderMap,
) -> Result<Response, PageFailure> {
    let name: Name = provider.parse().map_err(|_| PageFailure::NotFound)?;
    let known = state.providers().find(state.store(), state.issuer(), &name).await?;
    let known = known.ok_or(PageFailure::NotFound)?;
    let waiting = Waiting::of(state, headers, callback.state.as_deref())?;
    let waiting = waiting.ok_or_else(|| failed(&name, &Rejected::State.into()))?;
    let (next, who, mfa) = (waiting.next(), waiting.who, waiting.mfa);
    let now = state.now();
    let answer = known.party.finish(callback, waiting.pending, now, Instant::now()).await;
    let signed_in = answer.map_err(|error| failed(&name, &error))?;
    let user = welcome(state, &known, &signed_in, now).await?;
    let proof = proof(&known, &signed_in, now);
    // O8: whoever was to prove again who they are does not become somebody else on the way.
    if who.is_some_and(|who| who != user.id) {
        tracing::warn!(provider = %name, user.id = %user.id, reason = "subject_mismatch", "authn.rejected: another person came back");
        return Err(PageFailure::OtherPerson);
    }
    if mfa && proof.mfa_at.is_none() {
        return Err(failed(&name, &Rejected::NotSteppedUp.into()));
    }
    let before = crate::pages::SignedIn::of(state, headers, now).await?;
    let (response, sign_in) = match before {
        Some(before) if who.is_none() && before.user.id == user.id && proof.is_of(&before.sign_in) => {
            (see_other(next.as_str()), before.sign_in.id)
        }
        Some(_) | None => come_in(state, headers, user.id, &proof, see_other(next.as_str()), now).await?,
    };
    state.store().keep_provider_word(sign_in, &word(&signed_in), now).await?;
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

/// What the provider's word about a person comes to in the store's terms.
pub(super) fn vouched<'a>(known: &'a Known, person: &'a Person) -> Vouched<'a> {
    Vouched {
        provider: &known.provider,
        subject: &person.subject,
        email: person.email.as_ref().map(|email| email.as_str()),
        name: person.name.as_deref(),
        groups: &person.groups,
    }
}

async fn welcome(
    state: &WebState,
    known: &Known,
    signed_in: &SignedIn,
    now: Timestamp,
) -> Result<User, PageFailure> {
    let vouched = vouched(known, &signed_in.person);
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
        Some(_) => lifetimes::BROWSER_SIGN_IN,
        None => lifetimes::UNREFRESHED_SIGN_IN,
    };
    let (acr, amr) = (person.acr.clone(), person.amr.clone());
    Proof { idp: known.provider.name.to_string(), at, mfa_at: has_second.then_some(at), acr, amr, lasts }
}

/// What is kept of the provider's word beside the sign-in.
pub(super) fn word(signed_in: &SignedIn) -> ProviderWord<'_> {
    ProviderWord {
        session: signed_in.person.provider_session.as_deref(),
        refresh_token: signed_in.refresh_token.as_ref(),
        id_token: signed_in.id_token.as_ref(),
    }
}
