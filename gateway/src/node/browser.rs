//! What stands behind the hosts of applications.

use super::foundation::Foundation;
use crate::{
    config::Config,
    ingress::browser::{BrowserIngress, Hosts, Parts},
    lifecycle::Lifecycle,
    route::Tunnel,
    tls::Certificates,
};
use postern_web::{KeyRing, hand_over::HandOver};
use std::sync::Arc;
use url::Url;

pub(super) fn browser(
    (config, public_url, certificates): (&Config, &Url, &Certificates),
    ground: &Foundation,
    tunnel: &Tunnel,
    (keys, hand_over): (&Arc<KeyRing>, HandOver),
    lifecycle: &Lifecycle,
) -> BrowserIngress {
    let hosts = Arc::new(Hosts::new(config.apps_domain.as_deref(), public_url.port()));
    let (published, policies) = (Arc::clone(&hosts), Arc::clone(&tunnel.policies));
    certificates.publish(move |name| published.follow(&policies.snapshot()).publishes(name));
    BrowserIngress::new(Parts {
        door: Arc::clone(&tunnel.ingress.door),
        policies: Arc::clone(&tunnel.policies),
        authenticator: Arc::clone(&tunnel.authenticator),
        lanes: tunnel.ingress.lanes.clone(),
        hosts,
        hand_over,
        keys: Arc::clone(keys),
        store: ground.store.clone(),
        issuer: Arc::clone(&tunnel.issuer),
        lifecycle: lifecycle.clone(),
    })
}
