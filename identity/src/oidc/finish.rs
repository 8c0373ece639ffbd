//! The way back: whether what the browser brings is the answer to what this browser began.

use super::{Pending, Person, Provider, ProviderError, Rejected, SignedIn, StepUp, types::Metadata};
use openidconnect::{AuthorizationCode, OAuth2TokenResponse, PkceCodeVerifier, TokenResponse};
use postern_ids::Timestamp;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How long somebody may take at the provider (O1).
const PENDING_MAX: Duration = Duration::from_secs(600);

/// What the browser brings back.
#[derive(Debug, Clone, Default)]
pub struct Callback {
    /// Ours.
    pub state: Option<String>,
    /// The provider's code.
    pub code: Option<String>,
    /// The issuer (RFC 9207).
    pub iss: Option<String>,
    /// The provider's error instead of a code.
    pub error: Option<String>,
}

impl Provider {
    /// Takes the browser back. `pending` is what the cookie of this very browser held, and is spent.
    pub async fn finish(
        &self,
        callback: Callback,
        pending: Pending,
        now: Timestamp,
        at: Instant,
    ) -> Result<SignedIn, ProviderError> {
        let metadata = self.metadata(at).await?;
        self.check_callback(&callback, &pending, &metadata, now)?;
        let code = AuthorizationCode::new(callback.code.ok_or(Rejected::State)?);
        let client = self.client(&metadata)?;
        let request = client
            .exchange_code(code)
            .map_err(|_| ProviderError::Config("it has no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.clone()));
        let tokens = request.request_async(&self.egress).await;
        let tokens = tokens.map_err(|error| self.refused(error, Rejected::Code))?;
        let token = tokens.id_token().ok_or(Rejected::NoToken)?;
        let claims = self.verified(token, Some(&pending.nonce), now, at).await?;
        let person = self.person(&metadata, &claims, &tokens).await?;
        is_stepped_up(&person, &pending.step_up, now)?;
        Ok(SignedIn {
            id_token: Some(token.to_string().into()),
            refresh_token: tokens.refresh_token().map(|token| token.secret().clone().into()),
            person,
        })
    }

    fn check_callback(
        &self,
        callback: &Callback,
        pending: &Pending,
        metadata: &Metadata,
        now: Timestamp,
    ) -> Result<(), Rejected> {
        let is_ours = callback
            .state
            .as_deref()
            .is_some_and(|state| bool::from(state.as_bytes().ct_eq(pending.state.as_bytes())));
        let in_time =
            now.since(pending.begun_at) <= PENDING_MAX && now >= pending.begun_at.minus(PENDING_MAX);
        if !is_ours || !in_time || pending.provider != self.config.name {
            return Err(Rejected::State);
        }
        let promises = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match callback.iss.as_deref() {
            Some(issuer) if issuer == self.config.issuer => {}
            None if !promises => {}
            Some(_) | None => return Err(Rejected::Issuer),
        }
        match &callback.error {
            Some(error) => {
                let shown: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
                tracing::info!(
                    provider = self.config.name,
                    error = shown,
                    "authn.rejected: the provider said no"
                );
                Err(Rejected::Denied)
            }
            None => Ok(()),
        }
    }
}

/// A provider may ignore `max_age` and `acr_values`; then it did not do what was asked.
fn is_stepped_up(person: &Person, step_up: &StepUp, now: Timestamp) -> Result<(), Rejected> {
    if let Some(max_age) = step_up.max_age_s {
        let at = person.authenticated_at.ok_or(Rejected::NotSteppedUp)?;
        // A minute for the person's way back.
        if now.since(at) > Duration::from_secs(u64::from(max_age) + 60) {
            return Err(Rejected::NotSteppedUp);
        }
    }
    let good = step_up.acr_values.is_empty()
        || person.acr.as_ref().is_some_and(|acr| step_up.acr_values.contains(acr));
    if good { Ok(()) } else { Err(Rejected::NotSteppedUp) }
}
