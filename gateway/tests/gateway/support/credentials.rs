//! Who dials, and how they prove it.

use http::HeaderValue;
use postern_ids::{ConnectorId, InstanceId, ServiceAccountId, Timestamp, TokenId};
use postern_token::{DialClaims, SigningKey, mint_dial};
use postern_tunnel_io::{Challenge, Credentials};
use std::time::Duration;

/// A connector with its key.
#[derive(Clone)]
pub(crate) struct Enrolled {
    pub(crate) id: ConnectorId,
    pub(crate) key: SigningKey,
    pub(crate) instance: InstanceId,
}

/// A service account with its token.
pub(crate) struct Account {
    pub(crate) id: ServiceAccountId,
    pub(crate) token: String,
    pub(crate) token_id: TokenId,
}

pub(crate) struct Bearer(pub(crate) String);

impl Credentials for Bearer {
    fn authorization(&mut self, challenge: Option<&Challenge>) -> Option<HeaderValue> {
        challenge.is_none().then(|| HeaderValue::try_from(format!("Bearer {}", self.0)).unwrap())
    }
}

pub(crate) struct Prover {
    pub(crate) issuer: String,
    pub(crate) connector: Enrolled,
    pub(crate) slot: u8,
}

impl Prover {
    pub(crate) fn token(&self, challenge: &Challenge) -> String {
        let at = Timestamp::from_micros(challenge.gateway_time.unwrap());
        let claims = DialClaims {
            connector: self.connector.id,
            aud: self.issuer.clone(),
            nonce: challenge.nonce.clone(),
            instance: self.connector.instance,
            slot: self.slot,
            iat: at,
            exp: at.plus(Duration::from_secs(30)),
            jti: at.as_micros().to_string(),
        };
        mint_dial(&claims, &self.connector.key).unwrap()
    }
}

impl Credentials for Prover {
    fn authorization(&mut self, challenge: Option<&Challenge>) -> Option<HeaderValue> {
        Some(HeaderValue::try_from(format!("Postern-Dial {}", self.token(challenge?))).unwrap())
    }
}
