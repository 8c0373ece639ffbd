//! The sign-in page of local accounts.

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
use postern_identity::{Attempted, DoorRefused, Password};
use postern_ids::Name;
use postern_store::{LocalAccount, Object, Provider};
use secrecy::ExposeSecret;

const FORM: &str = include_str!("templates/sign_in.html");
const DONE: &str = include_str!("templates/signed_in.html");
const CHOICES: &str = include_str!("templates/sign_in_choices.html");
const CHOICE: &str = include_str!("templates/sign_in_choice.html");
const ALERT: &str = include_str!("templates/alert.html");

pub(crate) async fn root() -> Response {
    see_other(Next::home().as_str())
}

pub(crate) async fn show(
    State(state): State<WebState>,
    Query { parts, .. }: Query,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let next = Next::parse(parts.get("next").unwrap_or_default());
    match SignedIn::of(&state, &headers, state.now()).await? {
        Some(_) if next != Next::home() => Ok(see_other(next.as_str())),
        Some(signed_in) => Ok(done(&signed_in, &headers)?.into_response()),
        None => Ok(form(&state, &headers, &next, "", None).await?.into_response()),
    }
}

pub(crate) async fn submit(
    State(state): State<WebState>,
    Client(address): Client,
    headers: HeaderMap,
    form_body: Result<Form, Failure>,
) -> Result<Response, PageFailure> {
    let mut sent = form_body?;
    let now = state.now();
    let next = Next::parse(sent.get("next").unwrap_or_default());
    if let Err(failure) = FormGuard::check(&headers, &sent, state.issuer()) {
        // Signed in meanwhile, in another tab: this tab goes on where it wanted to.
        let is_done = SignedIn::of(&state, &headers, now).await?.is_some();
        return if is_done { Ok(after_form(&next)) } else { Err(failure) };
    }
    let password = Password::presented(sent.take("password").unwrap_or_default());
    let typed = sent.get("username").unwrap_or_default().trim().to_owned();
    let account = find(&state, &typed).await?;
    let attempted = Attempted {
        person: person(&typed, account.as_ref()),
        address,
        hash: account.as_ref().map(|account| account.password_hash.expose_secret().to_owned()),
        enabled: account.as_ref().is_some_and(|account| !account.user.disabled),
    };
    let refused = match (state.door().check(attempted, password, now).await, account) {
        (Ok(()), Some(account)) => {
            let (proof, onward) = (Proof::password(now), after_form(&next));
            let (response, _) = come_in(&state, &headers, account.user.id, &proof, onward, now).await?;
            return Ok(response);
        }
        (Ok(()), None) => DoorRefused::Wrong,
        (Err(refused), _) => refused,
    };
    let not_taken = NotTaken::of(refused, "The user name or the password is wrong.", address)?;
    let page = form(&state, &headers, &next, &typed, Some(not_taken.said)).await?;
    Ok(not_taken.answer(page))
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

async fn form(
    state: &WebState,
    headers: &HeaderMap,
    next: &Next,
    typed: &str,
    said: Option<&str>,
) -> Result<Page, PageFailure> {
    let guard = FormGuard::of(headers)?;
    let providers = state.store().all::<Provider>().await?;
    let choices: Vec<Markup> = providers.iter().map(|stored| choice(&stored.value, next)).collect();
    let choices = match choices.is_empty() {
        true => Markup::default(),
        false => fill(CHOICES, &[("choices", Markup::join(&choices))]),
    };
    let alert = said.map_or(Markup::default(), |said| fill(ALERT, &[("said", text(said))]));
    let body = fill(
        FORM,
        &[
            ("purpose", text(next.purpose())),
            ("alert", alert),
            ("choices", choices),
            ("csrf", guard.field()),
            ("next", text(next.as_str())),
            ("username", text(typed)),
        ],
    );
    Ok(Page::new("Sign in", body).header(header::SET_COOKIE, guard.set_cookie()))
}

/// The way to one provider.
fn choice(provider: &Provider, next: &Next) -> Markup {
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next.as_str()).finish();
    let shown = Some(provider.display_name.as_str()).filter(|shown| !shown.is_empty());
    let name = shown.unwrap_or(provider.name().as_str());
    let href = format!("/oidc/{}/start?{query}", provider.name);
    fill(CHOICE, &[("href", text(href)), ("name", text(name))])
}

fn done(signed_in: &SignedIn, headers: &HeaderMap) -> Result<Page, PageFailure> {
    let guard = FormGuard::of(headers)?;
    let body = fill(DONE, &[("user", text(signed_in.user.name.as_str())), ("csrf", guard.field())]);
    Ok(Page::new("Signed in", body).header(header::SET_COOKIE, guard.set_cookie()))
}
