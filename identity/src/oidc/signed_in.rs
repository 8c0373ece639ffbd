//! What a provider says of a person once it was asked: its claims, its userinfo, or its refusal.

use super::{
    EgressError, GroupSource, Person, Provider, ProviderError, Rejected,
    types::{Metadata, Tokens},
};
use openidconnect::{
    OAuth2TokenResponse, RequestTokenError, StandardErrorResponse, core::CoreErrorResponseType,
};
use secrecy::SecretString;
use serde_json::{Map, Value};

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
    pub(super) async fn person(
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

    pub(super) async fn user_info(
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
    pub(super) fn refused(
        &self,
        error: RequestTokenError<EgressError, StandardErrorResponse<CoreErrorResponseType>>,
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
