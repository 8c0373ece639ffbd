//! What the store hands over. Each part is read whole when its revision moved, and shared otherwise, so that a reload of
//! one part neither copies nor recompiles the others.

use crate::model::{Connector, Grant, Group, PolicyText, Resource, Settings, Site, Threshold, Window};
use postern_ids::{Ended, ServiceAccountId, SessionId, SignInId, TokenId, UserId};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Everything a [`crate::Snapshot`] is built from.
#[derive(Debug, Clone, Default)]
pub struct SnapshotSource {
    /// The store's revision at which the newest of the parts was read.
    pub revision: u64,
    /// What says yes and no.
    pub rules: Arc<Rules>,
    /// What can be reached, and the group tree.
    pub places: Arc<Places>,
    /// What was ended before its time.
    pub revoked: Arc<Revoked>,
}

/// The part that is compiled: policies, grants and the names they may use.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Cedar policies as written.
    pub policies: Vec<PolicyText>,
    /// Grants, which compile to Cedar.
    pub grants: Vec<Grant>,
    /// Named windows.
    pub windows: Vec<Window>,
    /// Named ages.
    pub thresholds: Vec<Threshold>,
    /// Installation-wide limits.
    pub settings: Settings,
}

/// The part that is indexed: where things are.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// All sites.
    pub sites: Vec<Arc<Site>>,
    /// All resources.
    pub resources: Vec<Arc<Resource>>,
    /// All connectors, the revoked ones included.
    pub connectors: Vec<Arc<Connector>>,
    /// The group tree; memberships are not in it.
    pub groups: Vec<Arc<Group>>,
}

/// The part that is only looked up: what must not be honored any more although its time is not over.
#[derive(Debug, Clone, Default)]
pub struct Revoked {
    /// Users who were disabled.
    pub disabled_users: HashSet<UserId>,
    /// Service accounts that were disabled.
    pub disabled_service_accounts: HashSet<ServiceAccountId>,
    /// Sign-ins that were ended, younger than the longest token.
    pub ended_sign_ins: HashSet<SignInId>,
    /// Tokens that were revoked and could still be in use.
    pub revoked_tokens: HashSet<TokenId>,
    /// Sessions that a person ended and that could still live somewhere, or come back there.
    pub ended_sessions: HashMap<SessionId, Ended>,
}
