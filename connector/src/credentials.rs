//! How a dial proves which connector it is: the gateway's challenge, signed with the connector's own key, at the
//! gateway's own time.

use crate::{gateway_clock::GatewayClock, identity::Identity};
use http::HeaderValue;
use postern_ids::{InstanceId, Timestamp};
use postern_token::{DialClaims, mint_dial};
use postern_tunnel_io::{Challenge, Credentials};
use std::time::{Duration, Instant};

/// A dial token answers one challenge on one connection; the gateway forgets its nonce after 30 s.
const DIAL_TOKEN_LIFE: Duration = Duration::from_secs(60);

/// The credentials of one link.
#[derive(Debug)]
pub(crate) struct DialCredentials<'a> {
    /// Who we are.
    pub(crate) identity: &'a Identity,
    /// Set from each challenge.
    pub(crate) clock: &'a GatewayClock,
    /// This process.
    pub(crate) instance: InstanceId,
    /// Which of its links.
    pub(crate) slot: u8,
}

impl Credentials for DialCredentials<'_> {
    fn authorization(&mut self, challenge: Option<&Challenge>) -> Option<HeaderValue> {
        // The first try sends nothing: there is nothing to sign yet.
        let challenge = challenge?;
        let now = Instant::now();
        if let Some(micros) = challenge.gateway_time {
            self.clock.set(Timestamp::from_micros(micros), now);
        }
        let iat = self.clock.now(now)?;
        let claims = DialClaims {
            connector: self.identity.enrolled.connector,
            aud: self.identity.enrolled.issuer.clone(),
            nonce: challenge.nonce.clone(),
            instance: self.instance,
            slot: self.slot,
            iat,
            exp: iat.plus(DIAL_TOKEN_LIFE),
            jti: format!("{:032x}", rand::random::<u128>()),
        };
        let token = mint_dial(&claims, &self.identity.key).ok()?;
        let mut value = HeaderValue::try_from(format!("Postern-Dial {token}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
