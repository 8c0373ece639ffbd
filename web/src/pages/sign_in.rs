//! The sign-in page of local accounts.

use super::{FormGuard, Markup, Next, Page, PageFailure, SignedIn, fill, see_other, text};
use crate::{
    WebState,
    body::Form,
    client_addr::Client,
    cookies,
    problem::Failure,
    tokens::{self, Proven},
};
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_identity::{Attempted, DoorRefused, HashRefused, Password, lifetimes};
use postern_ids::{Name, SignInId, Timestamp};
use postern_store::{Actor, LocalAccount, SecretHash};
use postern_token::opaque::{Opaque, OpaqueKind};
use secrecy::ExposeSecret;
use std::time::Duration;

const FORM: &str = include_str!("templates/sign_in.html");
const DONE: &str = include_str!("templates/signed_in.html");
const ALERT: &str = include_str!("templates/alert.html");

/// What this sign-in calls its OAuth client in records: the browser itself.
const BROWSER: &str = "browser";

pub(crate) async fn root() -> Response {
    see_other(Next::home().as_str())
}

pub(crate) async fn show(
    State(state): State<WebState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let query = Form::parse(query.unwrap_or_default().as_bytes())
        .ok_or(PageFailure::BadRequest("The address has a part that is given twice."))?;
    let next = Next::parse(query.get("next").unwrap_or_default());
    match SignedIn::of(&state, &headers, state.now()).await? {
        Some(_) if next != Next::home() => Ok(see_other(next.as_str())),
        Some(signed_in) => Ok(done(&signed_in, &headers)?.into_response()),
        None => Ok(form(&headers, &next, "", None)?.into_response()),
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
    let password = Password::presented(sent.take("password").unwrap_or_default());
    let typed = sent.get("username").unwrap_or_default().trim().to_owned();
    let account = find(&state, &typed).await?;
    let attempted = Attempted {
        person: person(&typed, account.as_ref()),
        address,
        hash: account.as_ref().map(|account| account.password_hash.expose_secret().to_owned()),
        enabled: account.as_ref().is_some_and(|account| !account.user.disabled),
    };
    match (state.door().check(attempted, password, now).await, account) {
        (Ok(()), Some(account)) => come_in(&state, &headers, &account, &next, now).await,
        (Err(DoorRefused::Wrong), _) | (Ok(()), None) => {
            tracing::info!(client.address = %address, "authn.rejected: a password was wrong");
            let page = form(&headers, &next, &typed, Some("The user name or the password is wrong."))?;
            Ok(page.status(StatusCode::UNAUTHORIZED).into_response())
        }
        (Err(DoorRefused::Throttled(wait)), _) => {
            tracing::info!(client.address = %address, "limit.hit: too many sign-in attempts");
            let said = "Too many attempts. Wait a minute, then try again.";
            Ok(later(form(&headers, &next, &typed, Some(said))?, wait.retry_after))
        }
        (Err(DoorRefused::Hash(HashRefused::Busy)), _) => {
            let said = "Too many people are signing in at this moment. Try again in a few seconds.";
            Ok(later(form(&headers, &next, &typed, Some(said))?, Duration::from_secs(3)))
        }
        (Err(DoorRefused::Hash(HashRefused::Failed)), _) => Err(PageFailure::Internal),
    }
}

async fn find(state: &WebState, typed: &str) -> Result<Option<LocalAccount>, PageFailure> {
    match typed.to_ascii_lowercase().parse::<Name>() {
        Ok(name) => Ok(state.store().local_account(&name).await?),
        Err(_) => Ok(None),
    }
}

/// What counts as one person: all spellings of a name lead to one counter.
fn person(typed: &str, account: Option<&LocalAccount>) -> String {
    match account {
        Some(account) => account.user.id.to_string(),
        None => format!("name {}", typed.to_lowercase().chars().take(64).collect::<String>()),
    }
}

/// A new sign-in under a new cookie; whatever this browser was before ends.
async fn come_in(
    state: &WebState,
    headers: &HeaderMap,
    account: &LocalAccount,
    next: &Next,
    now: Timestamp,
) -> Result<Response, PageFailure> {
    if let Some(before) = SignedIn::of(state, headers, now).await? {
        let actor = Actor::User { id: before.user.id, sign_in: Some(before.sign_in.id) };
        state.store().end_sign_in(before.sign_in.id, "replaced", &actor, now).await?;
    }
    let cookie = Opaque::from_entropy(OpaqueKind::Cookie, rand::random());
    let id = SignInId::mint(now, rand::random());
    let proven = Proven { user: account.user.id, sign_in: id, authenticated_at: now };
    let sign_in = tokens::sign_in(proven, BROWSER, now.plus(lifetimes::BROWSER_SIGN_IN));
    state.store().begin_browser_sign_in(&sign_in, SecretHash(cookie.hash()), now).await?;
    tracing::info!(sign_in.id = %id, user.id = %account.user.id, "signed in");
    let mut response = see_other(next.as_str());
    let jar = response.headers_mut();
    jar.append(header::SET_COOKIE, cookies::set(cookies::SIGN_IN, &cookie, lifetimes::BROWSER_SIGN_IN));
    jar.append(header::SET_COOKIE, FormGuard::fresh().set_cookie());
    Ok(response)
}

fn form(headers: &HeaderMap, next: &Next, typed: &str, said: Option<&str>) -> Result<Page, PageFailure> {
    let guard = FormGuard::of(headers)?;
    let alert = said.map_or(Markup::default(), |said| fill(ALERT, &[("said", text(said))]));
    let body = fill(
        FORM,
        &[
            ("purpose", text(next.purpose())),
            ("alert", alert),
            ("csrf", guard.field()),
            ("next", text(next.as_str())),
            ("username", text(typed)),
        ],
    );
    Ok(Page::new("Sign in", body).header(header::SET_COOKIE, guard.set_cookie()))
}

fn done(signed_in: &SignedIn, headers: &HeaderMap) -> Result<Page, PageFailure> {
    let guard = FormGuard::of(headers)?;
    let body = fill(DONE, &[("user", text(signed_in.user.name.as_str())), ("csrf", guard.field())]);
    Ok(Page::new("Signed in", body).header(header::SET_COOKIE, guard.set_cookie()))
}

fn later(page: Page, after: Duration) -> Response {
    let seconds = HeaderValue::from(after.as_secs().max(1));
    page.status(StatusCode::TOO_MANY_REQUESTS).header(header::RETRY_AFTER, seconds).into_response()
}
