//! Signing out: telling the provider (RP-initiated logout), and hearing from it (back-channel logout).

use super::{
    Provider, ProviderError, Rejected,
    jws::{SKEW, header_of, payload_of},
    metadata::algorithms,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKey,
    core::{CoreJsonWebKey, CoreJsonWebKeySet},
};
use postern_ids::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use url::Url;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The longest logout token.
const TOKEN_MAX: usize = 8 * 1024;
/// How old a logout token may be.
const AGE_MAX: Duration = Duration::from_secs(120);

/// Whom a provider signed out: a session of its own, or all of a person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    /// The person.
    pub subject: Option<String>,
    /// The provider's session.
    pub provider_session: Option<String>,
}

impl Provider {
    /// Where to send a browser that signed out here, if the provider wants to know (OpenID Connect RP-Initiated Logout 1.0).
    pub async fn end_session_url(
        &self,
        id_token: Option<&SecretString>,
        back: &Url,
        at: Instant,
    ) -> Result<Option<Url>, ProviderError> {
        let metadata = self.metadata(at).await?;
        let Some(endpoint) = &metadata.additional_metadata().end_session_endpoint else { return Ok(None) };
        let mut url: Url =
            endpoint.parse().map_err(|_| ProviderError::Config("its end_session_endpoint is no address"))?;
        if url.scheme() != "https" {
            return Err(ProviderError::Config("its end_session_endpoint is not https"));
        }
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("client_id", &self.config.client_id);
            query.append_pair("post_logout_redirect_uri", back.as_str());
            if let Some(token) = id_token {
                query.append_pair("id_token_hint", token.expose_secret());
            }
        }
        Ok(Some(url))
    }

    /// Reads a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6). Every failure is one and the same.
    pub async fn logout_token(
        &self,
        token: &str,
        now: Timestamp,
        at: Instant,
    ) -> Result<LogoutToken, ProviderError> {
        let claims = self.signed_claims(token, at).await?;
        let (logout, jti) = self.read_logout(&claims, now).ok_or(Rejected::LogoutToken)?;
        if self.replays.is_first(&jti) { Ok(logout) } else { Err(Rejected::LogoutToken.into()) }
    }

    /// The claims of a JWS that is signed with one of the provider's keys.
    async fn signed_claims(&self, token: &str, at: Instant) -> Result<Map<String, Value>, ProviderError> {
        let (signed, signature) = token
            .rsplit_once('.')
            .filter(|(signed, _)| token.len() <= TOKEN_MAX && signed.split('.').count() == 2)
            .ok_or(Rejected::LogoutToken)?;
        let header = header_of(token).ok_or(Rejected::LogoutToken)?;
        let is_kind = |typ: &str| typ.eq_ignore_ascii_case("logout+jwt") || typ.eq_ignore_ascii_case("jwt");
        if header.crit.is_some() || !header.typ.as_deref().is_none_or(is_kind) {
            return Err(Rejected::LogoutToken.into());
        }
        let metadata = self.metadata(at).await?;
        let algorithm = algorithms(&metadata)
            .into_iter()
            .find(|algorithm| {
                serde_json::to_value(algorithm).ok().as_ref().and_then(Value::as_str) == Some(&header.alg)
            })
            .ok_or(Rejected::LogoutToken)?;
        let keys = self.keys_for(&metadata, header.kid.as_deref(), at).await;
        let keys = keys.map_err(|_| Rejected::LogoutToken)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Rejected::LogoutToken)?;
        let fits = |key: &&CoreJsonWebKey| {
            header.kid.is_none() || key.key_id().map(|id| id.as_str()) == header.kid.as_deref()
        };
        let is_signed = |keys: &CoreJsonWebKeySet| {
            let mut fitting = keys.keys().iter().filter(fits);
            fitting.any(|key| key.verify_signature(&algorithm, signed.as_bytes(), &signature).is_ok())
        };
        let is_good = is_signed(&keys)
            || self.keys_after(&metadata, &keys, at).await.is_some_and(|newer| is_signed(&newer));
        if !is_good {
            return Err(Rejected::LogoutToken.into());
        }
        payload_of(token).ok_or_else(|| Rejected::LogoutToken.into())
    }

    fn read_logout(&self, claims: &Map<String, Value>, now: Timestamp) -> Option<(LogoutToken, String)> {
        let text = |name: &str| match claims.get(name) {
            None => Some(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= 255 => Some(Some(text.clone())),
            Some(_) => None,
        };
        let seconds = |name: &str| claims.get(name).and_then(Value::as_i64).map(Timestamp::from_secs);
        let is_us = |value: &Value| value.as_str() == Some(&self.config.client_id);
        let audience = claims.get("aud")?;
        let is_for_us = is_us(audience) || audience.as_array().is_some_and(|all| all.iter().any(is_us));
        let issued = seconds("iat")?;
        let in_time = issued <= now.plus(SKEW)
            && now.since(issued) <= AGE_MAX
            && (!claims.contains_key("exp") || seconds("exp")? > now);
        let is_logout = claims.get("events")?.as_object()?.get(EVENT)?.is_object();
        let logout = LogoutToken { subject: text("sub")?, provider_session: text("sid")? };
        let names_somebody = logout.subject.is_some() || logout.provider_session.is_some();
        let good = claims.get("iss")?.as_str()? == self.config.issuer
            && is_for_us
            && in_time
            && is_logout
            && names_somebody
            // With a nonce it could be passed off as an ID token.
            && !claims.contains_key("nonce");
        let jti = text("jti")??;
        good.then_some((logout, jti))
    }
}
