//! Whether a world holds together: every reference leads somewhere, and policy can be compiled from it. A stored rule that
//! does not compile would keep every gateway on its last good policy, so it never gets that far.

use super::super::world::World;
use crate::problem::Failure;
use postern_policy::{
    Places, Rules, Snapshot, SnapshotSource,
    model::{Selector, Subject},
};
use postern_store::{Object, Stored};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Checks a world.
pub(super) async fn check(world: World) -> Result<(), Failure> {
    let dangling = dangling(&world);
    if !dangling.is_empty() {
        let said = "something would refer to an object that does not exist, so nothing was changed";
        return Err(Failure::invalid(said).with_errors(dangling));
    }
    // Compiling a thousand rules takes a tenth of a second: not on a thread that carries bytes.
    let built = tokio::task::spawn_blocking(move || Snapshot::build(source(&world)).map(drop)).await;
    match built.map_err(|_| Failure::internal())? {
        Ok(()) => Ok(()),
        Err(why) => Err(Failure::invalid(format!("policy does not compile, so nothing was changed: {why}"))),
    }
}

fn dangling(world: &World) -> Vec<String> {
    let mut ids: HashSet<String> = HashSet::new();
    fn add<T: Object>(ids: &mut HashSet<String>, table: &BTreeMap<postern_ids::Name, Stored<T>>) {
        ids.extend(table.values().map(|stored| stored.value.id().to_string()));
    }
    add(&mut ids, &world.sites);
    add(&mut ids, &world.groups);
    add(&mut ids, &world.users);
    add(&mut ids, &world.accounts);
    add(&mut ids, &world.resources);
    let mut mistakes = Vec::new();
    let mut refers = |from: String, to: String| {
        if !ids.contains(&to) {
            mistakes.push(format!("{from} refers to {to}, which would not exist"));
        }
    };
    for group in world.groups.values() {
        for parent in &group.value.parents {
            refers(format!("group {}", group.value.name), parent.to_string());
        }
    }
    for resource in world.resources.values() {
        let from = format!("resource {}", resource.value.name);
        refers(from.clone(), resource.value.site.to_string());
        let web = resource.value.web.iter();
        let named = web.flat_map(|web| {
            let together = web.sign_in_with.iter().map(ToString::to_string);
            together.chain(web.identity.groups.iter().map(ToString::to_string))
        });
        named.for_each(|named| refers(from.clone(), named));
    }
    for grant in world.grants.values() {
        for target in targets(&grant.value.subjects, &grant.value.resources) {
            refers(format!("grant {}", grant.value.name), target);
        }
    }
    mistakes
}

fn targets(subjects: &[Subject], resources: &Selector) -> Vec<String> {
    let subjects = subjects.iter().filter(|subject| **subject != Subject::Everyone).map(ToString::to_string);
    let resources: Vec<String> = match resources {
        Selector::All | Selector::Labels(_) => Vec::new(),
        Selector::Ids(ids) => ids.iter().map(ToString::to_string).collect(),
        Selector::Site(site) => vec![site.to_string()],
    };
    subjects.chain(resources).collect()
}

fn source(world: &World) -> SnapshotSource {
    fn values<T: Object>(table: &BTreeMap<postern_ids::Name, Stored<T>>) -> Vec<T> {
        table.values().map(|stored| stored.value.clone()).collect()
    }
    fn shared<T: Object>(table: &BTreeMap<postern_ids::Name, Stored<T>>) -> Vec<Arc<T>> {
        table.values().map(|stored| Arc::new(stored.value.clone())).collect()
    }
    SnapshotSource {
        revision: world.revision,
        rules: Arc::new(Rules {
            policies: values(&world.policies),
            grants: values(&world.grants),
            windows: values(&world.windows),
            thresholds: values(&world.thresholds),
            settings: world.settings.clone(),
        }),
        places: Arc::new(Places {
            sites: shared(&world.sites),
            resources: shared(&world.resources),
            connectors: Vec::new(),
            groups: shared(&world.groups),
        }),
        revoked: Arc::default(),
    }
}
