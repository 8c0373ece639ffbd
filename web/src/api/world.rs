//! Everything that documents describe, read as of one revision, and how each object is written down.

use super::{behind::Names, web};
use crate::problem::Failure;
use postern_api::{
    Action, ClaimsFrom, ConditionsSpec, Day, Document, GrantDocument, GroupDocument, ObjectKind, OutageSpec,
    PolicyDocument, ProviderDocument, ResourceDocument, ResourceKind, SelectorSpec, ServiceAccountDocument,
    SiteDocument, SubjectSpec, ThresholdDocument, UserDocument, WindowDocument,
};
use postern_ids::{GroupId, Name};
use postern_policy::model::{
    ActionKind, Grant, Group, Outage, PolicyText, PrincipalId, Resource, ResourceKind as Protocol, Selector,
    Settings, Site, Subject, Threshold, Weekday, Window,
};
use postern_store::{Object, Provider, ServiceAccount, Store, Stored, User};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How often a reading is repeated because something changed meanwhile.
const READINGS: usize = 5;

/// The objects of one kind, by name.
pub(super) type Table<T> = BTreeMap<Name, Stored<T>>;

/// All objects at one revision.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) revision: u64,
    pub(super) settings: Settings,
    pub(super) sites: Table<Site>,
    pub(super) windows: Table<Window>,
    pub(super) thresholds: Table<Threshold>,
    pub(super) groups: Table<Group>,
    pub(super) providers: Table<Provider>,
    pub(super) users: Table<User>,
    pub(super) accounts: Table<ServiceAccount>,
    pub(super) resources: Table<Resource>,
    pub(super) grants: Table<Grant>,
    pub(super) policies: Table<PolicyText>,
    pub(super) groups_of: HashMap<PrincipalId, BTreeSet<GroupId>>,
}

impl World {
    /// Reads everything; again when a change came between.
    pub(super) async fn load(store: &Store) -> Result<Self, Failure> {
        for _ in 0..READINGS {
            let world = Self::read(store).await?;
            if store.revision().await? == world.revision {
                return Ok(world);
            }
        }
        Err(Failure::unavailable())
    }

    async fn read(store: &Store) -> Result<Self, Failure> {
        Ok(Self {
            revision: store.revision().await?,
            settings: store.settings().await?.value,
            sites: table(store).await?,
            windows: table(store).await?,
            thresholds: table(store).await?,
            groups: table(store).await?,
            providers: table(store).await?,
            users: table(store).await?,
            accounts: table(store).await?,
            resources: table(store).await?,
            grants: table(store).await?,
            policies: table(store).await?,
            groups_of: memberships(store).await?,
        })
    }

    /// The direct groups of a principal.
    pub(super) fn groups_of(&self, principal: PrincipalId) -> BTreeSet<GroupId> {
        self.groups_of.get(&principal).cloned().unwrap_or_default()
    }

    /// The objects of a kind as documents, with id and version.
    pub(super) fn documents(&self, kind: ObjectKind) -> Vec<(String, u64, Document)> {
        let names = names_of(self);
        fn each<'a, T: Object>(
            table: &'a Table<T>,
            document: impl Fn(&'a T) -> Document,
        ) -> Vec<(String, u64, Document)> {
            table.values().map(|s| (s.value.id().to_string(), s.version.0, document(&s.value))).collect()
        }
        match kind {
            ObjectKind::Site => {
                each(&self.sites, |site| Document::Site(SiteDocument { name: site.name.clone() }))
            }
            ObjectKind::Window => each(&self.windows, window),
            ObjectKind::Threshold => each(&self.thresholds, |threshold| {
                Document::Threshold(ThresholdDocument {
                    name: threshold.name.clone(),
                    seconds: threshold.seconds,
                })
            }),
            ObjectKind::Group => each(&self.groups, |group| {
                let parents = names.all(&group.parents);
                Document::Group(GroupDocument { name: group.name.clone(), parents })
            }),
            ObjectKind::Provider => each(&self.providers, |provider| self::provider(provider, &names)),
            ObjectKind::User => each(&self.users, |user| self.user(user, &names)),
            ObjectKind::ServiceAccount => each(&self.accounts, |account| self.account(account, &names)),
            ObjectKind::Resource => each(&self.resources, |resource| self::resource(resource, &names)),
            ObjectKind::Grant => each(&self.grants, |grant| self::grant(grant, &names)),
            ObjectKind::Policy => each(&self.policies, |policy| {
                Document::Policy(PolicyDocument {
                    name: policy.name.clone(),
                    text: policy.text.clone(),
                    outage: outage(policy.outage),
                })
            }),
        }
    }

    fn user(&self, user: &User, names: &Names) -> Document {
        Document::User(UserDocument {
            name: user.name.clone(),
            display_name: user.display_name.clone().unwrap_or_default(),
            email: user.email.clone().unwrap_or_default(),
            groups: names.all(&self.groups_of(PrincipalId::User(user.id))),
            provider: self.provider_of(user),
            password: None,
            disabled: user.disabled,
        })
    }

    /// The provider that vouches for a person.
    pub(super) fn provider_of(&self, user: &User) -> Option<Name> {
        let found = self.providers.values().find(|stored| stored.value.issuer == user.issuer);
        found.map(|stored| stored.value.name.clone())
    }

    fn account(&self, account: &ServiceAccount, names: &Names) -> Document {
        Document::ServiceAccount(ServiceAccountDocument {
            name: account.name.clone(),
            note: account.note.clone(),
            groups: names.all(&self.groups_of(PrincipalId::ServiceAccount(account.id))),
            disabled: account.disabled,
        })
    }
}

