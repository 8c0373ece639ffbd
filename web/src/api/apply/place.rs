//! Puts documents into a world: each in the place of the object of its name, which keeps its id.

use super::{
    super::world::{Table, World},
    resolve::{self, Mistake},
    web,
};
use postern_api::{
    Document, GrantDocument, GroupDocument, ObjectKind, PolicyDocument, ResourceDocument,
    ServiceAccountDocument, UserDocument,
};
use postern_ids::{
    GrantId, GroupId, Name, PolicyId, ResourceId, ServiceAccountId, SiteId, Timestamp, UserId,
};
use postern_policy::model::{
    Grant, Group, PolicyText, PrincipalId, Resource, ResourceKind, Selector, Site, Threshold,
};
use postern_store::{Object, ServiceAccount, Stored, User, Version};

/// Groups and applications may name each other in any order, and in a circle: they all exist before any is resolved.
pub(super) fn announce(world: &mut World, documents: &[Document], now: Timestamp) {
    for document in documents {
        if let Document::Group(group) = document {
            let id = GroupId::mint(now, rand::random());
            let bare = Group { id, name: group.name.clone(), parents: Vec::new() };
            put(&mut world.groups, bare, |before, _| before.clone());
        }
        if let Document::Resource(resource) = document
            && let Ok(bare) = bare(resource, now)
        {
            put(&mut world.resources, bare, |before, _| before.clone());
        }
    }
}

/// Puts one document into the world.
pub(super) fn document(world: &mut World, document: &Document, now: Timestamp) -> Result<(), Mistake> {
    match document {
        Document::Site(site) => {
            let value = Site { id: SiteId::mint(now, rand::random()), name: site.name.clone() };
            put(&mut world.sites, value, |before, _| before.clone());
        }
        Document::Window(window) => put(&mut world.windows, resolve::window(window), |_, new| new),
        Document::Threshold(threshold) => {
            let value = Threshold { name: threshold.name.clone(), seconds: threshold.seconds };
            put(&mut world.thresholds, value, |_, new| new);
        }
        Document::Group(document) => group(world, document, now)?,
        Document::Provider(provider) => {
            let value = resolve::provider(world, provider)?;
            put(&mut world.providers, value, |_, new| new);
        }
        Document::User(document) => user(world, document, now)?,
        Document::ServiceAccount(document) => service_account(world, document, now)?,
        Document::Resource(document) => resource(world, document, now)?,
        Document::Grant(document) => grant(world, document, now)?,
        Document::Policy(document) => policy(world, document, now),
        Document::Absent(absent) => remove(world, absent.object, &absent.name),
    }
    Ok(())
}

fn group(world: &mut World, document: &GroupDocument, now: Timestamp) -> Result<(), Mistake> {
    let parents = resolve::groups(world, &document.parents)?.into_iter().collect();
    let value = Group { id: GroupId::mint(now, rand::random()), name: document.name.clone(), parents };
    put(&mut world.groups, value, |before, new| Group { id: before.id, ..new });
    Ok(())
}

fn user(world: &mut World, document: &UserDocument, now: Timestamp) -> Result<(), Mistake> {
    let before = world.users.get(&document.name).map(|stored| stored.value.clone());
    let groups = resolve::groups_of_user(world, document, before.as_ref())?;
    let before = resolve::identity(world, document, before, UserId::mint(now, rand::random()))?;
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let value = User {
        display_name: text(&document.display_name),
        email: text(&document.email).or_else(|| before.email.clone().filter(|_| document.provider.is_some())),
        disabled: document.disabled,
        ..before
    };
    world.groups_of.insert(PrincipalId::User(value.id), groups);
    put(&mut world.users, value, |_, new| new);
    Ok(())
}

fn service_account(
    world: &mut World,
    document: &ServiceAccountDocument,
    now: Timestamp,
) -> Result<(), Mistake> {
    let groups = resolve::groups(world, &document.groups)?;
    let id = world
        .accounts
        .get(&document.name)
        .map_or_else(|| ServiceAccountId::mint(now, rand::random()), |stored| stored.value.id);
    let value = ServiceAccount {
        id,
        name: document.name.clone(),
        note: document.note.clone(),
        disabled: document.disabled,
    };
    world.groups_of.insert(PrincipalId::ServiceAccount(id), groups);
    put(&mut world.accounts, value, |_, new| new);
    Ok(())
}

fn resource(world: &mut World, document: &ResourceDocument, now: Timestamp) -> Result<(), Mistake> {
    let known = world.resources.get(&document.name).map(|stored| stored.value.clone());
    let before = known.map_or_else(|| bare(document, now), Ok)?;
    let placed = resolve::resource(world, document, before)?;
    let value = Resource { web: web::published(world, document)?, ..placed };
    put(&mut world.resources, value, |_, new| new);
    Ok(())
}

/// A resource of which nothing is known but what it is called and where it is.
fn bare(resource: &ResourceDocument, now: Timestamp) -> Result<Resource, Mistake> {
    Ok(Resource {
        id: ResourceId::mint(now, rand::random()),
        name: resource.name.clone(),
        site: SiteId::from_bytes([0; 16]),
        kind: ResourceKind::Tcp,
        target: resource.target.parse().map_err(|why| format!("target: {why}"))?,
        labels: Default::default(),
        host_keys: Vec::new(),
        web: None,
    })
}

fn grant(world: &mut World, document: &GrantDocument, now: Timestamp) -> Result<(), Mistake> {
    let new = Grant {
        id: GrantId::mint(now, rand::random()),
        name: document.name.clone(),
        subjects: Vec::new(),
        resources: Selector::All,
        actions: Vec::new(),
        conditions: Default::default(),
        expires_at: None,
        outage: Default::default(),
    };
    let before = world.grants.get(&document.name).map_or(new, |stored| stored.value.clone());
    let value = resolve::grant(world, document, before)?;
    put(&mut world.grants, value, |_, new| new);
    Ok(())
}

fn policy(world: &mut World, document: &PolicyDocument, now: Timestamp) {
    let value = PolicyText {
        id: PolicyId::mint(now, rand::random()),
        name: document.name.clone(),
        text: resolve::policy_text(world, &document.text),
        outage: resolve::outage(document.outage),
    };
    put(&mut world.policies, value, |before, new| PolicyText { id: before.id, ..new });
}

/// Puts an object in the place of the one with its name, which keeps what `merge` takes from it.
fn put<T: Object>(table: &mut Table<T>, value: T, merge: impl FnOnce(&T, T) -> T) {
    let name = value.name().clone();
    match table.get_mut(&name) {
        Some(stored) => stored.value = merge(&stored.value, value),
        None => {
            let never = Timestamp::EPOCH;
            let stored = Stored { value, version: Version(0), created_at: never, updated_at: never };
            table.insert(name, stored);
        }
    }
}

fn remove(world: &mut World, kind: ObjectKind, name: &Name) {
    match kind {
        ObjectKind::Site => drop(world.sites.remove(name)),
        ObjectKind::Window => drop(world.windows.remove(name)),
        ObjectKind::Threshold => drop(world.thresholds.remove(name)),
        ObjectKind::Group => drop(world.groups.remove(name)),
        ObjectKind::Provider => drop(world.providers.remove(name)),
        ObjectKind::User => drop(world.users.remove(name)),
        ObjectKind::ServiceAccount => drop(world.accounts.remove(name)),
        ObjectKind::Resource => drop(world.resources.remove(name)),
        ObjectKind::Grant => drop(world.grants.remove(name)),
        ObjectKind::Policy => drop(world.policies.remove(name)),
    }
}
