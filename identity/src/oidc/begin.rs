//! The way to the provider, and what has to be remembered until the way back.

use super::{Provider, ProviderError};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    AuthenticationFlow, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, Scope,
    core::{CoreAuthPrompt, CoreResponseType},
};
use postern_ids::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    time::{Duration, Instant},
};
use url::Url;

/// A fresher or stronger sign-in than the one that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepUp {
    /// The sign-in may be no older than this, in seconds (`max_age`).
    pub max_age_s: Option<u32>,
    /// One of these ways of proving who one is (`acr_values`).
    pub acr_values: Vec<String>,
    /// The provider asks the person again, whatever it knows of them (`prompt=login`).
    #[serde(default)]
    pub login: bool,
}

/// A sign-in that was begun: it belongs into a cookie of the browser that began it, sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// At which provider.
    pub provider: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) begun_at: Timestamp,
    pub(super) step_up: StepUp,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Pending {
    /// What the provider's answer will name this sign-in by (`state`).
    pub fn state(&self) -> &str {
        &self.state
    }
}

/// The way to the provider.
#[derive(Debug)]
pub struct Begun {
    /// Where to send the browser.
    pub url: Url,
    /// What to remember.
    pub pending: Pending,
}

impl Provider {
    /// Begins a sign-in. `entropy` makes state, nonce and verifier.
    pub async fn begin(
        &self,
        step_up: StepUp,
        entropy: [u8; 96],
        now: Timestamp,
        at: Instant,
    ) -> Result<Begun, ProviderError> {
        let metadata = self.metadata(at).await?;
        let [state, nonce, verifier] =
            [0, 1, 2].map(|n| URL_SAFE_NO_PAD.encode(entropy.get(n * 32..n * 32 + 32).unwrap_or_default()));
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let client = self.client(&metadata)?;
        let (said_state, said_nonce) = (state.clone(), nonce.clone());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(said_state),
                move || Nonce::new(said_nonce),
            )
            .set_pkce_challenge(challenge);
        for scope in &self.config.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        if let Some(max_age) = step_up.max_age_s {
            request = request.set_max_age(Duration::from_secs(max_age.into()));
        }
        if step_up.login || step_up.max_age_s == Some(0) {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        if !step_up.acr_values.is_empty() {
            request = request.add_extra_param("acr_values", step_up.acr_values.join(" "));
        }
        let (url, _, _) = request.url();
        let provider = self.config.name.clone();
        Ok(Begun { url, pending: Pending { provider, state, nonce, verifier, begun_at: now, step_up } })
    }
}
