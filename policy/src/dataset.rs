//! A made-up organisation, the same for the same seed: what the project's promises about speed are measured and tested on.
//!
//! 10,000 users with 8 of 500 groups each, 2,000 resources at 40 sites, 700 grants of a group on labels, 200 of one user
//! on one resource, 80 forbids with a scope and 20 without.

use crate::{
    Action, Asked, Places, Request, Revoked, Rules, SnapshotSource,
    model::{
        ActionKind, Conditions, Credential, Grant, Group, Outage, PolicyText, Principal, PrincipalId,
        Resource, ResourceKind, Selector, Settings, SignIn, Site, Subject, Threshold, Weekday, Window,
    },
};
use postern_ids::{
    DecisionId, GrantId, GroupId, LabelKey, LabelValue, Name, PolicyId, ResourceId, SessionId, SignInId,
    SiteId, Timestamp, UserId,
};
use std::{collections::BTreeMap, net::Ipv4Addr, str::FromStr, sync::Arc};

const USERS: usize = 10_000;
const GROUPS: usize = 500;
const GROUPS_PER_USER: usize = 8;
const SITES: usize = 40;
const RESOURCES: usize = 2_000;
const GROUP_LABEL_PERMITS: usize = 700;
const EXACT_PERMITS: usize = 200;
const SCOPED_FORBIDS: usize = 80;
const UNSCOPED_FORBIDS: usize = 20;
const ENVS: [&str; 4] = ["dev", "test", "stage", "prod"];
const TEAMS: usize = 25;

/// The made-up organisation.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What a snapshot is built from; its revision is 1.
    pub source: SnapshotSource,
    /// Everybody.
    pub users: Vec<Arc<Principal>>,
    /// The sign-in of each user, at the same place.
    pub sign_ins: Vec<Arc<SignIn>>,
    /// Every resource.
    pub resources: Vec<Arc<Resource>>,
    /// The instant that everything above is about: a Wednesday, 10:00 UTC.
    pub now: Timestamp,
    exact: Vec<(usize, ResourceId)>,
    seed: u64,
}

/// SplitMix64: small, fast, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(n.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn bytes(&mut self) -> [u8; 10] {
        let (a, b) = (self.roll().to_be_bytes(), self.roll().to_be_bytes());
        [a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], b[0], b[1]]
    }
}

fn checked<T: FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("the data set only uses well-formed names")
}

impl Dataset {
    /// The organisation of this seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let now = Timestamp::from_secs(1_773_223_200);
        let groups = groups(&mut dice, now);
        let (sites, resources) = places(&mut dice, now);
        let (users, sign_ins) = people(&mut dice, now, &groups);
        let exact: Vec<(usize, ResourceId)> =
            (0..EXACT_PERMITS).map(|_| (dice.below(USERS), resources[dice.below(RESOURCES)].id)).collect();
        let rules = Rules {
            policies: forbids(&mut dice, now, &groups, &sites),
            grants: grants(&mut dice, now, &groups, &users, &exact),
            windows: windows(),
            thresholds: vec![Threshold { name: checked("8h"), seconds: 8 * 3_600 }],
            settings: Settings::default(),
        };
        let places = Places { sites, resources: resources.clone(), connectors: Vec::new(), groups };
        let source = SnapshotSource {
            revision: 1,
            rules: Arc::new(rules),
            places: Arc::new(places),
            revoked: Arc::new(Revoked::default()),
        };
        Self { source, users, sign_ins, resources, now, exact, seed }
    }

    /// The `n`-th request: somebody asks for some resource; every fourth one for something granted by name.
    pub fn request(&self, n: u64) -> Request {
        let mut dice = Dice(self.seed ^ n.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let (user, resource) = if n.is_multiple_of(4) {
            self.exact[dice.below(self.exact.len())]
        } else {
            (dice.below(USERS), self.resources[dice.below(RESOURCES)].id)
        };
        self.request_of(user, resource, &mut dice)
    }

    /// The `n`-th of the requests that grants by name allow, unless a rule forbids them.
    pub fn granted_request(&self, n: u64) -> Request {
        let mut dice = Dice(self.seed ^ n);
        let (user, resource) = self.exact[dice.below(self.exact.len())];
        self.request_of(user, resource, &mut dice)
    }

    fn request_of(&self, user: usize, resource: ResourceId, dice: &mut Dice) -> Request {
        Request {
            decision: DecisionId::mint(self.now, dice.bytes()),
            session: SessionId::mint(self.now, dice.bytes()),
            started_at: self.now,
            principal: self.users[user].clone(),
            credential: Credential::SignIn(self.sign_ins[user].clone()),
            resource: Asked::Id(resource),
            action: Action::Connect,
            source: Ipv4Addr::new(10, 0, 0, 7).into(),
        }
    }
}

fn groups(dice: &mut Dice, now: Timestamp) -> Vec<Arc<Group>> {
    let ids: Vec<GroupId> = (0..GROUPS).map(|_| GroupId::mint(now, dice.bytes())).collect();
    let mut groups = Vec::with_capacity(GROUPS);
    for (n, &id) in ids.iter().enumerate() {
        // Every tenth group lies within an earlier one.
        let parents = if n % 10 == 9 { vec![ids[dice.below(n)]] } else { Vec::new() };
        groups.push(Arc::new(Group { id, name: checked(&format!("group-{n}")), parents }));
    }
    groups
}

