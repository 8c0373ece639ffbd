//! One consistent reading of policy: compiled, indexed, immutable.

use crate::{
    error::SnapshotError,
    model::{
        Connector, ConnectorState, Credential, Grant, Group, PathReading, PolicyText, PrincipalId, Resource,
        Settings, Site,
    },
    places::PlaceIndex,
    request::{Asked, Staleness},
    rules::{Compiled, Public},
    source::{Revoked, SnapshotSource},
};
use postern_ids::{
    ConnectorId, Ended, GroupId, Name, ResourceId, SessionId, SignInId, SiteId, TokenId, UserId,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// A compiled reading of the store at one revision.
#[derive(Debug)]
pub struct Snapshot {
    revision: u64,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) places: Arc<PlaceIndex>,
    revoked: Arc<Revoked>,
}

impl Snapshot {
    /// Compiles everything.
    pub fn build(source: SnapshotSource) -> Result<Self, SnapshotError> {
        Self::made(source, None)
    }

    /// Compiles what changed and shares the rest. Refuses a source that is older than `self` (D6).
    pub fn next(&self, source: SnapshotSource) -> Result<Self, SnapshotError> {
        if source.revision < self.revision {
            return Err(SnapshotError::WentBack { current: self.revision, offered: source.revision });
        }
        Self::made(source, Some(self))
    }

    /// The same policy with more revocations: for a source that is refused, so that neither a broken rule nor a store
    /// that went back keeps a disabled user in. The revision stays, so staleness goes on counting.
    #[must_use]
    pub fn with_revocations(&self, more: &Revoked) -> Self {
        let mut revoked = Revoked::clone(&self.revoked);
        revoked.disabled_users.extend(&more.disabled_users);
        revoked.disabled_service_accounts.extend(&more.disabled_service_accounts);
        revoked.ended_sign_ins.extend(&more.ended_sign_ins);
        revoked.revoked_tokens.extend(&more.revoked_tokens);
        revoked.ended_sessions.extend(&more.ended_sessions);
        Self {
            revision: self.revision,
            compiled: self.compiled.clone(),
            places: self.places.clone(),
            revoked: Arc::new(revoked),
        }
    }

    fn made(source: SnapshotSource, earlier: Option<&Self>) -> Result<Self, SnapshotError> {
        let public = match earlier {
            Some(earlier) if Arc::ptr_eq(&earlier.places.source, &source.places) => {
                earlier.compiled.public.clone()
            }
            _ => Public::of(&source.places).into(),
        };
        let compiled = match earlier {
            Some(earlier)
                if Arc::ptr_eq(&earlier.compiled.source, &source.rules)
                    && earlier.compiled.public == public =>
            {
                earlier.compiled.clone()
            }
            _ => Arc::new(Compiled::new(source.rules, public, earlier.map(|earlier| &*earlier.compiled))?),
        };
        let places = match earlier {
            Some(earlier) if Arc::ptr_eq(&earlier.places.source, &source.places) => earlier.places.clone(),
            _ => Arc::new(PlaceIndex::new(&source.places, earlier.map(|earlier| &*earlier.places))?),
        };
        Ok(Self { revision: source.revision, compiled, places, revoked: source.revoked })
    }

    /// The store's revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Installation-wide limits.
    pub fn settings(&self) -> &Settings {
        &self.compiled.source.settings
    }

    /// The staleness beyond which nothing new is admitted by default.
    pub fn max_staleness(&self) -> Staleness {
        Staleness(Duration::from_secs(self.settings().max_staleness_s.into()))
    }

    /// The policies as written.
    pub fn policies(&self) -> &[PolicyText] {
        &self.compiled.source.policies
    }

    /// The grants as written.
    pub fn grants(&self) -> &[Grant] {
        &self.compiled.source.grants
    }

    /// The resource with this id.
    pub fn resource(&self, id: ResourceId) -> Option<&Arc<Resource>> {
        self.places.placed(id).map(|placed| &placed.resource)
    }

    /// The resource with this name.
    pub fn resource_by_name(&self, name: &Name) -> Option<&Arc<Resource>> {
        self.places.placed_by_name(name).map(|placed| &placed.resource)
    }

