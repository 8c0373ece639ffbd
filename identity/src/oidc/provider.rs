//! One provider: its configuration, its description and its keys.

use super::{
    ClaimRules, Egress, EgressError, EgressRules, Rejected,
    jws::{SKEW, header_of, payload_of},
    keys::{KeyCache, Plan},
    metadata::{MetadataCache, MetadataError, algorithms, promises_pkce},
    replays::Replays,
    types::{Metadata, RelyingParty, Token, Verifier},
};
use chrono::{DateTime, Utc};
use openidconnect::{
    ClaimsVerificationError, ClientId, ClientSecret, IssuerUrl, JsonWebKey, Nonce, RedirectUrl,
    core::{CoreJsonWebKey, CoreJsonWebKeySet},
};
use postern_ids::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use url::Url;

/// How a provider is reached and read.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Its name here: what people choose, and what policies see as `idp`.
    pub name: String,
    /// Its issuer, as it writes it itself.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// Our secret there; none for a public client.
    pub client_secret: Option<SecretString>,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    /// Where it sends people back: an address of this provider alone (O4).
    pub redirect_uri: Url,
    /// How its claims are read.
    pub claims: ClaimRules,
    /// Where our calls may go.
    pub egress: EgressRules,
    /// Refuse a provider whose metadata does not promise PKCE with S256 (O3).
    pub strict_pkce: bool,
}

