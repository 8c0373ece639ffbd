//! The parts of a node whose settings can change while it runs.

use super::tunnel::client_link;
use crate::{
    config::{Config, Mode},
    listen::ConnectionLimits,
    route::Tunnel,
};
use arc_swap::ArcSwap;
use postern_tunnel_io::LinkConfig;
use std::sync::Arc;

/// Handles of what a reload touches.
pub(super) struct Tunable {
    pub(super) mode: Arc<ArcSwap<Mode>>,
    pub(super) connections: Arc<ConnectionLimits>,
    tunnel: Arc<Tunnel>,
}

impl Tunable {
    /// With the values of the first configuration.
    pub(super) fn new(config: &Config, tunnel: Arc<Tunnel>) -> Self {
        Self {
            mode: Arc::new(ArcSwap::from_pointee(config.listen.mode.clone())),
            connections: ConnectionLimits::new(&config.limits),
            tunnel,
        }
    }

    /// With the values of this one, from the next connection, link and session on.
    pub(super) fn adopt(&self, config: &Config) {
        self.mode.store(Arc::new(config.listen.mode.clone()));
        self.connections.adopt(&config.limits);
        self.tunnel.attempts.adopt(&config.limits);
        self.tunnel.principals.adopt(&config.limits);
        let base = LinkConfig::clone(&self.tunnel.client_links.load());
        self.tunnel.client_links.store(Arc::new(client_link(&config.limits, base)));
    }
}
