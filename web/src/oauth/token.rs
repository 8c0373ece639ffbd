//! The token endpoint: a code, a device code or a refresh token becomes an access token.

use super::{OauthFailure, Words};
use crate::{
    WebState,
    body::Form,
    client_addr::Client,
    problem::Failure,
    tokens::{self, Proven},
};
use axum::{Json, extract::State};
use postern_api::oauth::{
    CLIENT_ID, GRANT_AUTHORIZATION_CODE, GRANT_DEVICE_CODE, GRANT_REFRESH_TOKEN, TokenReply,
};
use postern_identity::{CodeChallenge, lifetimes};
use postern_ids::Timestamp;
use postern_store::{AuthorizationCode, CodeRedemption, DevicePoll, RefreshOutcome, SecretHash};
use postern_token::opaque::{Opaque, OpaqueKind};
use secrecy::ExposeSecret;

pub(crate) async fn exchange(
    State(state): State<WebState>,
    Client(address): Client,
    form: Result<Form, Failure>,
) -> Result<Json<TokenReply>, OauthFailure> {
    let now = state.now();
    state.limits().token.admit(address, now).map_err(OauthFailure::Limited)?;
    let form = form?;
    if form.get("client_id") != Some(CLIENT_ID) {
        return Err(OauthFailure::Said(Words::InvalidClient, "client_id must be postern-cli"));
    }
    let reply = match form.get("grant_type") {
        Some(GRANT_AUTHORIZATION_CODE) => authorization_code(&state, &form, now).await,
        Some(GRANT_REFRESH_TOKEN) => refresh_token(&state, &form, now).await,
        Some(GRANT_DEVICE_CODE) => device_code(&state, &form, now).await,
        Some(_) => Err(OauthFailure::Said(Words::UnsupportedGrantType, "this grant_type is not offered")),
        None => Err(OauthFailure::invalid_request("grant_type is missing")),
    };
    reply.map(Json)
}

fn secret(form: &Form, field: &str, kind: OpaqueKind) -> Result<Opaque, OauthFailure> {
    let text = form.get(field).ok_or(OauthFailure::invalid_request("a required field is missing"))?;
    Opaque::parse_as(kind, text).ok_or(OauthFailure::invalid_grant("the grant is not one of this gateway"))
}

async fn authorization_code(
    state: &WebState,
    form: &Form,
    now: Timestamp,
) -> Result<TokenReply, OauthFailure> {
    let code = secret(form, "code", OpaqueKind::AuthorizationCode)?;
    let redeemed = match state.store().redeem_authorization_code(SecretHash(code.hash()), now).await? {
        CodeRedemption::Redeemed(redeemed) => redeemed,
        CodeRedemption::Replayed { sign_in } => {
            tracing::warn!(sign_in.id = %sign_in, "an authorization code was used twice: its sign-in was ended");
            return Err(OauthFailure::invalid_grant("the code was used before"));
        }
        CodeRedemption::Invalid => return Err(OauthFailure::invalid_grant("the code is unknown or expired")),
    };
    // The code is spent from here on: whoever holds it without the verifier gets one try.
    if !is_bound(&redeemed, form) {
        return Err(OauthFailure::invalid_grant("the code belongs to another request"));
    }
    let proven = Proven {
        user: redeemed.user,
        sign_in: redeemed.sign_in,
        authenticated_at: redeemed.authenticated_at,
    };
    Ok(tokens::begin_command(state, proven, now).await?)
}

fn is_bound(code: &AuthorizationCode, form: &Form) -> bool {
    let challenge = CodeChallenge::parse(&code.code_challenge, Some("S256"));
    code.client_id == CLIENT_ID
        && form.get("redirect_uri") == Some(code.redirect_uri.as_str())
        && challenge.is_ok_and(|challenge| form.get("code_verifier").is_some_and(|v| challenge.admits(v)))
}

async fn refresh_token(state: &WebState, form: &Form, now: Timestamp) -> Result<TokenReply, OauthFailure> {
    let presented = secret(form, "refresh_token", OpaqueKind::Refresh)?;
    let successor = Opaque::from_entropy(OpaqueKind::Refresh, rand::random());
    let stored = tokens::stored_refresh(&successor, now.plus(lifetimes::COMMAND_SIGN_IN));
    let outcome = state.store().rotate_refresh_token(SecretHash(presented.hash()), &stored, now).await?;
    let (sign_in, text) = match &outcome {
        RefreshOutcome::Rotated { sign_in } => (sign_in, successor.reveal()),
        RefreshOutcome::Repeated { sign_in, successor, .. } => (sign_in, successor.expose_secret()),
        RefreshOutcome::Reused { sign_in } => {
            tracing::warn!(sign_in.id = %sign_in, "a refresh token was used twice: its sign-in was ended");
            return Err(OauthFailure::invalid_grant("the refresh token was used before, sign in again"));
        }
        RefreshOutcome::Invalid => {
            return Err(OauthFailure::invalid_grant("the refresh token is not good any more, sign in again"));
        }
    };
    if !tokens::may_sign_in(state, sign_in.user).await? {
        return Err(OauthFailure::invalid_grant("the person may not sign in any more"));
    }
    Ok(tokens::reply(state, sign_in, text, now)?)
}

async fn device_code(state: &WebState, form: &Form, now: Timestamp) -> Result<TokenReply, OauthFailure> {
    let code = secret(form, "device_code", OpaqueKind::DeviceCode)?;
    match state.store().poll_device(SecretHash(code.hash()), now).await? {
        DevicePoll::Approved { user, sign_in, authenticated_at } => {
            Ok(tokens::begin_command(state, Proven { user, sign_in, authenticated_at }, now).await?)
        }
        DevicePoll::Pending => {
            Err(OauthFailure::Said(Words::AuthorizationPending, "nobody has answered yet"))
        }
        DevicePoll::SlowDown => {
            Err(OauthFailure::Said(Words::SlowDown, "wait five seconds longer between polls"))
        }
        DevicePoll::Denied => Err(OauthFailure::Said(Words::AccessDenied, "the person refused")),
        DevicePoll::Invalid => Err(OauthFailure::Said(Words::ExpiredToken, "the code is unknown or expired")),
    }
}