    /// The resource that a client asked for.
    pub fn asked(&self, asked: &Asked) -> Option<&Arc<Resource>> {
        match asked {
            Asked::Id(id) => self.resource(*id),
            Asked::Name(name) => self.resource_by_name(name),
        }
    }

    /// Every resource, by name.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.places.all().map(|placed| &placed.resource)
    }

    /// How the paths of requests for a resource are read: never [`PathReading::Auto`]. It is strict where a public path, or
    /// a rule that can apply there, asks for the path, or the path says which application is asked; elsewhere an
    /// application may have paths as odd as it likes.
    pub fn path_reading(&self, resource: &Resource) -> PathReading {
        let web = resource.web.as_deref();
        let asked = || match self.places.placed(resource.id) {
            Some(placed) => {
                self.places.split.contains(&resource.id)
                    || self.compiled.index.asks_path([&placed.uid, &placed.site])
            }
            None => true,
        };
        match web.map_or(PathReading::Auto, |web| web.paths) {
            PathReading::Auto if web.is_some_and(|web| !web.public.is_empty()) || asked() => {
                PathReading::Strict
            }
            PathReading::Auto => PathReading::Verbatim,
            chosen @ (PathReading::Strict | PathReading::StrictOpaqueSlash | PathReading::Verbatim) => chosen,
        }
    }

    /// The site with this id.
    pub fn site(&self, id: SiteId) -> Option<&Arc<Site>> {
        self.places.sites.get(&id)
    }

    /// Every site.
    pub fn sites(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.places.source.sites.iter()
    }

    /// The connector with this id, revoked or not.
    pub fn connector(&self, id: ConnectorId) -> Option<&Arc<Connector>> {
        self.places.connectors.get(&id)
    }

    /// The active connectors of a site.
    pub fn connectors_of(&self, site: SiteId) -> impl Iterator<Item = &Arc<Connector>> {
        self.places.connectors_of(site)
    }

    /// Whether this connector is active and of the resource's own site (D11).
    pub fn may_serve(&self, connector: ConnectorId, resource: ResourceId) -> bool {
        let (Some(connector), Some(resource)) = (self.connector(connector), self.resource(resource)) else {
            return false;
        };
        connector.state == ConnectorState::Active && connector.site == resource.site
    }

    /// The group with this id.
    pub fn group(&self, id: GroupId) -> Option<&Arc<Group>> {
        self.places.groups.group(id)
    }

    /// Every group.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.places.groups.iter()
    }

    /// These groups and all that they inherit from.
    pub fn with_inherited(&self, direct: &[GroupId]) -> BTreeSet<GroupId> {
        self.places.groups.with_inherited(direct)
    }

    /// Whether this user was disabled.
    pub fn is_disabled(&self, user: UserId) -> bool {
        self.revoked.disabled_users.contains(&user)
    }

    /// Whether this sign-in was ended.
    pub fn has_ended(&self, sign_in: SignInId) -> bool {
        self.revoked.ended_sign_ins.contains(&sign_in)
    }

    /// Whether this token was revoked.
    pub fn is_revoked(&self, token: TokenId) -> bool {
        self.revoked.revoked_tokens.contains(&token)
    }

    /// How a person ended this session, if one did.
    pub fn ended_session(&self, session: SessionId) -> Option<Ended> {
        self.revoked.ended_sessions.get(&session).copied()
    }

    /// Whether every right of this principal is suspended.
    pub fn disables(&self, principal: PrincipalId) -> bool {
        match principal {
            PrincipalId::User(id) => self.is_disabled(id),
            PrincipalId::ServiceAccount(id) => self.revoked.disabled_service_accounts.contains(&id),
            PrincipalId::Anonymous => false,
        }
    }

    pub(crate) fn ends(&self, credential: &Credential) -> bool {
        match credential {
            Credential::SignIn(sign_in) => self.has_ended(sign_in.id),
            Credential::Token(token) => self.is_revoked(token.id),
            Credential::None => false,
        }
    }
}