/// Why a sign-in cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The provider could not be reached, or answered with an error of its own.
    #[error("the provider cannot be reached: {0}")]
    Away(#[source] EgressError),
    /// Its description cannot be used: a matter for an administrator.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The configuration cannot be used: a matter for an administrator.
    #[error("the provider's configuration cannot be used: {0}")]
    Config(&'static str),
    /// What came back is not to be believed.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

/// A provider with what is known of it.
pub struct Provider {
    pub(super) config: ProviderConfig,
    pub(super) egress: Egress,
    pub(super) replays: Replays,
    metadata: MetadataCache,
    keys: Mutex<KeyCache<Arc<CoreJsonWebKeySet>>>,
    fetching: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.config.issuer).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider of which nothing is known yet; nothing is fetched before it is needed.
    pub fn new(config: ProviderConfig) -> Result<Self, ProviderError> {
        let egress = Egress::new(&config.egress).map_err(ProviderError::Away)?;
        Ok(Self {
            config,
            egress,
            replays: Replays::default(),
            metadata: MetadataCache::default(),
            keys: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// Its configuration.
    pub fn config(&self) -> &ProviderConfig {
        &self.config
    }

    /// What the provider says of itself; for a check when it is configured.
    pub async fn check(&self, at: Instant) -> Result<(), ProviderError> {
        let metadata = self.metadata(at).await?;
        if algorithms(&metadata).is_empty() {
            return Err(ProviderError::Config("it signs with no algorithm that is taken here"));
        }
        self.client(&metadata).map(drop)
    }

    pub(super) async fn metadata(&self, at: Instant) -> Result<Arc<Metadata>, ProviderError> {
        let metadata = self.metadata.get(&self.egress, &self.config.issuer, at).await?;
        if self.config.strict_pkce && !promises_pkce(&metadata) {
            return Err(ProviderError::Config("it does not promise PKCE with S256"));
        }
        Ok(metadata)
    }

    pub(super) fn client(&self, metadata: &Metadata) -> Result<RelyingParty, ProviderError> {
        let (id, redirect) = (ClientId::new(self.config.client_id.clone()), self.config.redirect_uri.clone());
        let client = RelyingParty::from_provider_metadata(metadata.clone(), id, self.secret());
        Ok(client.set_redirect_uri(RedirectUrl::from_url(redirect)))
    }

    fn secret(&self) -> Option<ClientSecret> {
        let secret = self.config.client_secret.as_ref()?;
        Some(ClientSecret::new(secret.expose_secret().to_owned()))
    }

    fn cache(&self) -> MutexGuard<'_, KeyCache<Arc<CoreJsonWebKeySet>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys for a token of this key id. At most one fetch is under way; who waits for it takes what it brought.
    pub(super) async fn keys_for(
        &self,
        metadata: &Metadata,
        kid: Option<&str>,
        at: Instant,
    ) -> Result<Arc<CoreJsonWebKeySet>, ProviderError> {
        let is_known = |set: &Arc<CoreJsonWebKeySet>| knows(set, kid);
        if self.cache().plan(is_known, at) == Plan::Fetch {
            let _one = self.fetching.lock().await;
            if self.cache().plan(is_known, at) == Plan::Fetch {
                self.fetch_keys(metadata, at).await;
            }
        }
        let cache = self.cache();
        match (cache.plan(is_known, at), cache.keys()) {
            (Plan::Use, Some(keys)) => Ok(Arc::clone(keys)),
            _ => Err(Rejected::Token.into()),
        }
    }

    /// The keys after those that a signature did not fit: a provider may give another key the id of the one before. None
    /// if there are no others, or may not be asked for yet.
    pub(super) async fn keys_after(
        &self,
        metadata: &Metadata,
        seen: &Arc<CoreJsonWebKeySet>,
        at: Instant,
    ) -> Option<Arc<CoreJsonWebKeySet>> {
        let _one = self.fetching.lock().await;
        let is_newer = |keys: &&Arc<CoreJsonWebKeySet>| !Arc::ptr_eq(keys, seen);
        if let Some(newer) = self.cache().keys().filter(is_newer) {
            return Some(Arc::clone(newer));
        }
        if !self.cache().may_fetch(at) {
            return None;
        }
        self.fetch_keys(metadata, at).await;
        self.cache().keys().filter(is_newer).map(Arc::clone)
    }

    async fn fetch_keys(&self, metadata: &Metadata, at: Instant) {
        self.cache().trying(at);
        let fetched = self.egress.get(metadata.jwks_uri().url()).await;
        let read = fetched.map_err(|error| error.to_string()).and_then(|body| {
            serde_json::from_slice::<CoreJsonWebKeySet>(&body).map_err(|error| error.to_string())
        });
        match read {
            Ok(keys) => self.cache().keep(Arc::new(keys), at),
            Err(error) => {
                tracing::error!(
                    provider = self.config.name,
                    error,
                    "key.fetch_failed: the provider's keys could not be fetched"
                );
            }
        }
    }

    /// The claims of an ID token that is the provider's, for us, of this time, and of this sign-in.
    pub(super) async fn verified(
        &self,
        token: &Token,
        nonce: Option<&str>,
        now: Timestamp,
        at: Instant,
    ) -> Result<Map<String, Value>, ProviderError> {
        let (metadata, raw) = (self.metadata(at).await?, token.to_string());
        let kid = header_of(&raw).ok_or(Rejected::Token)?.kid;
        let mut keys = self.keys_for(&metadata, kid.as_deref(), at).await?;
        let check = |given: Option<&Nonce>| match (nonce, given) {
            (Some(wanted), Some(given)) if given.secret() == wanted => Ok(()),
            // A refresh has no nonce of its own, and may repeat the first (OpenID Connect Core 1.0 section 12.2).
            (None, _) => Ok(()),
            (Some(_), _) => Err("nonce".to_owned()),
        };
        loop {
            let verifier = self.verifier(&metadata, CoreJsonWebKeySet::clone(&keys), now)?;
            let error = match token.claims(&verifier, check) {
                Ok(_) => return payload_of(&raw).ok_or_else(|| Rejected::Token.into()),
                Err(error) => error,
            };
            // Each turn has other keys than the one before, and they are fetched once in ten seconds.
            if let ClaimsVerificationError::SignatureVerification(_) = error
                && let Some(newer) = self.keys_after(&metadata, &keys, at).await
            {
                keys = newer;
                continue;
            }
            tracing::info!(provider = self.config.name, error = %error, "authn.rejected: an ID token was not believed");
            let is_nonce = matches!(error, ClaimsVerificationError::InvalidNonce(_));
            return Err(if is_nonce { Rejected::Nonce } else { Rejected::Token }.into());
        }
    }

    fn verifier(
        &self,
        metadata: &Metadata,
        keys: CoreJsonWebKeySet,
        now: Timestamp,
    ) -> Result<Verifier<'static>, ProviderError> {
        let issuer = IssuerUrl::new(self.config.issuer.clone());
        let issuer = issuer.map_err(|_| ProviderError::Config("the issuer is no URL"))?;
        let time: DateTime<Utc> = DateTime::from_timestamp_micros(now.as_micros()).unwrap_or_default();
        let latest = DateTime::from_timestamp_micros(now.plus(SKEW).as_micros()).unwrap_or_default();
        let verifier =
            Verifier::new_public_client(ClientId::new(self.config.client_id.clone()), issuer, keys)
                .set_allowed_algs(algorithms(metadata))
                .set_time_fn(move || time)
                .set_issue_time_verifier_fn(move |issued| {
                    if issued <= latest { Ok(()) } else { Err("issued in the future".to_owned()) }
                });
        Ok(verifier)
    }
}

/// A token that names no key fits if there is only one.
fn knows(set: &CoreJsonWebKeySet, kid: Option<&str>) -> bool {
    let has = |key: &CoreJsonWebKey| key.key_id().map(|id| id.as_str()) == kid;
    match kid {
        Some(_) => set.keys().iter().any(has),
        None => !set.keys().is_empty(),
    }
}
