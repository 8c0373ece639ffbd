//! Which application a host and path belong to: an index of the snapshot, rebuilt when the places change.

use arc_swap::ArcSwap;
use postern_canonical::{CanonicalPath, EncodedSlash, Host};
use postern_policy::{
    Snapshot,
    model::{Resource, ResourceKind},
};
use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The hosts that the installation has.
#[derive(Debug)]
pub struct Hosts {
    /// Where applications lie that have no host of their own.
    apps_domain: Option<Box<str>>,
    /// The port that browsers use, where it is not 443.
    port: Option<u16>,
    index: ArcSwap<Index>,
}

/// What a host leads to.
#[derive(Debug, Clone)]
pub enum Found {
    /// An application.
    App(App),
    /// A name that an application had: its main host.
    Moved(Box<str>),
    /// A host of applications where none has this path, or none has this name.
    Nothing,
}

/// One application at one of its hosts.
#[derive(Debug, Clone)]
pub struct App {
    /// What it is.
    pub resource: Arc<Resource>,
    /// The host as browsers write it, with the port where one is needed.
    pub authority: Arc<str>,
    /// The hosts that a person is handed over to together with this one, as authorities.
    pub also: Arc<[Box<str>]>,
    /// Tells apart where it is and how it is spoken to: a session's connections are for one of these.
    pub way: u64,
}

#[derive(Debug, Default)]
struct Index {
    revision: u64,
    /// By name; the longest path first.
    apps: HashMap<Box<str>, Vec<App>>,
    moved: HashMap<Box<str>, Box<str>>,
}

impl Hosts {
    /// An empty index. `port` is that of the public URL.
    pub fn new(apps_domain: Option<&str>, port: Option<u16>) -> Self {
        let apps_domain = apps_domain.map(Into::into);
        Self { apps_domain, port: port.filter(|port| *port != 443), index: ArcSwap::default() }
    }

    /// What `host` leads to at `path`; none if it is no host of applications.
    pub fn find(&self, host: &Host, path: &str) -> Option<Found> {
        let index = self.index.load();
        if let Some(apps) = index.apps.get(host.name()) {
            return Some(at_path(apps, path).map_or(Found::Nothing, |app| Found::App(app.clone())));
        }
        if let Some(main) = index.moved.get(host.name()) {
            return Some(Found::Moved(main.clone()));
        }
        self.is_in_domain(host.name()).then_some(Found::Nothing)
    }

    /// Whether a certificate may be made for this name.
    pub fn publishes(&self, name: &str) -> bool {
        let index = self.index.load();
        index.apps.contains_key(name) || index.moved.contains_key(name)
    }

    /// Follows a new snapshot.
    pub fn follow(&self, snapshot: &Snapshot) -> &Self {
        if self.index.load().revision != snapshot.revision() {
            self.index.store(Arc::new(self.read(snapshot)));
        }
        self
    }

    fn is_in_domain(&self, name: &str) -> bool {
        let Some(domain) = self.apps_domain.as_deref() else { return false };
        name == domain || name.strip_suffix(domain).is_some_and(|front| front.ends_with('.'))
    }

    fn read(&self, snapshot: &Snapshot) -> Index {
        let mut index = Index { revision: snapshot.revision(), ..Index::default() };
        for resource in snapshot.resources().filter(|resource| resource.kind == ResourceKind::Http) {
            self.place(&mut index, snapshot, resource);
        }
        for apps in index.apps.values_mut() {
            apps.sort_by_key(|app| {
                std::cmp::Reverse(app.resource.web.as_ref().map_or(0, |web| web.path.len()))
            });
        }
        // A name in use is never a former one.
        let Index { apps, moved, .. } = &mut index;
        moved.retain(|name, _| !apps.contains_key(name));
        index
    }

    fn place(&self, index: &mut Index, snapshot: &Snapshot, resource: &Arc<Resource>) {
        let names = self.names(resource);
        let also: Arc<[Box<str>]> = self.companions(snapshot, resource, &names).into();
        let way = way(resource);
        for name in &names {
            let app = App {
                resource: Arc::clone(resource),
                authority: (&*self.authority(name)).into(),
                also: Arc::clone(&also),
                way,
            };
            index.apps.entry(name.clone()).or_default().push(app);
        }
        let former = resource.web.iter().flat_map(|web| &web.former_hosts);
        for (former, main) in former.zip(names.first().into_iter().cycle()) {
            index.moved.insert((&**former).into(), self.authority(main));
        }
    }

