//! Proving again who one is, with the password of an account of this gateway, for an application that wants it fresh.

use super::{
    FormGuard, Markup, Next, Page, PageFailure, Proof, Query, SignedIn, come_in, fill, not_taken::NotTaken,
    onward::after_form, see_other, text,
};
use crate::{WebState, body::Form, client_addr::Client, problem::Failure};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use postern_identity::{Attempted, Password};
use postern_store::User;
use secrecy::ExposeSecret;

const FORM: &str = include_str!("templates/sign_in_again.html");
const ALERT: &str = include_str!("templates/alert.html");

pub(crate) async fn show(
    State(state): State<WebState>,
    Query { parts, .. }: Query,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let next = Next::parse(parts.get("next").unwrap_or_default());
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
    if let Err(refused) = state.door().check(attempted, password, now).await {
        let not_taken = NotTaken::of(refused, "The password is wrong.", address)?;
        let page = form(&headers, &signed_in, &next, Some(not_taken.said))?;
        return Ok(not_taken.answer(page));
    }
    let (proof, onward) = (Proof::password(now), after_form(&next));
    let (response, _) = come_in(&state, &headers, signed_in.user.id, &proof, onward, now).await?;
    Ok(response)
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
