//! A provider takes its word back (OpenID Connect Back-Channel Logout 1.0).

use crate::{WebState, body::Form, problem::Failure};
use axum::{
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_identity::oidc::{LogoutToken, ProviderError};
use postern_ids::Name;
use postern_store::SignedOut;
use std::time::Instant;

/// Every refusal looks the same: whoever may not send logout tokens learns nothing here (O11).
pub(super) async fn backchannel(
    State(state): State<WebState>,
    Path(provider): Path<String>,
    form: Result<Form, Failure>,
) -> Response {
    let ended = match form {
        Ok(form) => end(&state, &provider, &form).await,
        Err(_) => Err(StatusCode::BAD_REQUEST),
    };
    answer(ended.map_or_else(|status| status, |()| StatusCode::OK))
}

/// Whatever else is sent to this address.
pub(super) async fn not_posted() -> Response {
    answer(StatusCode::BAD_REQUEST)
}

fn answer(status: StatusCode) -> Response {
    let body = if status == StatusCode::BAD_REQUEST { r#"{"error":"invalid_request"}"# } else { "" };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn end(state: &WebState, provider: &str, form: &Form) -> Result<(), StatusCode> {
    let bad = StatusCode::BAD_REQUEST;
    let name: Name = provider.parse().map_err(|_| bad)?;
    let token = form.get("logout_token").ok_or(bad)?;
    let later = StatusCode::SERVICE_UNAVAILABLE;
    let known = state.providers().find(state.store(), state.issuer(), &name).await.map_err(|_| later)?;
    let known = known.ok_or(bad)?;
    let now = state.now();
    let logout = match known.party.logout_token(token, now, Instant::now()).await {
        Ok(logout) => logout,
        Err(ProviderError::Away(_)) => return Err(later),
        Err(error) => {
            tracing::warn!(provider = %name, error = &error as &dyn std::error::Error, "authn.rejected: a logout token was refused");
            return Err(bad);
        }
    };
    let LogoutToken { subject, provider_session } = &logout;
    let whom = match (provider_session, subject) {
        (Some(session), _) => SignedOut::Session(session),
        (None, Some(subject)) => SignedOut::Person(subject),
        (None, None) => return Err(bad),
    };
    let ended = state.store().end_sign_ins_of_provider(&name, &whom, "provider_logout", now).await;
    let ended = ended.map_err(|_| later)?;
    if let (0, SignedOut::Session(session)) = (ended, &whom)
        && !state.store().knows_provider_session(&name, session).await.map_err(|_| later)?
    {
        tracing::warn!(provider = %name, reason = "sid_unknown", "authn.rejected: a logout token names a session that never was");
        return Err(bad);
    }
    tracing::info!(provider = %name, sign_ins = ended, "a provider signed a person out");
    Ok(())
}