async fn table<T: Object>(store: &Store) -> Result<Table<T>, Failure> {
    let all = store.all::<T>().await?;
    Ok(all.into_iter().map(|stored| (stored.value.name().clone(), stored)).collect())
}

async fn memberships(store: &Store) -> Result<HashMap<PrincipalId, BTreeSet<GroupId>>, Failure> {
    let mut groups_of: HashMap<PrincipalId, BTreeSet<GroupId>> = HashMap::new();
    for (group, principal) in store.memberships().await? {
        groups_of.entry(principal).or_default().insert(group);
    }
    Ok(groups_of)
}

fn names_of(world: &World) -> Names {
    fn add<T: Object>(names: &mut HashMap<String, Name>, table: &Table<T>) {
        names.extend(table.iter().map(|(name, stored)| (stored.value.id().to_string(), name.clone())));
    }
    let mut names = HashMap::new();
    add(&mut names, &world.sites);
    add(&mut names, &world.groups);
    add(&mut names, &world.users);
    add(&mut names, &world.accounts);
    add(&mut names, &world.resources);
    Names::new(names)
}

/// What speaks at a target, in the words of the API.
pub(super) fn protocol(kind: Protocol) -> ResourceKind {
    match kind {
        Protocol::Http => ResourceKind::Http,
        Protocol::Ssh => ResourceKind::Ssh,
        Protocol::Tcp => ResourceKind::Tcp,
    }
}

fn window(window: &Window) -> Document {
    let day = |day: &Weekday| match day {
        Weekday::Mon => Day::Mon,
        Weekday::Tue => Day::Tue,
        Weekday::Wed => Day::Wed,
        Weekday::Thu => Day::Thu,
        Weekday::Fri => Day::Fri,
        Weekday::Sat => Day::Sat,
        Weekday::Sun => Day::Sun,
    };
    Document::Window(WindowDocument {
        name: window.name.clone(),
        zone: window.zone.clone(),
        days: window.days.iter().map(day).collect(),
        from: window.from.clone(),
        to: window.to.clone(),
    })
}

fn resource(resource: &Resource, names: &Names) -> Document {
    Document::Resource(ResourceDocument {
        name: resource.name.clone(),
        site: names.one(&resource.site).unwrap_or_else(|| resource.name.clone()),
        protocol: protocol(resource.kind),
        target: resource.target.to_string(),
        labels: resource.labels.clone().into(),
        web: resource.web.as_ref().map(|web| Box::new(web::document(web, names))),
    })
}

fn provider(provider: &Provider, names: &Names) -> Document {
    let group = |(value, id): (&String, &GroupId)| Some((value.clone(), names.one(id)?));
    Document::Provider(Box::new(ProviderDocument {
        name: provider.name.clone(),
        display_name: provider.display_name.clone(),
        issuer: provider.issuer.clone(),
        client_id: provider.client_id.clone(),
        client_secret: None,
        scopes: provider.scopes.clone(),
        groups_claim: provider.groups_claim.clone(),
        groups_from: if provider.groups_from_user_info { ClaimsFrom::Userinfo } else { ClaimsFrom::IdToken },
        groups: provider.groups.iter().filter_map(group).collect(),
        adopt: provider.adopts,
        allow_private_address: provider.allow_private_address,
        ca_pem: provider.ca_pem.clone(),
        strict_pkce: provider.strict_pkce,
    }))
}

fn grant(grant: &Grant, names: &Names) -> Document {
    let subjects = grant.subjects.iter().filter_map(|subject| {
        Some(match subject {
            Subject::User(id) => SubjectSpec::User(names.one(id)?),
            Subject::Group(id) => SubjectSpec::Group(names.one(id)?),
            Subject::ServiceAccount(id) => SubjectSpec::ServiceAccount(names.one(id)?),
            Subject::Everyone => SubjectSpec::Everyone,
        })
    });
    let action = |action: &ActionKind| match action {
        ActionKind::Connect => Action::Connect,
        ActionKind::Http => Action::Http,
    };
    Document::Grant(GrantDocument {
        name: grant.name.clone(),
        subjects: subjects.collect(),
        resources: match &grant.resources {
            Selector::All => SelectorSpec::All,
            Selector::Ids(ids) => SelectorSpec::Names(names.all(ids)),
            Selector::Labels(labels) => SelectorSpec::Labels(labels.clone().into()),
            Selector::Site(site) => SelectorSpec::Site(names.one(site).unwrap_or_else(|| grant.name.clone())),
        },
        actions: grant.actions.iter().map(action).collect(),
        conditions: ConditionsSpec {
            windows: grant.conditions.windows.clone(),
            source_cidrs: grant.conditions.source_cidrs.iter().map(ToString::to_string).collect(),
            sign_in_within: grant.conditions.sign_in_within.clone(),
            mfa_within: grant.conditions.mfa_within.clone(),
            acr: grant.conditions.acr.clone(),
        },
        expires_at: grant.expires_at.map(Into::into),
        outage: outage(grant.outage),
    })
}

fn outage(outage: Outage) -> OutageSpec {
    match outage {
        Outage::Standard => OutageSpec::Standard,
        Outage::FailStatic { ttl_s } => OutageSpec::FailStatic(ttl_s),
        Outage::FailClosed => OutageSpec::FailClosed,
    }
}
