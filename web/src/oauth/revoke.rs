//! Token revocation (RFC 7009): either token of a sign-in ends the sign-in.

use super::OauthFailure;
use crate::{WebState, body::Form, problem::Failure};
use axum::{extract::State, http::StatusCode};
use postern_api::oauth::CLIENT_ID;
use postern_ids::{SignInId, Timestamp};
use postern_store::{Actor, SecretHash};
use postern_token::{
    ACCESS_AUDIENCE, Expect,
    opaque::{Opaque, OpaqueKind},
    verify_access,
};

pub(crate) async fn revoke(
    State(state): State<WebState>,
    form: Result<Form, Failure>,
) -> Result<StatusCode, OauthFailure> {
    let form = form?;
    if form.get("client_id") != Some(CLIENT_ID) {
        return Err(OauthFailure::Said(super::Words::InvalidClient, "client_id must be postern-cli"));
    }
    let token = form.get("token").ok_or(OauthFailure::invalid_request("token is missing"))?;
    let now = state.now();
    if let Some(sign_in) = sign_in_of(&state, token, now).await?
        && let Some(found) = state.store().sign_in(sign_in).await?
    {
        let actor = Actor::User { id: found.user, sign_in: Some(sign_in) };
        state.store().end_sign_in(sign_in, "signed_out", &actor, now).await?;
    }
    // An unknown token is a revoked one: the standard wants no difference.
    Ok(StatusCode::OK)
}

async fn sign_in_of(state: &WebState, token: &str, now: Timestamp) -> Result<Option<SignInId>, OauthFailure> {
    if let Some(refresh) = Opaque::parse_as(OpaqueKind::Refresh, token) {
        return Ok(state.store().sign_in_of_refresh_token(SecretHash(refresh.hash())).await?);
    }
    let keys = state.config().keys.keys();
    let expect = Expect { issuer: state.issuer(), audience: ACCESS_AUDIENCE };
    Ok(verify_access(token, keys.access_keys(), expect, now).ok().map(|claims| claims.sid))
}
