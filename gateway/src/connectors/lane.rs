//! Opening a lane to a resource: the best link of its site, with a grant that the connector checks for itself.

use super::{Place, Registry};
use crate::policies::{Policies, wall_clock};
use bytes::Bytes;
use postern_ids::{ConnectorId, Refusal, Timestamp};
use postern_policy::{Permit, Snapshot, model::PrincipalId};
use postern_token::{GrantClaims, mint_grant};
use postern_tunnel_io::{Lane, Link, Open, OpenError};
use postern_web::KeyRing;
use std::{sync::Arc, time::Duration};

/// How long a grant may be used: one Open on a link that is up.
const GRANT_LIFETIME: Duration = Duration::from_secs(60);
/// How long a connector may take to reach the target: its own limit is 10 s, and it is told nothing of ours.
const OPEN_MAX: Duration = Duration::from_secs(15);
/// Links asked one after the other, when one is lost or full.
const ATTEMPTS_MAX: usize = 3;
/// The longest explanation of a connector that is passed on.
const DETAIL_MAX: usize = 200;

/// Why the target was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFailed {
    /// The one word for it.
    pub refusal: Refusal,
    /// What the connector said, harmless.
    pub detail: Option<String>,
}

impl From<Refusal> for OpenFailed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, detail: None }
    }
}

/// Opens lanes for admitted sessions.
#[derive(Debug, Clone)]
pub struct Lanes {
    registry: Arc<Registry<Link>>,
    policies: Arc<Policies>,
    keys: Arc<KeyRing>,
    issuer: Arc<str>,
}

impl Lanes {
    /// Over the links of `registry`, with grants of `issuer`.
    pub fn new(
        registry: Arc<Registry<Link>>,
        policies: Arc<Policies>,
        keys: Arc<KeyRing>,
        issuer: Arc<str>,
    ) -> Self {
        Self { registry, policies, keys, issuer }
    }

    /// Opens a lane to the target of `permit`. `carried_by` hears of the connector before it is asked.
    pub async fn open(
        &self,
        permit: &Permit,
        early: Bytes,
        carried_by: impl Fn(ConnectorId),
    ) -> Result<Lane, OpenFailed> {
        let mut tried = Vec::new();
        let mut last = OpenFailed::from(Refusal::NoConnector);
        while tried.len() < ATTEMPTS_MAX {
            let Some((place, link)) = self.pick(permit, &tried) else { break };
            tried.push(place);
            carried_by(place.connector());
            let open = Open {
                flow: flow_of(permit.principal().id),
                metadata: self.grant(permit, place.connector(), wall_clock())?.into(),
                early: early.clone(),
            };
            match tokio::time::timeout(OPEN_MAX, link.open(open)).await {
                Ok(Ok(opened)) => return Ok(opened.lane),
                Ok(Err(OpenError::Refused { code, detail })) => {
                    last = refused_by_connector(code, &detail);
                    if last.refusal != Refusal::Draining {
                        return Err(last);
                    }
                }
                Ok(Err(OpenError::Limit)) => last = Refusal::Limit.into(),
                // Early data may have reached the target: it must not reach it twice.
                Ok(Err(OpenError::LinkLost)) if !early.is_empty() => return Err(Refusal::LinkLost.into()),
                Ok(Err(OpenError::LinkLost)) => last = Refusal::LinkLost.into(),
                Err(_) => return Err(Refusal::Timeout.into()),
            }
        }
        Err(last)
    }

    fn pick(&self, permit: &Permit, tried: &[Place]) -> Option<(Place, Link)> {
        let snapshot: Arc<Snapshot> = self.policies.snapshot();
        // The binding in force at this moment counts, not the one of the dial (D11).
        let of_site = snapshot.connectors_of(permit.resource().site).map(|connector| connector.id);
        self.registry.pick(of_site, tried, Link::lanes)
    }

    fn grant(&self, permit: &Permit, connector: ConnectorId, now: Timestamp) -> Result<String, OpenFailed> {
        let keys = self.keys.keys();
        let Some(key) = keys.grant_signer(now) else { return Err(Refusal::GrantRefused.into()) };
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
            cnf: None,
            stream: None,
            ses: None,
            iat: now,
            nbf: now,
            exp: now.plus(GRANT_LIFETIME),
            jti: permit.decision().to_string(),
        };
        mint_grant(&claims, key).map_err(|error| {
            tracing::error!(error = %error, "a grant could not be signed");
            Refusal::GrantRefused.into()
        })
    }
}

/// What a connector may refuse with; everything else is told as an unreachable target.
fn refused_by_connector(code: u16, detail: &[u8]) -> OpenFailed {
    let refusal = match Refusal::from_code(code) {
        Some(
            said @ (Refusal::TargetNotAllowed
            | Refusal::TargetUnreachable
            | Refusal::GrantRefused
            | Refusal::Draining
            | Refusal::Timeout
            | Refusal::Limit),
        ) => said,
        _ => Refusal::TargetUnreachable,
    };
    OpenFailed { refusal, detail: harmless(detail) }
}

/// A peer's text as one short line without control or direction characters (T15).
fn harmless(detail: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(detail.get(..DETAIL_MAX).unwrap_or(detail))
        .chars()
        .filter(|c| !c.is_control() && (c.is_ascii() || c.is_alphanumeric()))
        .collect();
    (!text.trim().is_empty()).then_some(text)
}

/// Lanes of one principal share one part of a link.
fn flow_of(principal: PrincipalId) -> u64 {
    let bytes = match principal {
        PrincipalId::User(id) => id.to_bytes(),
        PrincipalId::ServiceAccount(id) => id.to_bytes(),
        PrincipalId::Anonymous => [0; 16],
    };
    let number = u128::from_be_bytes(bytes);
    // The random half of the id.
    u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t15_what_a_connector_says_is_short_and_harmless() {
        let hostile = format!("\u{1b}[31mno\r\n<b>\u{202e}{}", "x".repeat(10_000));
        let failed = refused_by_connector(Refusal::TargetUnreachable.code(), hostile.as_bytes());
        let text = failed.detail.unwrap_or_default();
        assert!(text.len() <= DETAIL_MAX && text.starts_with("[31mno<b>x"), "{text}");
        assert_eq!(refused_by_connector(1, b"\n").detail, None);
    }

    #[test]
    fn t15_a_connector_cannot_refuse_in_the_name_of_policy() {
        for refusal in
            [Refusal::Denied, Refusal::Unauthenticated, Refusal::PolicyStale, Refusal::NoSuchResource]
        {
            assert_eq!(refused_by_connector(refusal.code(), b"").refusal, Refusal::TargetUnreachable);
        }
        let not_allowed = refused_by_connector(Refusal::TargetNotAllowed.code(), b"add 10.0.0.5:22");
        assert_eq!(not_allowed.detail.as_deref(), Some("add 10.0.0.5:22"));
    }
}