fn places(dice: &mut Dice, now: Timestamp) -> (Vec<Arc<Site>>, Vec<Arc<Resource>>) {
    let site = |n: usize, dice: &mut Dice| {
        Arc::new(Site { id: SiteId::mint(now, dice.bytes()), name: checked(&format!("site-{n}")) })
    };
    let sites: Vec<Arc<Site>> = (0..SITES).map(|n| site(n, dice)).collect();
    let resources = (0..RESOURCES).map(|n| {
        let labels = BTreeMap::from([
            (checked::<LabelKey>("env"), checked::<LabelValue>(ENVS[dice.below(ENVS.len())])),
            (checked("team"), checked(&format!("team-{}", dice.below(TEAMS)))),
        ]);
        Arc::new(Resource {
            id: ResourceId::mint(now, dice.bytes()),
            name: checked(&format!("resource-{n}")),
            site: sites[dice.below(SITES)].id,
            kind: ResourceKind::Ssh,
            target: checked("10.1.2.3:22"),
            labels,
            host_keys: Vec::new(),
            web: None,
        })
    });
    let resources = resources.collect();
    (sites, resources)
}

fn people(dice: &mut Dice, now: Timestamp, groups: &[Arc<Group>]) -> (Vec<Arc<Principal>>, Vec<Arc<SignIn>>) {
    let mut users = Vec::with_capacity(USERS);
    let mut sign_ins = Vec::with_capacity(USERS);
    let minutes = |n: u64| std::time::Duration::from_secs(n * 60);
    for n in 0..USERS {
        users.push(Arc::new(Principal {
            id: PrincipalId::User(UserId::mint(now, dice.bytes())),
            name: format!("user-{n}").into(),
            groups: (0..GROUPS_PER_USER).map(|_| groups[dice.below(GROUPS)].id).collect(),
            revision: 1,
        }));
        sign_ins.push(Arc::new(SignIn {
            id: SignInId::mint(now, dice.bytes()),
            at: now.minus(minutes(dice.roll() % 600)),
            mfa_at: None,
            acr: None,
            amr: Vec::new(),
            expires_at: now.plus(minutes(60 + dice.roll() % 600)),
            idp: "local".into(),
        }));
    }
    (users, sign_ins)
}

fn grants(
    dice: &mut Dice,
    now: Timestamp,
    groups: &[Arc<Group>],
    users: &[Arc<Principal>],
    exact: &[(usize, ResourceId)],
) -> Vec<Grant> {
    let grant =
        |name: String, subject: Subject, resources: Selector, conditions: Conditions, dice: &mut Dice| {
            Grant {
                id: GrantId::mint(now, dice.bytes()),
                name: checked(&name),
                subjects: vec![subject],
                resources,
                actions: vec![ActionKind::Connect],
                conditions,
                expires_at: None,
                outage: Outage::Standard,
            }
        };
    let mut all = Vec::with_capacity(GROUP_LABEL_PERMITS + EXACT_PERMITS);
    for n in 0..GROUP_LABEL_PERMITS {
        let labels = BTreeMap::from([
            (checked("env"), checked(ENVS[dice.below(ENVS.len())])),
            (checked("team"), checked(&format!("team-{}", dice.below(TEAMS)))),
        ]);
        let conditions = Conditions {
            source_cidrs: vec![checked("10.0.0.0/8")],
            sign_in_within: (n % 3 == 0).then(|| checked("8h")),
            ..Conditions::default()
        };
        let subject = Subject::Group(groups[dice.below(GROUPS)].id);
        all.push(grant(format!("labels-{n}"), subject, Selector::Labels(labels), conditions, dice));
    }
    for (n, &(user, resource)) in exact.iter().enumerate() {
        let PrincipalId::User(id) = users[user].id else { continue };
        let resources = Selector::Ids(vec![resource]);
        all.push(grant(format!("exact-{n}"), Subject::User(id), resources, Conditions::default(), dice));
    }
    all
}

fn forbids(dice: &mut Dice, now: Timestamp, groups: &[Arc<Group>], sites: &[Arc<Site>]) -> Vec<PolicyText> {
    let policy = |name: String, text: String, dice: &mut Dice| PolicyText {
        id: PolicyId::mint(now, dice.bytes()),
        name: checked(&name),
        text,
        outage: Outage::Standard,
    };
    let mut all = Vec::with_capacity(SCOPED_FORBIDS + UNSCOPED_FORBIDS);
    for n in 0..SCOPED_FORBIDS {
        let text = format!(
            "forbid (principal in Group::\"{}\", action, resource in Site::\"{}\") when {{ resource.hasTag(\"env\") && resource.getTag(\"env\") == \"prod\" }};",
            groups[dice.below(GROUPS)].id,
            sites[dice.below(SITES)].id,
        );
        all.push(policy(format!("scoped-{n}"), text, dice));
    }
    for n in 0..UNSCOPED_FORBIDS {
        let condition = match n % 4 {
            0 => format!("context.source.isInRange(ip(\"203.0.{n}.0/24\"))"),
            1 => {
                format!("resource.hasTag(\"quarantine\") && resource.getTag(\"quarantine\") == \"level-{n}\"")
            }
            2 => format!(
                "context.windows.contains(\"night\") && resource.hasTag(\"team\") && resource.getTag(\"team\") == \"team-{n}\""
            ),
            _ => format!("context has idp && context.idp == \"retired-{n}\""),
        };
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        all.push(policy(format!("unscoped-{n}"), text, dice));
    }
    all
}

fn windows() -> Vec<Window> {
    let window = |name: &str, days: &[Weekday], from: &str, to: &str| Window {
        name: checked::<Name>(name),
        zone: "Europe/Berlin".to_owned(),
        days: days.to_vec(),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let week = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
    vec![window("office-hours", &week, "08:00", "18:00"), window("night", &week, "22:00", "06:00")]
}
