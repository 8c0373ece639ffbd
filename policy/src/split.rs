//! Applications that have only a part of a host. There the path says which of them is asked, so it must have one reading:
//! else `/x/../api` would reach through one application what the rules of its neighbour guard (H13).

use crate::model::{Resource, ResourceKind};
use postern_ids::ResourceId;
use std::{collections::HashSet, sync::Arc};

/// The applications whose hosts are divided by paths. One without hosts of its own lies below a domain that is not known
/// here: it counts as soon as a divided host begins with its name.
pub(crate) fn split(resources: &[Arc<Resource>]) -> HashSet<ResourceId> {
    let applications = || resources.iter().filter(|resource| resource.kind == ResourceKind::Http);
    let has_part = |resource: &Resource| resource.web.as_ref().is_some_and(|web| !web.path.is_empty());
    let divided: HashSet<&str> = applications()
        .filter(|resource| has_part(resource))
        .flat_map(|resource| own_hosts(resource).iter().map(|host| &**host))
        .collect();
    let beginnings: HashSet<&str> = divided
        .iter()
        .flat_map(|host| host.match_indices('.').filter_map(|(dot, _)| host.get(..dot)))
        .collect();
    let shares = |resource: &Resource| match own_hosts(resource) {
        [] => beginnings.contains(resource.name.as_str()),
        hosts => hosts.iter().any(|host| divided.contains(&**host)),
    };
    applications()
        .filter(|resource| has_part(resource) || shares(resource))
        .map(|resource| resource.id)
        .collect()
}

fn own_hosts(resource: &Resource) -> &[Arc<str>] {
    resource.web.as_ref().map_or(&[], |web| &web.hosts)
}
