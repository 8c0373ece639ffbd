//! Signing in and staying signed in: the way to the provider, the way back, and the refresh.

use super::{
    EgressError, GroupSource, Person, Provider, ProviderError, Rejected,
    types::{Metadata, Tokens},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    AuthorizationCode, CsrfToken, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RefreshToken, RequestTokenError, Scope, TokenResponse,
    core::{CoreAuthPrompt, CoreErrorResponseType, CoreResponseType},
};
use postern_ids::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    fmt,
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;
use url::Url;

/// How long somebody may take at the provider (O1).
const PENDING_MAX: Duration = Duration::from_secs(600);

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
    state: String,
    nonce: String,
    verifier: String,
    begun_at: Timestamp,
    step_up: StepUp,
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

/// A person whom the provider vouches for, with what keeps the sign-in alive.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// Gets the next word of the provider; none if it gives none.
    pub refresh_token: Option<SecretString>,
    /// The provider's own token, to name the session at sign-out.
    pub id_token: Option<SecretString>,
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
                openidconnect::AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
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

    /// Asks the provider again about the person of `subject` (O9). `Rejected::Ended` means that the sign-in is over.
    pub async fn refresh(
        &self,
        refresh_token: &SecretString,
        subject: &str,
        now: Timestamp,
        at: Instant,
    ) -> Result<Option<SignedIn>, ProviderError> {
        let metadata = self.metadata(at).await?;
        let client = self.client(&metadata)?;
        let old = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let request = client
            .exchange_refresh_token(&old)
            .map_err(|_| ProviderError::Config("it has no token endpoint"))?;
        let tokens = request.request_async(&self.egress).await;
        let tokens = tokens.map_err(|error| self.refused(error, Rejected::Ended))?;
        let claims = match tokens.id_token() {
            Some(token) => self.verified(token, None, now, at).await?,
            // Without an ID token the userinfo endpoint is the only one who can say anything new.
            None if metadata.userinfo_endpoint().is_some() => {
                self.user_info(&metadata, &tokens).await?.ok_or(Rejected::Claims)?
            }
            None => return Ok(None),
        };
        let person = self.person(&metadata, &claims, &tokens).await?;
        if person.subject != subject {
            return Err(Rejected::Subject.into());
        }
        let next = tokens.refresh_token().map(|token| token.secret().clone().into());
        Ok(Some(SignedIn {
            person,
            refresh_token: next.or_else(|| Some(refresh_token.clone())),
            id_token: tokens.id_token().map(|token| token.to_string().into()),
        }))
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

    async fn person(
        &self,
        metadata: &Metadata,
        claims: &Map<String, Value>,
        tokens: &Tokens,
    ) -> Result<Person, ProviderError> {
        let rules = &self.config.claims;
        let info = match (rules.source, &rules.groups) {
            (GroupSource::UserInfo, Some(_)) => self.user_info(metadata, tokens).await?,
            (GroupSource::UserInfo, None) | (GroupSource::IdToken, _) => None,
        };
        Ok(Person::read(claims, info.as_ref(), rules)?)
    }

    async fn user_info(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
    ) -> Result<Option<Map<String, Value>>, ProviderError> {
        let Some(endpoint) = metadata.userinfo_endpoint() else { return Ok(None) };
        let request = http::Request::get(endpoint.url().as_str())
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", tokens.access_token().secret()))
            .body(Vec::new())
            .map_err(|_| ProviderError::Config("its userinfo endpoint is no address"))?;
        let answer = self.egress.send(request).await.map_err(ProviderError::Away)?;
        if answer.status() != http::StatusCode::OK {
            return Err(ProviderError::Away(EgressError::Status(answer.status().as_u16())));
        }
        serde_json::from_slice(answer.body()).map(Some).map_err(|_| Rejected::Claims.into())
    }

    /// What the token endpoint's refusal means; anything but a clear no is an outage, which ends nothing.
    fn refused(
        &self,
        error: RequestTokenError<EgressError, openidconnect::StandardErrorResponse<CoreErrorResponseType>>,
        no: Rejected,
    ) -> ProviderError {
        match error {
            RequestTokenError::ServerResponse(answer)
                if *answer.error() == CoreErrorResponseType::InvalidGrant =>
            {
                no.into()
            }
            RequestTokenError::ServerResponse(answer) => {
                tracing::error!(provider = self.config.name, error = %answer.error(), "the provider refused the request itself");
                ProviderError::Away(EgressError::Status(400))
            }
            RequestTokenError::Request(error) => ProviderError::Away(error),
            RequestTokenError::Parse(_, _) | RequestTokenError::Other(_) => {
                ProviderError::Away(EgressError::Status(502))
            }
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
