//! What this crate needs to know about the present moment, implemented by the gateway.

use postern_ids::{ConnectorId, Ended, SessionId, SignInId};
use postern_policy::{
    Snapshot, Staleness,
    live::{Filter, LiveView},
};
use std::{net::IpAddr, sync::Arc};

/// The address of the client as the gateway resolved it, behind whatever proxies it trusts. A request extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

/// The policy in force.
pub trait Snapshots: Send + Sync {
    /// The newest snapshot and how long ago the store confirmed it.
    fn current(&self) -> (Arc<Snapshot>, Staleness);
}

/// What lives on this gateway.
pub trait LiveSessions: Send + Sync {
    /// The live sessions that a filter selects.
    fn list(&self, filter: &Filter) -> Vec<LiveView>;

    /// Ends a session. Whether it lived here until now.
    fn end(&self, session: SessionId, ended: Ended) -> bool;

    /// The connectors that have a link to this gateway.
    fn connectors_online(&self) -> Vec<ConnectorId>;

    /// The sign-ins behind the live sessions: people who use them, whatever passes at this moment.
    fn sign_ins_in_use(&self) -> Vec<SignInId>;
}
