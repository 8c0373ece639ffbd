//! From documents, which name each other, to objects, which know each other by id.

use super::super::world::{Table, World};
use postern_api::{
    Action, ConditionsSpec, Day, GrantDocument, OutageSpec, ResourceDocument, ResourceKind, SelectorSpec,
    SubjectSpec, WindowDocument,
};
use postern_ids::{GroupId, Name, ResourceId, ServiceAccountId, SiteId, UserId};
use postern_policy::{
    exchange_entities,
    model::{
        ActionKind, Conditions, Grant, Outage, Resource, ResourceKind as Protocol, Selector, Subject,
        Weekday, Window,
    },
};
use postern_store::{Object, Stored};
use std::collections::BTreeSet;

/// A mistake in a document, in a sentence.
pub(super) type Mistake = String;

/// The object of this name, or the mistake that it does not exist.
pub(super) fn named<'a, T: Object>(table: &'a Table<T>, name: &Name) -> Result<&'a Stored<T>, Mistake> {
    table.get(name).ok_or_else(|| format!("there is no {} {name}", T::KIND))
}

/// The ids of these groups.
pub(super) fn groups(world: &World, names: &[Name]) -> Result<BTreeSet<GroupId>, Mistake> {
    names.iter().map(|name| Ok(named(&world.groups, name)?.value.id)).collect()
}

/// A resource as its document says; host keys stay as they are.
pub(super) fn resource(
    world: &World,
    document: &ResourceDocument,
    before: Resource,
) -> Result<Resource, Mistake> {
    Ok(Resource {
        site: named(&world.sites, &document.site)?.value.id,
        kind: match document.protocol {
            ResourceKind::Http => Protocol::Http,
            ResourceKind::Ssh => Protocol::Ssh,
            ResourceKind::Tcp => Protocol::Tcp,
        },
        target: document.target.parse().map_err(|why| format!("target: {why}"))?,
        labels: document.labels.clone().into_inner(),
        ..before
    })
}

/// A grant as its document says.
pub(super) fn grant(world: &World, document: &GrantDocument, before: Grant) -> Result<Grant, Mistake> {
    if document.subjects.is_empty() || document.actions.is_empty() {
        return Err("a grant needs at least one subject and one action".to_owned());
    }
    let subjects: Result<Vec<Subject>, Mistake> =
        document.subjects.iter().map(|subject| self::subject(world, subject)).collect();
    Ok(Grant {
        subjects: subjects?,
        resources: selector(world, &document.resources)?,
        actions: document.actions.iter().map(|action| self::action(*action)).collect(),
        conditions: conditions(world, &document.conditions)?,
        expires_at: document.expires_at.map(|at| at.0),
        outage: outage(document.outage),
        ..before
    })
}

/// A rule's text as it is stored: people write `Group::"devs"`, the store keeps the id. A name that leads nowhere stays,
/// and the compiler names it with its place.
pub(super) fn policy_text(world: &World, text: &str) -> String {
    fn id<T: Object>(table: &Table<T>, name: &Name) -> Option<String> {
        table.get(name).map(|stored| stored.value.id().to_string())
    }
    exchange_entities(text, |kind, literal| {
        let name: Name = literal.parse().ok().filter(|_| !is_id(literal))?;
        match kind {
            "User" => id(&world.users, &name),
            "Group" => id(&world.groups, &name),
            "ServiceAccount" => id(&world.accounts, &name),
            "Resource" => id(&world.resources, &name),
            "Site" => id(&world.sites, &name),
            _ => None,
        }
    })
}

/// Whether this is an id already: nothing that is called like an id is found in its place.
fn is_id(text: &str) -> bool {
    text.parse::<UserId>().is_ok()
        || text.parse::<GroupId>().is_ok()
        || text.parse::<ServiceAccountId>().is_ok()
        || text.parse::<ResourceId>().is_ok()
        || text.parse::<SiteId>().is_ok()
}

fn action(action: Action) -> ActionKind {
    match action {
        Action::Connect => ActionKind::Connect,
        Action::Http => ActionKind::Http,
    }
}

fn subject(world: &World, subject: &SubjectSpec) -> Result<Subject, Mistake> {
    Ok(match subject {
        SubjectSpec::User(name) => Subject::User(named(&world.users, name)?.value.id),
        SubjectSpec::Group(name) => Subject::Group(named(&world.groups, name)?.value.id),
        SubjectSpec::ServiceAccount(name) => Subject::ServiceAccount(named(&world.accounts, name)?.value.id),
        SubjectSpec::Everyone => Subject::Everyone,
    })
}

fn selector(world: &World, selector: &SelectorSpec) -> Result<Selector, Mistake> {
    Ok(match selector {
        SelectorSpec::All => Selector::All,
        SelectorSpec::Names(names) if names.is_empty() => return Err("resources.names is empty".to_owned()),
        SelectorSpec::Names(names) => {
            let ids: Result<BTreeSet<_>, Mistake> =
                names.iter().map(|name| Ok(named(&world.resources, name)?.value.id)).collect();
            Selector::Ids(ids?.into_iter().collect())
        }
        SelectorSpec::Labels(labels) if labels.is_empty() => {
            return Err("resources.labels is empty: write `all` for every resource".to_owned());
        }
        SelectorSpec::Labels(labels) => Selector::Labels(labels.clone().into_inner()),
        SelectorSpec::Site(name) => Selector::Site(named(&world.sites, name)?.value.id),
    })
}

fn conditions(world: &World, conditions: &ConditionsSpec) -> Result<Conditions, Mistake> {
    for window in &conditions.windows {
        named(&world.windows, window)?;
    }
    for threshold in conditions.sign_in_within.iter().chain(&conditions.mfa_within) {
        named(&world.thresholds, threshold)?;
    }
    let cidrs: Result<Vec<ipnet::IpNet>, Mistake> = conditions
        .source_cidrs
        .iter()
        .map(|text| text.parse().map_err(|_| format!("{text:?} is not a network like 10.0.0.0/8")))
        .collect();
    Ok(Conditions {
        windows: conditions.windows.clone(),
        source_cidrs: cidrs?,
        sign_in_within: conditions.sign_in_within.clone(),
        mfa_within: conditions.mfa_within.clone(),
    })
}

pub(super) fn outage(outage: OutageSpec) -> Outage {
    match outage {
        OutageSpec::Standard => Outage::Standard,
        OutageSpec::FailStatic(ttl_s) => Outage::FailStatic { ttl_s },
        OutageSpec::FailClosed => Outage::FailClosed,
    }
}

pub(super) fn window(document: &WindowDocument) -> Window {
    let day = |day: &Day| match day {
        Day::Mon => Weekday::Mon,
        Day::Tue => Weekday::Tue,
        Day::Wed => Weekday::Wed,
        Day::Thu => Weekday::Thu,
        Day::Fri => Weekday::Fri,
        Day::Sat => Weekday::Sat,
        Day::Sun => Weekday::Sun,
    };
    Window {
        name: document.name.clone(),
        zone: document.zone.clone(),
        days: document.days.iter().map(day).collect(),
        from: document.from.clone(),
        to: document.to.clone(),
    }
}
