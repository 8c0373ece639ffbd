//! From documents, which name each other, to objects, which know each other by id.

use super::super::world::{Table, World};
use postern_api::{
    Action, ClaimsFrom, ConditionsSpec, Day, GrantDocument, OutageSpec, ProviderDocument, ResourceDocument,
    ResourceKind, SelectorSpec, SubjectSpec, UserDocument, WindowDocument,
};
use postern_identity::oidc::Email;
use postern_identity::oidc::{ACR_MAX, is_acr};
use postern_ids::{GroupId, Name, ResourceId, ServiceAccountId, SiteId, UserId};
use postern_policy::{
    exchange_entities,
    model::{
        ActionKind, Conditions, Grant, Outage, PrincipalId, Resource, ResourceKind as Protocol, Selector,
        Subject, Weekday, Window,
    },
};
use postern_store::{Object, Provider, Stored, User};
use std::collections::{BTreeMap, BTreeSet};

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

/// A resource as its document says, but for how it is published; host keys stay as they are.
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

/// A provider as its document says.
pub(super) fn provider(world: &World, document: &ProviderDocument) -> Result<Provider, Mistake> {
    let issuer: url::Url =
        document.issuer.parse().map_err(|_| format!("issuer: {:?} is no address", document.issuer))?;
    if issuer.scheme() != "https" || issuer.query().is_some() || issuer.fragment().is_some() {
        return Err("issuer: it has to be an https address without a query".to_owned());
    }
    let mut groups = BTreeMap::new();
    for (value, name) in &document.groups {
        let group = named(&world.groups, name)?.value.id;
        if let Some(other) = decides(world, group).filter(|other| *other != &document.name) {
            return Err(format!("groups: who is in {name} is decided by provider {other} already"));
        }
        groups.insert(value.clone(), group);
    }
    if !groups.is_empty() && document.groups_claim.is_none() {
        return Err("groups: name the claim they stand in with groups_claim".to_owned());
    }
    Ok(Provider {
        name: document.name.clone(),
        display_name: document.display_name.clone(),
        issuer: document.issuer.clone(),
        client_id: document.client_id.clone(),
        scopes: document.scopes.clone(),
        groups_claim: document.groups_claim.clone(),
        groups_from_user_info: document.groups_from == ClaimsFrom::Userinfo,
        groups,
        adopts: document.adopt,
        allow_private_address: document.allow_private_address,
        ca_pem: document.ca_pem.clone(),
        strict_pkce: document.strict_pkce,
    })
}

/// The provider that decides who is in a group.
fn decides(world: &World, group: GroupId) -> Option<&Name> {
    let mut providers = world.providers.values();
    let found = providers.find(|stored| stored.value.groups.values().any(|theirs| *theirs == group));
    found.map(|stored| &stored.value.name)
}

/// The groups of a person: those of the document, and those that their provider decides about.
pub(super) fn groups_of_user(
    world: &World,
    document: &UserDocument,
    before: Option<&User>,
) -> Result<BTreeSet<GroupId>, Mistake> {
    let mut groups = BTreeSet::new();
    let held = before.map(|user| world.groups_of(PrincipalId::User(user.id))).unwrap_or_default();
    for name in &document.groups {
        let group = named(&world.groups, name)?.value.id;
        match decides(world, group) {
            // What was exported can be applied again.
            Some(provider) if !held.contains(&group) => {
                return Err(format!("groups: who is in {name} is decided by provider {provider}"));
            }
            Some(_) | None => groups.insert(group),
        };
    }
    groups.extend(held.into_iter().filter(|group| decides(world, *group).is_some()));
    Ok(groups)
}

/// Who a person is: what they were before, a local account, or somebody who is announced for a provider.
pub(super) fn identity(
    world: &World,
    document: &UserDocument,
    before: Option<User>,
    id: UserId,
) -> Result<User, Mistake> {
    let provider = document.provider.as_ref().map(|name| named(&world.providers, name)).transpose()?;
    if let Some(user) = before {
        return Ok(user);
    }
    let Some(provider) = provider else { return Ok(User::local(id, document.name.clone())) };
    let email = Email::parse(&document.email)
        .map_err(|_| "email: a person who is announced for a provider needs an e-mail address".to_owned())?;
    Ok(User {
        issuer: provider.value.issuer.clone(),
        subject: User::awaited(email.as_str()),
        ..User::local(id, document.name.clone())
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
    if let Some(odd) = conditions.acr.iter().find(|word| !is_acr(word)) {
        return Err(format!(
            "acr: {odd:?} is no word of a provider: 1 to {ACR_MAX} characters without spaces"
        ));
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
        acr: conditions.acr.clone(),
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
