//! What can be reached, indexed, with the Cedar entity of each resource made once.

use crate::{
    error::SnapshotError,
    groups::GroupTree,
    model::{Connector, ConnectorState, Resource, Site},
    rules::schema::{kind_uid, resource_uid, site_uid},
    source::Places,
    split::split,
};
use cedar_policy::{Entity, EntityUid, RestrictedExpression};
use postern_ids::{ConnectorId, Name, ResourceId, SiteId};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// A resource with its Cedar entity.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) resource: Arc<Resource>,
    pub(crate) uid: EntityUid,
    pub(crate) site: EntityUid,
    pub(crate) entity: Entity,
}

/// The indexed part of a snapshot.
#[derive(Debug)]
pub(crate) struct PlaceIndex {
    pub(crate) source: Arc<Places>,
    pub(crate) groups: Arc<GroupTree>,
    pub(crate) sites: HashMap<SiteId, Arc<Site>>,
    pub(crate) connectors: HashMap<ConnectorId, Arc<Connector>>,
    resources: HashMap<ResourceId, Arc<Placed>>,
    names: BTreeMap<Name, ResourceId>,
    by_site: HashMap<SiteId, Vec<ConnectorId>>,
    /// Applications whose hosts are divided by paths.
    pub(crate) split: HashSet<ResourceId>,
}

impl PlaceIndex {
    /// Indexes everything, sharing what is the same in `earlier`: a resource that did not change keeps its identity.
    pub(crate) fn new(source: &Arc<Places>, earlier: Option<&Self>) -> Result<Self, SnapshotError> {
        let groups = match earlier {
            Some(earlier) if earlier.groups.is_of(&source.groups) => earlier.groups.clone(),
            _ => Arc::new(GroupTree::new(&source.groups)?),
        };
        let mut index = Self {
            groups,
            sites: source.sites.iter().map(|site| (site.id, site.clone())).collect(),
            connectors: source.connectors.iter().map(|connector| (connector.id, connector.clone())).collect(),
            resources: HashMap::with_capacity(source.resources.len()),
            names: BTreeMap::new(),
            by_site: HashMap::new(),
            split: split(&source.resources),
            source: source.clone(),
        };
        for connector in
            source.connectors.iter().filter(|connector| connector.state == ConnectorState::Active)
        {
            index.by_site.entry(connector.site).or_default().push(connector.id);
        }
        for resource in &source.resources {
            let kept = earlier.and_then(|earlier| earlier.resources.get(&resource.id));
            index.place(resource, kept.filter(|kept| kept.resource == *resource))?;
        }
        Ok(index)
    }

    pub(crate) fn placed(&self, id: ResourceId) -> Option<&Arc<Placed>> {
        self.resources.get(&id)
    }

    pub(crate) fn placed_by_name(&self, name: &Name) -> Option<&Arc<Placed>> {
        self.resources.get(self.names.get(name)?)
    }

    /// Every resource, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Placed>> {
        self.names.values().filter_map(|id| self.resources.get(id))
    }

    /// The active connectors of a site.
    pub(crate) fn connectors_of(&self, site: SiteId) -> impl Iterator<Item = &Arc<Connector>> {
        self.by_site.get(&site).into_iter().flatten().filter_map(|id| self.connectors.get(id))
    }

    fn place(&mut self, resource: &Arc<Resource>, kept: Option<&Arc<Placed>>) -> Result<(), SnapshotError> {
        let placed = match kept {
            Some(kept) => kept.clone(),
            None => Arc::new(Placed::new(resource)?),
        };
        let duplicate = |name: String| Err(SnapshotError::Duplicate { kind: "resources", name });
        if self.names.insert(resource.name.clone(), resource.id).is_some() {
            return duplicate(resource.name.to_string());
        }
        if self.resources.insert(resource.id, placed).is_some() {
            return duplicate(resource.id.to_string());
        }
        Ok(())
    }
}

impl Placed {
    pub(crate) fn new(resource: &Arc<Resource>) -> Result<Self, SnapshotError> {
        let (uid, site) = (resource_uid(resource.id), site_uid(resource.site));
        let kind = RestrictedExpression::new_entity_uid(kind_uid(resource.kind));
        let tags = resource.labels.iter().map(|(key, value)| {
            (key.as_str().to_owned(), RestrictedExpression::new_string(value.as_str().to_owned()))
        });
        let entity = Entity::new_with_tags(uid.clone(), [("kind".to_owned(), kind)], [site.clone()], tags)
            .map_err(|e| SnapshotError::Internal(e.to_string()))?;
        Ok(Self { resource: resource.clone(), uid, site, entity })
    }
}
