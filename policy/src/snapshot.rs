//! One consistent reading of policy: compiled, indexed, immutable.

use crate::{
    model::{Connector, Group, Resource, Settings, Site},
    source::{Revoked, SnapshotSource},
};
use postern_ids::{ConnectorId, GroupId, ResourceId, SignInId, SiteId, TokenId, UserId};
use std::{fmt, sync::Arc};

/// A compiled reading of the store at one revision.
#[derive(Debug)]
pub struct Snapshot {
    revision: u64,
}

/// Where in a rule's text something is wrong; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a source makes no snapshot. The whole of it is refused: a rule is never skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The source is older than what it would replace (D6).
    #[error("revision {offered} is older than {current}")]
    WentBack {
        /// The revision in use.
        current: u64,
        /// The revision offered.
        offered: u64,
    },
    /// A policy or grant does not compile.
    #[error("{kind} {name} ({id}): {message}{}", position.map(|p| format!(" at {p}")).unwrap_or_default())]
    Rule {
        /// `policy` or `grant`.
        kind: &'static str,
        /// The id of the rule.
        id: String,
        /// Its name.
        name: String,
        /// Where in its text, if that is known.
        position: Option<Position>,
        /// What is wrong, for the person who wrote it.
        message: String,
    },
    /// A window or threshold is unusable.
    #[error("{kind} {name}: {message}")]
    Calendar {
        /// `window` or `threshold`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// There is more than this can hold within its promised speed.
    #[error("{count} {what}, at most {max} are supported")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
}

impl Snapshot {
    /// Compiles everything.
    pub fn build(source: SnapshotSource) -> Result<Self, SnapshotError> {
        Ok(Self { revision: source.revision })
    }

    /// Compiles what changed and shares the rest. Refuses a source that is older than `self` (D6).
    pub fn next(&self, source: SnapshotSource) -> Result<Self, SnapshotError> {
        Self::build(source)
    }

    /// The same policy with more revocations: for a source whose rules are refused, so that a broken rule does not keep
    /// a disabled user in. The revision stays, so staleness goes on counting.
    #[must_use]
    pub fn with_revocations(&self, _more: &Revoked) -> Self {
        todo!()
    }

    /// The store's revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Installation-wide limits.
    pub fn settings(&self) -> &Settings {
        todo!()
    }

    /// The resource with this id.
    pub fn resource(&self, _id: ResourceId) -> Option<&Arc<Resource>> {
        todo!()
    }

    /// The resource with this name.
    pub fn resource_by_name(&self, _name: &str) -> Option<&Arc<Resource>> {
        todo!()
    }

    /// Every resource, by name.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        std::iter::empty()
    }

    /// The site with this id.
    pub fn site(&self, _id: SiteId) -> Option<&Arc<Site>> {
        todo!()
    }

    /// The connector with this id, revoked or not.
    pub fn connector(&self, _id: ConnectorId) -> Option<&Arc<Connector>> {
        todo!()
    }

    /// The active connectors of a site.
    pub fn connectors_of(&self, _site: SiteId) -> impl Iterator<Item = &Arc<Connector>> {
        std::iter::empty()
    }

    /// Whether this connector is active and of the resource's own site (D11).
    pub fn may_serve(&self, _connector: ConnectorId, _resource: ResourceId) -> bool {
        todo!()
    }

    /// The group with this id.
    pub fn group(&self, _id: GroupId) -> Option<&Arc<Group>> {
        todo!()
    }

    /// Whether this user was disabled.
    pub fn is_disabled(&self, _user: UserId) -> bool {
        todo!()
    }

    /// Whether this sign-in was ended.
    pub fn has_ended(&self, _sign_in: SignInId) -> bool {
        todo!()
    }

    /// Whether this token was revoked.
    pub fn is_revoked(&self, _token: TokenId) -> bool {
        todo!()
    }
}
