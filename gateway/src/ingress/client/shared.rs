//! What all clients' links are served with.

use super::ClientLinks;
use crate::{connectors::Lanes, lifecycle::Lifecycle, policies::Policies, sessions::Door, signing::Signer};
use std::sync::Arc;

/// What serving clients needs. There is one per node.
#[derive(Debug)]
pub struct ClientIngress {
    /// The one door.
    pub door: Arc<Door>,
    /// The lanes to targets.
    pub lanes: Lanes,
    /// Signs and reads tickets.
    pub signer: Signer,
    /// The principals.
    pub policies: Arc<Policies>,
    /// All client links.
    pub links: Arc<ClientLinks>,
    /// The node's life.
    pub lifecycle: Lifecycle,
}
