//! Opening a lane to a resource: the best link of its site, with a grant that the connector checks for itself.

use super::{
    Place, Registry,
    said::{OpenFailed, refused_by_connector},
};
use crate::{
    policies::{Policies, earliest_clock, wall_clock},
    signing::{SignedAt, Signer, StreamAttempt},
};
use bytes::Bytes;
use postern_ids::{ConnectorId, Refusal};
use postern_policy::{Permit, Snapshot, model::PrincipalId};
use postern_tunnel_io::{Lane, Link, Open, OpenError};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a connector may take to reach the target: its own limit is 10 s, and it is told nothing of ours.
pub(super) const OPEN_MAX: Duration = Duration::from_secs(15);
/// How long a new session waits for a connector that may dial in any moment.
const FIRST_LINK_MAX: Duration = Duration::from_secs(2);
/// Links asked one after the other, when one is lost or full.
pub(super) const ATTEMPTS_MAX: usize = 3;

/// Opens lanes for admitted sessions.
#[derive(Debug, Clone)]
pub struct Lanes {
    pub(super) registry: Arc<Registry<Link>>,
    pub(super) policies: Arc<Policies>,
    pub(super) signer: Signer,
    /// Whether clients know other gateways.
    pub(super) has_siblings: bool,
}

impl Lanes {
    /// Over the links of `registry`. With siblings, a client that cannot be served here is sent to the next gateway.
    pub fn new(
        registry: Arc<Registry<Link>>,
        policies: Arc<Policies>,
        signer: Signer,
        has_siblings: bool,
    ) -> Self {
        Self { registry, policies, signer, has_siblings }
    }

    /// Opens a lane to the target of `permit`. `carried_by` hears of the connector before it is asked.
    pub async fn open(
        &self,
        permit: &Permit,
        early: Bytes,
        carried_by: impl Fn(ConnectorId),
    ) -> Result<Lane, OpenFailed> {
        let mut tried = Vec::new();
        let mut last = OpenFailed::from(self.no_connector());
        while tried.len() < ATTEMPTS_MAX {
            let Some((place, link)) = self.pick(permit, &tried).await else { break };
            tried.push(place);
            carried_by(place.connector());
            let open = self.request(permit, place, None, early.clone())?;
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

    /// What a client is told when no connector that could serve it has a link here.
    pub(super) fn no_connector(&self) -> Refusal {
        if self.has_siblings { Refusal::TryNext } else { Refusal::NoConnector }
    }

    /// The least loaded link to the site, other than those tried. The first is waited for where it may come any moment: a
    /// gateway that was restarted is dialed by its clients before its connectors are back.
    pub(super) async fn pick(&self, permit: &Permit, tried: &[Place]) -> Option<(Place, Link)> {
        let now = Instant::now();
        let is_worth_waiting = tried.is_empty() && !self.has_siblings && self.is_expected(permit, now);
        let patience = if is_worth_waiting { FIRST_LINK_MAX } else { Duration::ZERO };
        self.registry.await_change((now + patience).into(), || self.pick_now(permit, tried)).await
    }

    fn pick_now(&self, permit: &Permit, tried: &[Place]) -> Option<(Place, Link)> {
        let snapshot: Arc<Snapshot> = self.policies.snapshot();
        // The binding in force at this moment counts, not the one of the dial (D11).
        let of_site = snapshot.connectors_of(permit.resource().site).map(|connector| connector.id);
        self.registry.pick(of_site, tried, Link::lanes, Instant::now())
    }

    fn is_expected(&self, permit: &Permit, now: Instant) -> bool {
        let snapshot: Arc<Snapshot> = self.policies.snapshot();
        let of_site = snapshot.connectors_of(permit.resource().site).map(|connector| connector.id);
        self.registry.is_expected(of_site, now)
    }

    pub(super) fn request(
        &self,
        permit: &Permit,
        place: Place,
        attempt: Option<&StreamAttempt>,
        early: Bytes,
    ) -> Result<Open, OpenFailed> {
        let at = SignedAt { now: wall_clock(), earliest: earliest_clock() };
        let grant = self.signer.grant(permit, place.connector(), attempt, at);
        let grant = grant.map_err(|_| OpenFailed::from(Refusal::GrantRefused))?;
        Ok(Open { flow: flow_of(permit.principal().id), metadata: grant.into(), early })
    }
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
