//! What the gateway signs about sessions and reads back later: grants for connectors, tickets for clients.
//!
//! Both state facts of a decision that was made: whose session it is, what proved it, since when. They are never rights: a
//! session that comes back with them is decided again on the policy in force.

mod attempt;
mod stated;

pub use attempt::{NotProven, StreamAttempt};
pub use stated::{Facts, Stated};

use postern_ids::{ConnectorId, InstanceId, Timestamp};
use postern_policy::Permit;
use postern_token::{
    Expect, GrantClaims, Rejected, TICKET_LIFETIME_MAX, TicketClaims, mint_grant, mint_ticket,
    verify_held_grant, verify_ticket,
};
use postern_web::KeyRing;
use std::{fmt, sync::Arc, time::Duration};

/// How long a grant may be used: one Open on a link that is up.
const GRANT_LIFETIME: Duration = Duration::from_secs(60);

/// The longest that a grant is dated back; more could make it live longer than a connector believes.
const DATED_BACK_MAX: Duration = Duration::from_secs(12 * 3_600);

/// When something is signed.
#[derive(Debug, Clone, Copy)]
pub struct SignedAt {
    /// The gateway's time.
    pub now: Timestamp,
    /// The earliest that it can be: what it is dated with, for readers whose clocks differ.
    pub earliest: Timestamp,
}

impl SignedAt {
    fn dated(self) -> Timestamp {
        let limit = self.now.as_micros().saturating_sub_unsigned(micros(DATED_BACK_MAX));
        self.earliest.min(self.now).max(Timestamp::from_micros(limit))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// There is no key to sign with at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the gateway cannot sign at this moment")]
pub struct CannotSign;

/// Signs in the name of one issuer. Clones share the keys.
#[derive(Clone)]
pub struct Signer {
    keys: Arc<KeyRing>,
    issuer: Arc<str>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.issuer).finish()
    }
}

impl Signer {
    /// With the keys of the installation.
    pub fn new(keys: Arc<KeyRing>, issuer: Arc<str>) -> Self {
        Self { keys, issuer }
    }

    /// The word to a connector that this session may reach its target.
    pub fn grant(
        &self,
        permit: &Permit,
        connector: ConnectorId,
        attempt: Option<&StreamAttempt>,
        at: SignedAt,
    ) -> Result<String, CannotSign> {
        let resource = permit.resource();
        let claims = GrantClaims {
            iss: self.issuer.to_string(),
            aud: connector,
            session: permit.session(),
            resource: resource.id,
            resource_name: resource.name.to_string(),
            target_host: resource.target.host().to_owned(),
            target_port: resource.target.port(),
            principal: permit.principal().id.to_string(),
            cnf: attempt.map(StreamAttempt::key),
            stream: attempt.map(StreamAttempt::stream),
            ses: attempt.and_then(|attempt| stated::claims_of(permit, attempt.generation())),
            iat: at.dated(),
            nbf: at.dated(),
            exp: at.now.plus(GRANT_LIFETIME),
            jti: permit.decision().to_string(),
        };
        let keys = self.keys.keys();
        let key = keys.grant_signer(at.now).ok_or(CannotSign)?;
        mint_grant(&claims, key).map_err(|error| {
            tracing::error!(error = %error, "a grant could not be signed");
            CannotSign
        })
    }

    /// What connectors are told about the keys of grants, signed by each of them.
    pub fn announcement(&self, now: Timestamp) -> Result<String, CannotSign> {
        self.keys.announcement(now).map_err(|error| {
            tracing::error!(error = %error, "the keys of grants could not be announced");
            CannotSign
        })
    }

    /// Waits until the keys of grants are others than before. For one listener.
    pub async fn keys_changed(&self) {
        self.keys.grants_changed().await;
    }

    /// What the client shows to have its stream carried again: good until the session's hard expiry, and at most a week.
    pub fn ticket(
        &self,
        permit: &Permit,
        attempt: &StreamAttempt,
        (connector, instance): (ConnectorId, InstanceId),
        at: SignedAt,
    ) -> Result<String, CannotSign> {
        let claims = TicketClaims {
            iss: self.issuer.to_string(),
            aud: self.issuer.to_string(),
            session: permit.session(),
            stream: attempt.stream(),
            principal: permit.principal().id.to_string(),
            ses: stated::claims_of(permit, attempt.generation()).ok_or(CannotSign)?,
            resource: permit.resource().id,
            connector,
            instance,
            cnf: attempt.key(),
            iat: at.dated(),
            nbf: at.dated(),
            exp: at.dated().plus(TICKET_LIFETIME_MAX).min(permit.expires_at()),
            jti: permit.decision().to_string(),
        };
        let keys = self.keys.keys();
        let key = keys.grant_signer(at.now).ok_or(CannotSign)?;
        mint_ticket(&claims, key).map_err(|error| {
            tracing::error!(error = %error, "a ticket could not be signed");
            CannotSign
        })
    }

    /// What a ticket states, and the process of the connector that holds its stream.
    pub fn read_ticket(&self, token: &str, now: Timestamp) -> Result<(Stated, InstanceId), Rejected> {
        let expect = Expect { issuer: &self.issuer, audience: &self.issuer };
        let claims = verify_ticket(token, self.keys.keys().grant_keys(), expect, now)?.into_inner();
        let instance = claims.instance;
        Ok((Stated::of_ticket(claims).ok_or(Rejected::ClaimFormat)?, instance))
    }

    /// What the grant of a stream states that this connector holds, however long ago it was made.
    pub fn read_held(
        &self,
        token: &[u8],
        connector: ConnectorId,
        now: Timestamp,
    ) -> Result<Stated, Rejected> {
        let token = std::str::from_utf8(token).map_err(|_| Rejected::ClaimFormat)?;
        let audience = connector.to_string();
        let expect = Expect { issuer: &self.issuer, audience: &audience };
        let claims = verify_held_grant(token, self.keys.keys().grant_keys(), expect, now)?.into_inner();
        Stated::of_grant(claims).ok_or(Rejected::ClaimFormat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f26_what_is_signed_is_dated_back_within_bounds_and_never_forward() {
        let (now, hour) = (Timestamp::from_secs(1_800_000_000), Duration::from_secs(3_600));
        let earlier = |hours: i64| Timestamp::from_secs(1_800_000_000 - hours * 3_600);
        let dated = |earliest| SignedAt { now, earliest }.dated();
        assert_eq!(dated(earlier(1)), earlier(1));
        assert_eq!(dated(earlier(24 * 365)), earlier(12));
        assert_eq!(dated(now.plus(hour)), now);
    }
}
