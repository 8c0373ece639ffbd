//! Asking the provider again about somebody who is signed in.

use super::{Provider, ProviderError, Rejected, SignedIn};
use openidconnect::{OAuth2TokenResponse, RefreshToken, TokenResponse};
use postern_ids::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use std::time::Instant;

impl Provider {
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
}
