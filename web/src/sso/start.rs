//! The way to the provider.

use super::pending::Waiting;
use crate::{
    WebState,
    pages::{Next, PageFailure, Query, see_other},
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, header},
    response::Response,
};
use postern_identity::oidc::{ProviderError, StepUp};
use postern_ids::{Name, UserId};
use std::time::Instant;

/// What somebody is sent to a provider for.
#[derive(Debug)]
pub(crate) struct Errand {
    /// Where they go afterwards.
    pub(crate) next: Next,
    /// What is asked of the provider beyond signing them in.
    pub(crate) step_up: StepUp,
    /// They have to come back with a second factor.
    pub(crate) mfa: bool,
    /// Who has to come back, if somebody is signed in already.
    pub(crate) who: Option<UserId>,
}

impl Errand {
    /// To sign in, whoever it is.
    pub(crate) fn sign_in(next: Next) -> Self {
        Self { next, step_up: StepUp::default(), mfa: false, who: None }
    }
}

pub(super) async fn start(
    State(state): State<WebState>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    Query { parts, .. }: Query,
) -> Result<Response, PageFailure> {
    let name: Name = provider.parse().map_err(|_| PageFailure::NotFound)?;
    let next = Next::parse(parts.get("next").unwrap_or_default());
    begin(&state, &headers, &name, Errand::sign_in(next)).await
}

/// Sends a browser to a provider.
pub(crate) async fn begin(
    state: &WebState,
    headers: &HeaderMap,
    name: &Name,
    errand: Errand,
) -> Result<Response, PageFailure> {
    let known = state.providers().find(state.store(), state.issuer(), name).await?;
    let known = known.ok_or(PageFailure::NotFound)?;
    let mut entropy = [0_u8; 96];
    entropy.iter_mut().for_each(|byte| *byte = rand::random());
    let now = state.now();
    let begun = known.party.begin(errand.step_up, entropy, now, Instant::now()).await;
    let begun = begun.map_err(|error| failed(name, &error))?;
    let mut response = see_other(begun.url.as_str());
    let waiting = Waiting::new(begun.pending, &errand.next, errand.who, errand.mfa);
    for cookie in waiting.set_cookies(state, headers, now)? {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What a person is told; the reason goes into the log.
pub(super) fn failed(provider: &Name, error: &ProviderError) -> PageFailure {
    match error {
        ProviderError::Rejected(rejected) => {
            tracing::warn!(provider = %provider, reason = rejected.label(), "authn.rejected: a sign-in at a provider was refused");
            PageFailure::NotSignedIn(*rejected)
        }
        ProviderError::Away(source) => {
            tracing::warn!(provider = %provider, error = source as &dyn std::error::Error, "a provider could not be reached");
            PageFailure::Provider("It could not be reached. Try again in a moment.")
        }
        ProviderError::Metadata(_) | ProviderError::Config(_) => {
            tracing::error!(provider = %provider, error = error as &dyn std::error::Error, "a provider cannot be used");
            PageFailure::Provider("An administrator has to correct how the provider is configured.")
        }
    }
}
