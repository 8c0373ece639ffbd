//! The page on which a person lets a device in (RFC 8628 section 3.3).
//!
//! Somebody else's code, sent with a convincing mail, would let *them* in: so the page says what asks, from where, and that
//! only a code from one's own screen is right; and nothing happens without a click on it.

use super::{FormGuard, Markup, Next, Page, PageFailure, Query, SignedIn, fill, see_other, text};
use crate::{WebState, body::Form, client_addr::Client, problem::Failure};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_identity::UserCode;
use postern_ids::{SignInId, Timestamp};
use postern_store::{DeviceApproval, DeviceAuthorization, DeviceState};
use std::net::IpAddr;

const ENTER: &str = include_str!("templates/device_enter.html");
const CONSENT: &str = include_str!("templates/device_consent.html");
const RESULT: &str = include_str!("templates/result.html");
const ALERT: &str = include_str!("templates/alert.html");

pub(crate) async fn show(
    State(state): State<WebState>,
    Client(address): Client,
    Query { parts, text: query }: Query,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let now = state.now();
    let Some(signed_in) = SignedIn::of(&state, &headers, now).await? else {
        let here = if query.is_empty() { "/device".to_owned() } else { format!("/device?{query}") };
        return Ok(see_other(&Next::parse(&here).sign_in_url()));
    };
    let Some(typed) = parts.get("user_code") else { return Ok(enter("", None).into_response()) };
    match pending(&state, &signed_in, typed, now).await? {
        Some((code, device)) => Ok(consent(&headers, &signed_in, &code, &device, address)?.into_response()),
        None => {
            let said = "No device waits with this code. It may have expired, or been answered already.";
            Ok(enter(typed, Some(said)).status(StatusCode::NOT_FOUND).into_response())
        }
    }
}

pub(crate) async fn answer(
    State(state): State<WebState>,
    headers: HeaderMap,
    form: Result<Form, Failure>,
) -> Result<Response, PageFailure> {
    let form = form?;
    FormGuard::check(&headers, &form, state.issuer())?;
    let now = state.now();
    let Some(signed_in) = SignedIn::of(&state, &headers, now).await? else {
        return Ok(see_other(&Next::parse("/device").sign_in_url()));
    };
    let typed = form.get("user_code").unwrap_or_default();
    let Some((code, device)) = pending(&state, &signed_in, typed, now).await? else {
        return Ok(result("Too late", "The code has expired, or was answered already. Nothing was changed."));
    };
    match form.get("answer") {
        Some("allow") => allow(&state, &signed_in, &code, &device, now).await,
        Some("deny") => deny(&state, &signed_in, &code, now).await,
        _ => Err(PageFailure::BadRequest("The form holds no answer.")),
    }
}

async fn allow(
    state: &WebState,
    signed_in: &SignedIn,
    code: &UserCode,
    device: &DeviceAuthorization,
    now: Timestamp,
) -> Result<Response, PageFailure> {
    let sign_in = SignInId::mint(now, rand::random());
    let user = signed_in.user.id;
    let approval = DeviceApproval {
        user,
        origin: signed_in.sign_in.id,
        authenticated_at: signed_in.sign_in.authenticated_at,
        sign_in,
    };
    if !state.store().approve_device(code.as_str(), &approval, now).await? {
        return Ok(result("Too late", "The code has expired, or was answered already. Nothing was changed."));
    }
    tracing::info!(user.id = %user, sign_in.id = %sign_in, device = device.device, "a device was let in");
    Ok(result("You let it in", "The device is signed in. You can close this page."))
}

async fn deny(
    state: &WebState,
    signed_in: &SignedIn,
    code: &UserCode,
    now: Timestamp,
) -> Result<Response, PageFailure> {
    state.store().deny_device(code.as_str(), now).await?;
    tracing::warn!(user.id = %signed_in.user.id, "a device was refused by the person it asked");
    Ok(result(
        "You kept it out",
        "The device was refused. If you did not start this, somebody tried to get in as you: tell an administrator.",
    ))
}

/// The device that waits with this code. Each miss of a person counts, so that codes cannot be found by trying.
async fn pending(
    state: &WebState,
    signed_in: &SignedIn,
    typed: &str,
    now: Timestamp,
) -> Result<Option<(UserCode, DeviceAuthorization)>, PageFailure> {
    let person = signed_in.user.id.to_string();
    state.wrong_codes().begin(&person, now).map_err(|wait| PageFailure::Throttled(wait.retry_after))?;
    let Some(code) = UserCode::parse(typed) else { return Ok(None) };
    let found = state.store().device_by_user_code(code.as_str(), now).await?;
    let found = found.filter(|device| device.state == DeviceState::Pending);
    if found.is_some() {
        state.wrong_codes().forgive(&person);
    }
    Ok(found.map(|device| (code, device)))
}

fn enter(typed: &str, said: Option<&str>) -> Page {
    let alert = said.map_or(Markup::default(), |said| fill(ALERT, &[("said", text(said))]));
    Page::new("Let a device in", fill(ENTER, &[("alert", alert), ("code", text(typed))]))
}

fn consent(
    headers: &HeaderMap,
    signed_in: &SignedIn,
    code: &UserCode,
    device: &DeviceAuthorization,
    own: IpAddr,
) -> Result<Page, PageFailure> {
    let guard = FormGuard::of(headers)?;
    let compared = if device.address.to_canonical() == own.to_canonical() {
        "the same as yours".to_owned()
    } else {
        format!("yours is {}", own.to_canonical())
    };
    let body = fill(
        CONSENT,
        &[
            ("user", text(signed_in.user.name.as_str())),
            ("code", text(code.to_string())),
            ("device", text(&device.device)),
            ("address", text(device.address.to_canonical().to_string())),
            ("compared", text(compared)),
            ("csrf", guard.field()),
        ],
    );
    Ok(Page::new("Let this device in?", body).header(header::SET_COOKIE, guard.set_cookie()))
}

fn result(title: &'static str, what: &str) -> Response {
    Page::new(title, fill(RESULT, &[("title", text(title)), ("what", text(what))])).into_response()
}
