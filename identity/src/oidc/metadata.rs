//! A provider's description of itself, kept for a while and through an outage.

use super::{Egress, EgressError, types::Metadata};
use openidconnect::core::CoreJwsSigningAlgorithm;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use url::Url;

/// Endpoints seldom move; a sign-in need not ask each time.
const FRESH_FOR: Duration = Duration::from_secs(3_600);

/// Why the description cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It could not be fetched.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// It is no description of an OpenID provider.
    #[error("the provider's metadata cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// It describes another issuer than the one that was configured, character for character (O4).
    #[error(
        "the provider calls itself {found}, not {configured}: the issuer has to be configured as the provider writes it"
    )]
    Issuer {
        /// What it says.
        found: String,
        /// What was configured.
        configured: String,
    },
    /// An endpoint is not https, so codes and tokens would go in the clear.
    #[error("the provider's {0} is not an https address")]
    Endpoint(&'static str),
}

#[derive(Debug, Default)]
pub(super) struct MetadataCache(Mutex<Option<(Arc<Metadata>, Instant)>>);

impl MetadataCache {
    /// The description: the kept one while it is fresh, else the provider's, else the kept one.
    pub(super) async fn get(
        &self,
        egress: &Egress,
        issuer: &str,
        now: Instant,
    ) -> Result<Arc<Metadata>, MetadataError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((metadata, at)) = &kept
            && now.saturating_duration_since(*at) < FRESH_FOR
        {
            return Ok(Arc::clone(metadata));
        }
        match fetch(egress, issuer).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&metadata), now));
                Ok(metadata)
            }
            Err(error) => match kept {
                Some((metadata, _)) => {
                    tracing::warn!(error = %error, issuer, "the provider's metadata could not be fetched anew");
                    Ok(metadata)
                }
                None => Err(error),
            },
        }
    }
}

/// `{issuer}/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 section 4).
async fn fetch(egress: &Egress, issuer: &str) -> Result<Metadata, MetadataError> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url: Url = url.parse().map_err(|_| MetadataError::Endpoint("issuer"))?;
    let metadata: Metadata =
        serde_json::from_slice(&egress.get(&url).await?).map_err(MetadataError::Malformed)?;
    if metadata.issuer().as_str() != issuer {
        let (found, configured) = (metadata.issuer().to_string(), issuer.to_owned());
        return Err(MetadataError::Issuer { found, configured });
    }
    let is_https = |url: &Url| url.scheme() == "https";
    let checks = [
        ("authorization endpoint", is_https(metadata.authorization_endpoint().url())),
        ("token endpoint", metadata.token_endpoint().is_some_and(|url| is_https(url.url()))),
        ("key set", is_https(metadata.jwks_uri().url())),
        ("userinfo endpoint", metadata.userinfo_endpoint().is_none_or(|url| is_https(url.url()))),
    ];
    if !promises_pkce(&metadata) {
        // The challenge is sent all the same: a provider that ignores it is no worse off.
        tracing::warn!(issuer, "the provider does not promise PKCE with S256; strict_pkce would refuse it");
    }
    match checks.into_iter().find(|(_, good)| !good) {
        Some((name, _)) => Err(MetadataError::Endpoint(name)),
        None => Ok(metadata),
    }
}

/// Whether it says that it holds a code to the challenge that it was asked for with (RFC 7636, O3).
pub(super) fn promises_pkce(metadata: &Metadata) -> bool {
    let methods = metadata.additional_metadata().code_challenge_methods_supported.as_deref();
    methods.is_some_and(|methods| methods.iter().any(|method| method == "S256"))
}

/// The algorithms that this provider signs with and that we take: those with a public key only (J2).
pub(super) fn algorithms(metadata: &Metadata) -> Vec<CoreJwsSigningAlgorithm> {
    const TAKEN: &[CoreJwsSigningAlgorithm] = &[
        CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        CoreJwsSigningAlgorithm::EdDsa,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
        CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        CoreJwsSigningAlgorithm::RsaSsaPssSha384,
        CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    ];
    let offered = metadata.id_token_signing_alg_values_supported();
    TAKEN.iter().filter(|algorithm| offered.contains(algorithm)).cloned().collect()
}
