//! The plan: the world as it is, the world as the documents want it, and what differs.

use super::{
    super::world::{Table, World},
    diff,
    resolve::{self, Mistake},
    secrets::Secrets,
    web,
};
use crate::problem::Failure;
use postern_api::{Change, ChangeKind, Document, FieldDiff, ObjectKind, Plan, ResourceDocument};
use postern_ids::{
    GrantId, GroupId, Name, PolicyId, ResourceId, ServiceAccountId, SiteId, Timestamp, UserId,
};
use postern_policy::model::{
    Grant, Group, PolicyText, PrincipalId, Resource, ResourceKind, Selector, Site, Threshold,
};
use postern_store::{Object, ServiceAccount, Stored, User, Version};
use std::collections::{BTreeSet, HashMap};

/// A plan that can be shown or written.
pub(super) struct Planned {
    pub(super) before: World,
    pub(super) after: World,
    pub(super) secrets: Secrets,
    /// In the order in which they are made.
    pub(super) changes: Vec<Change>,
    pub(super) unchanged: u32,
}

impl Planned {
    /// The plan in the words of the API.
    pub(super) fn shown(&self, applied: bool) -> Plan {
        Plan {
            applied,
            revision: self.before.revision,
            changes: self.changes.clone(),
            unchanged: self.unchanged,
        }
    }
}

/// Plans; every mistake is reported at once.
pub(super) fn plan(
    before: World,
    documents: &[Document],
    secrets: Secrets,
    now: Timestamp,
) -> Result<Planned, Failure> {
    let mut mistakes = twice(documents);
    let mut after = before.clone();
    announce(&mut after, documents, now);
    for document in in_order(documents) {
        if let Err(mistake) = place(&mut after, document, now) {
            mistakes.push(format!("{} {}: {mistake}", document.kind(), document.name()));
        }
    }
    if !mistakes.is_empty() {
        return Err(
            Failure::invalid("the documents have mistakes, so nothing was changed").with_errors(mistakes)
        );
    }
    let changes = changes(&before, &after, documents, &secrets);
    let unchanged = u32::try_from(documents.len().saturating_sub(changes.len())).unwrap_or(u32::MAX);
    Ok(Planned { before, after, secrets, changes, unchanged })
}

/// Groups and applications may name each other in any order, and in a circle: they all exist before any is resolved.
fn announce(world: &mut World, documents: &[Document], now: Timestamp) {
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

fn twice(documents: &[Document]) -> Vec<Mistake> {
    let mut seen = BTreeSet::new();
    let again = documents.iter().filter(|document| !seen.insert((document.kind(), document.name())));
    again.map(|document| format!("{} {} is named twice", document.kind(), document.name())).collect()
}

/// What others refer to comes first; what disappears goes last, in the opposite order.
fn in_order(documents: &[Document]) -> Vec<&Document> {
    let mut ordered: Vec<&Document> = documents.iter().collect();
    ordered.sort_by_key(|document| {
        let place = ObjectKind::ALL.iter().position(|kind| *kind == document.kind()).unwrap_or(0);
        let gone = matches!(document, Document::Absent(_));
        (gone, if gone { ObjectKind::ALL.len() - place } else { place })
    });
    ordered
}

/// Puts one document into the world.
fn place(world: &mut World, document: &Document, now: Timestamp) -> Result<(), Mistake> {
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
        Document::Group(group) => {
            let parents = resolve::groups(world, &group.parents)?.into_iter().collect();
            let id = GroupId::mint(now, rand::random());
            let value = Group { id, name: group.name.clone(), parents };
            put(&mut world.groups, value, |before, new| Group { id: before.id, ..new });
        }
        Document::Provider(provider) => {
            let value = resolve::provider(world, provider)?;
            put(&mut world.providers, value, |_, new| new);
        }
        Document::User(_) => place_user(world, document, now)?,
        Document::ServiceAccount(_) => place_account(world, document, now)?,
        Document::Resource(resource) => {
            let known = world.resources.get(&resource.name).map(|stored| stored.value.clone());
            let before = known.map_or_else(|| bare(resource, now), Ok)?;
            let placed = resolve::resource(world, resource, before)?;
            let value = Resource { web: web::published(world, resource)?, ..placed };
            put(&mut world.resources, value, |_, new| new);
        }
        Document::Grant(grant) => {
            let new = Grant {
                id: GrantId::mint(now, rand::random()),
                name: grant.name.clone(),
                subjects: Vec::new(),
                resources: Selector::All,
                actions: Vec::new(),
                conditions: Default::default(),
                expires_at: None,
                outage: Default::default(),
            };
            let before = world.grants.get(&grant.name).map_or(new, |stored| stored.value.clone());
            let value = resolve::grant(world, grant, before)?;
            put(&mut world.grants, value, |_, new| new);
        }
        Document::Policy(policy) => {
            let value = PolicyText {
                id: PolicyId::mint(now, rand::random()),
                name: policy.name.clone(),
                text: resolve::policy_text(world, &policy.text),
                outage: resolve::outage(policy.outage),
            };
            put(&mut world.policies, value, |before, new| PolicyText { id: before.id, ..new });
        }
        Document::Absent(absent) => remove(world, absent.object, &absent.name),
    }
    Ok(())
}

fn place_user(world: &mut World, document: &Document, now: Timestamp) -> Result<(), Mistake> {
    let Document::User(document) = document else { return Ok(()) };
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

fn place_account(world: &mut World, document: &Document, now: Timestamp) -> Result<(), Mistake> {
    let Document::ServiceAccount(document) = document else { return Ok(()) };
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

fn changes(before: &World, after: &World, documents: &[Document], secrets: &Secrets) -> Vec<Change> {
    let mut tables = HashMap::new();
    let mut changes = Vec::new();
    for document in in_order(documents) {
        let (kind, name) = (document.kind(), document.name());
        let (old, new) = tables.entry(kind).or_insert_with(|| (by_name(before, kind), by_name(after, kind)));
        let (old, new) = (old.get(name), new.get(name));
        let mut fields = diff::fields(old, new);
        if let Some(field) = secrets.changed(kind, name) {
            let after = "(changed)".into();
            fields.push(FieldDiff { field: field.to_owned(), before: serde_json::Value::Null, after });
        }
        let change = match (old, new) {
            (None, None) => continue,
            (None, Some(_)) => ChangeKind::Create,
            (Some(_), None) => ChangeKind::Delete,
            (Some(_), Some(_)) if fields.is_empty() => continue,
            (Some(_), Some(_)) => ChangeKind::Update,
        };
        changes.push(Change { change, object: kind, name: name.clone(), fields });
    }
    changes
}

fn by_name(world: &World, kind: ObjectKind) -> HashMap<Name, Document> {
    let documents = world.documents(kind).into_iter();
    documents.map(|(_, _, document)| (document.name().clone(), document)).collect()
}
