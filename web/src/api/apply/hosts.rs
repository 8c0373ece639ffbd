//! Which host and path belong to which application: each to one, and none to the console. Only what a change touches is
//! complained about: a stored mistake must not stand in the way of everything else.

use super::{
    super::{web, world::World},
    resolve::Mistake,
};
use crate::WebConfig;
use postern_api::{Change, ObjectKind};
use postern_ids::{Name, ResourceId};
use postern_policy::model::{PathReading, Resource, ResourceKind, Web};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Hosts that a person is handed over to in one chain: browsers follow twenty redirects, and each host takes two.
const CHAIN_MAX: usize = 8;

/// What is wrong with the applications among these changes.
pub(super) fn mistakes(world: &World, changes: &[Change], config: &WebConfig) -> Vec<Mistake> {
    let changed: BTreeSet<&Name> = changes
        .iter()
        .filter(|change| change.object == ObjectKind::Resource)
        .map(|change| &change.name)
        .collect();
    if changed.is_empty() {
        return Vec::new();
    }
    let scene = Scene { world, config, changed, by_id: by_id(world) };
    let mut mistakes = scene.shared();
    for resource in scene.applications().filter(|resource| scene.changed.contains(&resource.name)) {
        let Some(published) = &resource.web else { continue };
        let found = [scene.named(resource), scene.apart(resource), scene.together(resource, published)];
        let said = found.into_iter().filter_map(Result::err);
        mistakes.extend(said.map(|mistake| format!("resource {}: {mistake}", resource.name)));
    }
    mistakes
}

struct Scene<'a> {
    world: &'a World,
    config: &'a WebConfig,
    changed: BTreeSet<&'a Name>,
    by_id: HashMap<ResourceId, &'a Resource>,
}

/// The application at each host and path.
type Owners<'a> = BTreeMap<(String, &'a str), &'a Resource>;

/// Two applications that cannot both be as they are.
struct Clash<'a> {
    one: &'a Resource,
    other: &'a Resource,
    what: String,
}

impl Clash<'_> {
    fn told(self) -> Mistake {
        format!("resources {} and {} {}", self.other.name, self.one.name, self.what)
    }
}

fn by_id(world: &World) -> HashMap<ResourceId, &Resource> {
    world.resources.values().map(|stored| (stored.value.id, &stored.value)).collect()
}

impl<'a> Scene<'a> {
    fn applications(&self) -> impl Iterator<Item = &'a Resource> {
        let resources = self.world.resources.values().map(|stored| &stored.value);
        resources.filter(|resource| resource.kind == ResourceKind::Http)
    }

    fn hosts(&self, resource: &Resource) -> Vec<String> {
        web::hosts(resource, self.config.apps_domain.as_deref())
    }

    /// A host may be shared, its paths may not; and a former name belongs to one application only, that is nobody's now.
    fn shared(&self) -> Vec<Mistake> {
        let (owners, mut clashes) = self.owners();
        clashes.extend(verbatim(&owners));
        clashes.extend(self.former(&owners));
        let is_of_change =
            |clash: &Clash<'_>| [clash.one, clash.other].iter().any(|r| self.changed.contains(&r.name));
        clashes.into_iter().filter(is_of_change).map(Clash::told).collect()
    }

    /// Whose each host with its path is; and who else wants it.
    fn owners(&self) -> (Owners<'a>, Vec<Clash<'a>>) {
        let (mut owners, mut clashes) = (Owners::new(), Vec::new());
        for one in self.applications() {
            let path = one.web.as_ref().map_or("", |web| &*web.path);
            for host in self.hosts(one) {
                let what = format!("would both be {host}{path}: give one another host or path");
                if let Some(other) = owners.insert((host, path), one) {
                    clashes.push(Clash { one, other, what });
                }
            }
        }
        (owners, clashes)
    }

    /// Former names that somebody has, or had as well.
    fn former(&self, owners: &Owners<'a>) -> Vec<Clash<'a>> {
        let (mut former, mut clashes) = (BTreeMap::<&str, &Resource>::new(), Vec::new());
        for one in self.applications() {
            for name in one.web.iter().flat_map(|web| &web.former_hosts) {
                let in_use = owners.iter().find(|((host, _), _)| **host == **name).map(|(_, owner)| *owner);
                if let Some(other) = in_use.or_else(|| former.insert(name, one)) {
                    let what = format!("would both answer for {name}: take it out of web.former_hosts");
                    clashes.push(Clash { one, other, what });
                }
            }
        }
        clashes
    }

    /// It has a name that a browser can ask for.
    fn named(&self, resource: &Resource) -> Result<(), Mistake> {
        let hosts = self.hosts(resource);
        let Some(main) = hosts.first() else {
            return Err("web: it would have no name: list web.hosts, or set apps_domain in the gateway's \
                        configuration"
                .to_owned());
        };
        match main.parse::<postern_canonical::Host>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("web: {main:?} is no host name: list web.hosts")),
        }
    }

    /// It is not where the console is (C3).
    fn apart(&self, resource: &Resource) -> Result<(), Mistake> {
        let consoles = std::iter::once(&self.config.issuer).chain(&self.config.gateways);
        let consoles: Vec<String> =
            consoles.filter_map(|url| Some(url::Url::parse(url).ok()?.host_str()?.to_owned())).collect();
        let former = resource.web.iter().flat_map(|web| &web.former_hosts).map(ToString::to_string);
        match self.hosts(resource).into_iter().chain(former).find(|host| consoles.contains(host)) {
            Some(host) => {
                Err(format!("web: {host} is the gateway's own: an application there could pass for it"))
            }
            None => Ok(()),
        }
    }

    /// What it is signed in with are applications, few enough for one chain of redirects.
    fn together(&self, resource: &Resource, published: &Web) -> Result<(), Mistake> {
        let mut hosts: BTreeSet<String> = self.hosts(resource).into_iter().collect();
        for other in published.sign_in_with.iter().filter_map(|id| self.by_id.get(id)) {
            if other.kind != ResourceKind::Http {
                return Err(format!("web.sign_in_with: {} is no web application", other.name));
            }
            hosts.extend(self.hosts(other));
        }
        if hosts.len() > CHAIN_MAX {
            return Err(format!(
                "web: signing in would lead over {} hosts, browsers follow to at most {CHAIN_MAX}",
                hosts.len()
            ));
        }
        Ok(())
    }
}

/// Who shares a host with an application whose paths nobody reads.
fn verbatim<'a>(owners: &Owners<'a>) -> Vec<Clash<'a>> {
    let is_verbatim = |one: &Resource| one.web.as_ref().is_some_and(|web| web.paths == PathReading::Verbatim);
    let mut clashes = Vec::new();
    for (((host, _), &one), ((next, _), &other)) in owners.iter().zip(owners.iter().skip(1)) {
        let verbatim = [one, other].into_iter().find(|resource| is_verbatim(resource));
        if host == next
            && let Some(verbatim) = verbatim
        {
            let what = format!("share {host}, so the paths of {} cannot be verbatim", verbatim.name);
            clashes.push(Clash { one, other, what });
        }
    }
    clashes
}