    /// The names of an application; the first is the main one.
    fn names(&self, resource: &Resource) -> Vec<Box<str>> {
        let own: Vec<Box<str>> =
            resource.web.iter().flat_map(|web| &web.hosts).map(|host| (&**host).into()).collect();
        match (&self.apps_domain, own.is_empty()) {
            (Some(domain), true) => vec![format!("{}.{domain}", resource.name).into()],
            (_, _) => own,
        }
    }

    fn companions(&self, snapshot: &Snapshot, resource: &Resource, names: &[Box<str>]) -> Vec<Box<str>> {
        let others = resource.web.iter().flat_map(|web| &web.sign_in_with);
        let others = others.filter_map(|id| snapshot.resource(*id)).flat_map(|other| self.names(other));
        let mut seen = HashSet::new();
        let all = names.iter().cloned().chain(others).filter(|name| seen.insert(name.clone()));
        all.map(|name| self.authority(&name)).collect()
    }

    fn authority(&self, name: &str) -> Box<str> {
        match self.port {
            Some(port) => format!("{name}:{port}").into(),
            None => name.into(),
        }
    }
}

fn way(resource: &Resource) -> u64 {
    let mut way = DefaultHasher::new();
    let upstream = resource.web.as_ref().map(|web| &web.upstream);
    (&resource.target, resource.site, format!("{upstream:?}")).hash(&mut way);
    way.finish()
}

/// The application that a path belongs to. Where escapes would make it another's, it is nobody's: the part of a host that
/// is decided more strictly must not be reached through its neighbour (H13).
fn at_path<'a>(apps: &'a [App], path: &str) -> Option<&'a App> {
    let part = |app: &'a App| app.resource.web.as_ref().map_or("", |web| &*web.path);
    let owner = |path: &str| apps.iter().find(|app| is_below(path, part(app)));
    let asked = owner(path)?;
    let is_split = apps.iter().any(|app| !part(app).is_empty());
    let read = CanonicalPath::read(path, EncodedSlash::Opaque).ok().filter(|_| is_split);
    let same = |read: CanonicalPath| {
        owner(read.as_str()).is_some_and(|owner| owner.resource.id == asked.resource.id)
    };
    read.is_none_or(same).then_some(asked)
}

/// By whole segments.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use postern_ids::{ResourceId, SiteId};
    use postern_policy::model::Web;

    #[test]
    fn a_prefix_covers_whole_segments_only() {
        assert!(is_below("/api", "/api") && is_below("/api/x", "/api") && is_below("/anything", ""));
        assert!(!is_below("/apix", "/api") && !is_below("/", "/api"));
    }

    fn app(n: u8, path: &str) -> App {
        let web = Web { path: path.into(), ..Web::default() };
        let resource = Resource {
            id: ResourceId::from_bytes([n; 16]),
            name: format!("app-{n}").parse().unwrap(),
            site: SiteId::from_bytes([0; 16]),
            kind: ResourceKind::Http,
            target: "10.0.0.5:80".parse().unwrap(),
            labels: Default::default(),
            host_keys: Vec::new(),
            web: Some(Arc::new(web)),
        };
        App { resource: Arc::new(resource), authority: "www.example".into(), also: Arc::default(), way: 0 }
    }

    #[test]
    fn h13_no_escape_leads_to_the_neighbour_of_the_application_that_a_path_belongs_to() {
        let apps = [app(1, "/api"), app(2, "")];
        let owner = |path: &str| at_path(&apps, path).map(|app| app.resource.name.to_string());
        for (path, expected) in [
            ("/api/x", Some("app-1")),
            ("/api", Some("app-1")),
            ("/api/%61", Some("app-1")),
            ("/", Some("app-2")),
            ("/apix", Some("app-2")),
            ("/%62/x", Some("app-2")),
            ("/%61pi/x", None),
            ("/ap%69", None),
        ] {
            assert_eq!(owner(path).as_deref(), expected, "{path}");
        }
        let whole = [app(2, "")];
        assert!(at_path(&whole, "/%61pi/../x").is_some(), "a host that is not split takes every path");
    }

    #[test]
    fn h07_a_name_inside_the_domain_of_apps_is_never_a_host_of_ours() {
        let hosts = Hosts::new(Some("apps.example.com"), Some(443));
        let find = |name: &str| name.parse().ok().and_then(|host| hosts.find(&host, "/"));
        assert!(matches!(find("unknown.apps.example.com"), Some(Found::Nothing)));
        assert!(matches!(find("a.b.apps.example.com"), Some(Found::Nothing)));
        assert!(matches!(find("apps.example.com"), Some(Found::Nothing)));
        assert!(find("evilapps.example.com").is_none());
        assert!(find("gate.example.com").is_none());
    }
}
