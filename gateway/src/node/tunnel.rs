//! What stands behind the two tunnel paths.

use super::{foundation::Foundation, present::Present};
use crate::{
    config::Limits,
    connectors::{Challenges, Lanes, Shares},
    ingress::client::{Authenticator, ClientIngress, ClientLinks},
    lifecycle::Lifecycle,
    listen::ConnectionLimits,
    route::Tunnel,
    sessions::{Door, PrincipalLimits},
    signing::Signer,
};
use arc_swap::ArcSwap;
use postern_tunnel_io::{Budget, Churn, LinkConfig};
use postern_web::KeyRing;
use std::sync::Arc;

/// A connector opens no lanes: each is refused, and one that goes on asking is cut off (T15).
const LANES_OF_CONNECTORS: Churn = Churn { per_second: 1, burst: 8 };

pub(super) fn tunnel(
    limits: &Limits,
    ground: &Foundation,
    present: &Present,
    clients: &Arc<ClientLinks>,
    (keys, issuer, has_siblings): (&Arc<KeyRing>, Arc<str>, bool),
    lifecycle: &Lifecycle,
) -> Tunnel {
    let policies = &present.policies;
    let registry = Arc::clone(present.connectors.registry());
    let signer = Signer::new(Arc::clone(keys), Arc::clone(&issuer));
    let principals = PrincipalLimits::new(limits);
    let ingress = ClientIngress {
        door: Door::new(
            Arc::clone(policies),
            Arc::clone(&present.held),
            ground.journal.clone(),
            Arc::clone(&principals),
        ),
        lanes: Lanes::new(registry, Arc::clone(policies), signer.clone(), has_siblings),
        signer,
        policies: Arc::clone(policies),
        links: Arc::clone(clients),
        lifecycle: lifecycle.clone(),
    };
    // One budget: what all links together may hold.
    let base = LinkConfig { budget: Budget::default(), ..LinkConfig::default() };
    Tunnel {
        policies: Arc::clone(policies),
        challenges: Challenges::new(rand::random()),
        connectors: present.connectors.clone(),
        authenticator: Arc::new(Authenticator::new(
            ground.store.clone(),
            Arc::clone(policies),
            Arc::clone(keys),
            Arc::clone(&issuer),
        )),
        issuer,
        ingress: Arc::new(ingress),
        attempts: ConnectionLimits::new(limits),
        principals,
        client_links: ArcSwap::from_pointee(client_link(limits, base.clone())),
        connector_shares: Shares::new(base.budget.clone()),
        connector_links: LinkConfig { churn: Some(LANES_OF_CONNECTORS), ..base },
    }
}

/// The limits of a client's link, with everything else as in `base`.
pub(super) fn client_link(limits: &Limits, base: LinkConfig) -> LinkConfig {
    let churn = Churn { per_second: limits.opens_per_second.get(), burst: limits.opens_burst.get() };
    LinkConfig { churn: Some(churn), ..base }
}
