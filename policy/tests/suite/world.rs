//! A small organisation to ask questions about.

use postern_ids::{
    ConnectorId, DecisionId, GrantId, GroupId, PolicyId, ResourceId, ServiceAccountId, SessionId, SignInId,
    SiteId, Timestamp, TokenId, UserId,
};
use postern_policy::{
    Action, Asked, Deny, HttpRequest, Permit, Places, Request, Revoked, Rules, Snapshot, SnapshotError,
    SnapshotSource, Staleness, decide,
    model::{
        ActionKind, Conditions, Connector, ConnectorState, Credential, Grant, Group, Outage, PolicyText,
        Principal, PrincipalId, Resource, ResourceKind, Selector, Settings, SignIn, Site, Subject, Threshold,
        TokenFacts, Weekday, Window,
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A number for this run: the usual one, or the larger one of `cargo xtask test --long`.
pub(crate) fn sized(usual: u32, long: u32) -> u32 {
    if std::env::var_os("POSTERN_TEST_LONG").is_some() { long } else { usual }
}

/// Wednesday, 11 March 2026, 10:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_773_223_200);

pub(crate) const ANN: UserId = UserId::from_bytes([1; 16]);
pub(crate) const BOB: UserId = UserId::from_bytes([2; 16]);
pub(crate) const ROBOT: ServiceAccountId = ServiceAccountId::from_bytes([3; 16]);
pub(crate) const DEVS: GroupId = GroupId::from_bytes([4; 16]);
pub(crate) const STAFF: GroupId = GroupId::from_bytes([5; 16]);
pub(crate) const OFFICE: SiteId = SiteId::from_bytes([6; 16]);
pub(crate) const LAB: SiteId = SiteId::from_bytes([7; 16]);
pub(crate) const DB: ResourceId = ResourceId::from_bytes([8; 16]);
pub(crate) const WIKI: ResourceId = ResourceId::from_bytes([9; 16]);
pub(crate) const AGENT: ConnectorId = ConnectorId::from_bytes([10; 16]);
pub(crate) const SIGN_IN: SignInId = SignInId::from_bytes([11; 16]);
pub(crate) const TOKEN: TokenId = TokenId::from_bytes([12; 16]);

/// Everything a test can turn.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) revision: u64,
    pub(crate) rules: Rules,
    pub(crate) places: Places,
    pub(crate) revoked: Revoked,
}

/// Ann is in `devs`, which lies within `staff`; `db` (ssh, env=prod) is at the office, `wiki` (http) in the lab.
pub(crate) fn world() -> World {
    let resource = |id, name: &str, site, kind, labels: &[(&str, &str)]| {
        Arc::new(Resource {
            id,
            name: name.parse().unwrap(),
            site,
            kind,
            target: "10.0.0.5:22".parse().unwrap(),
            labels: labels.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect(),
            host_keys: Vec::new(),
            web: None,
        })
    };
    let site = |id, name: &str| Arc::new(Site { id, name: name.parse().unwrap() });
    let group = |id, name: &str, parents| Arc::new(Group { id, name: name.parse().unwrap(), parents });
    let connector = Connector {
        id: AGENT,
        site: OFFICE,
        name: "agent".parse().unwrap(),
        public_key: [0; 32],
        state: ConnectorState::Active,
        ephemeral: false,
    };
    World {
        revision: 1,
        rules: Rules {
            windows: vec![
                window("office-hours", "UTC", "09:00", "17:00"),
                window("night", "UTC", "22:00", "06:00"),
            ],
            thresholds: vec![
                Threshold { name: "15m".parse().unwrap(), seconds: 900 },
                Threshold { name: "8h".parse().unwrap(), seconds: 28_800 },
            ],
            settings: Settings::default(),
            ..Rules::default()
        },
        places: Places {
            sites: vec![site(OFFICE, "office"), site(LAB, "lab")],
            resources: vec![
                resource(DB, "db", OFFICE, ResourceKind::Ssh, &[("env", "prod"), ("team", "core")]),
                resource(WIKI, "wiki", LAB, ResourceKind::Http, &[]),
            ],
            connectors: vec![Arc::new(connector)],
            groups: vec![group(DEVS, "devs", vec![STAFF]), group(STAFF, "staff", vec![])],
        },
        revoked: Revoked::default(),
    }
}

pub(crate) fn window(name: &str, zone: &str, from: &str, to: &str) -> Window {
    Window {
        name: name.parse().unwrap(),
        zone: zone.to_owned(),
        days: vec![
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
            Weekday::Fri,
            Weekday::Sat,
            Weekday::Sun,
        ],
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

impl World {
    /// With a policy of this text.
    pub(crate) fn policy(self, text: &str) -> Self {
        self.policy_for_outage(text, Outage::Standard)
    }

    pub(crate) fn policy_for_outage(mut self, text: &str, outage: Outage) -> Self {
        let n = self.rules.policies.len();
        self.rules.policies.push(PolicyText {
            id: PolicyId::from_bytes([u8::try_from(n).unwrap(); 16]),
            name: format!("policy-{n}").parse().unwrap(),
            text: text.to_owned(),
            outage,
        });
        self
    }

    /// With a grant.
    pub(crate) fn grant(mut self, grant: Grant) -> Self {
        self.rules.grants.push(grant);
        self
    }

    pub(crate) fn source(&self) -> SnapshotSource {
        SnapshotSource {
            revision: self.revision,
            rules: Arc::new(self.rules.clone()),
            places: Arc::new(self.places.clone()),
            revoked: Arc::new(self.revoked.clone()),
        }
    }

    pub(crate) fn try_build(&self) -> Result<Snapshot, SnapshotError> {
        Snapshot::build(self.source())
    }

    pub(crate) fn build(&self) -> Arc<Snapshot> {
        Arc::new(self.try_build().unwrap())
    }

    /// What a fresh snapshot answers.
    pub(crate) fn decide(&self, request: &Request) -> Result<Permit, Deny> {
        decide(request, &self.build(), Staleness::FRESH, NOW)
    }
}

/// A grant of `connect` on all resources to `devs`, to be narrowed.
pub(crate) fn grant(n: u8) -> Grant {
    Grant {
        id: GrantId::from_bytes([n; 16]),
        name: format!("grant-{n}").parse().unwrap(),
        subjects: vec![Subject::Group(DEVS)],
        resources: Selector::All,
        actions: vec![ActionKind::Connect],
        conditions: Conditions::default(),
        expires_at: None,
        outage: Outage::Standard,
    }
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Selector {
    let pairs = pairs.iter().map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap()));
    Selector::Labels(pairs.collect::<BTreeMap<_, _>>())
}

pub(crate) fn ann() -> Arc<Principal> {
    Arc::new(Principal { id: PrincipalId::User(ANN), name: "ann".into(), groups: vec![DEVS], revision: 1 })
}

pub(crate) fn bob() -> Arc<Principal> {
    Arc::new(Principal { id: PrincipalId::User(BOB), name: "bob".into(), groups: vec![], revision: 1 })
}

pub(crate) fn robot() -> Arc<Principal> {
    Arc::new(Principal {
        id: PrincipalId::ServiceAccount(ROBOT),
        name: "robot".into(),
        groups: vec![],
        revision: 1,
    })
}

/// Signed in an hour ago for eight more hours, second factor ten minutes ago.
pub(crate) fn signed_in() -> SignIn {
    SignIn {
        id: SIGN_IN,
        at: NOW.minus(hours(1)),
        mfa_at: Some(NOW.minus(minutes(10))),
        acr: None,
        amr: Vec::new(),
        expires_at: NOW.plus(hours(8)),
        idp: "local".into(),
    }
}

pub(crate) fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3_600)
}

pub(crate) fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// This principal asks to connect to `db`.
pub(crate) fn asks(principal: &Arc<Principal>) -> Request {
    let credential = match principal.id {
        PrincipalId::User(_) => Credential::SignIn(Arc::new(signed_in())),
        PrincipalId::ServiceAccount(_) => {
            Credential::Token(Arc::new(TokenFacts { id: TOKEN, expires_at: None }))
        }
        PrincipalId::Anonymous => Credential::None,
    };
    Request {
        decision: DecisionId::from_bytes([20; 16]),
        session: SessionId::from_bytes([21; 16]),
        started_at: NOW,
        principal: principal.clone(),
        credential,
        resource: Asked::Id(DB),
        action: Action::Connect,
        source: [10, 0, 0, 7].into(),
    }
}

pub(crate) fn session(n: u16) -> SessionId {
    let mut bytes = [0; 16];
    bytes[14..].copy_from_slice(&n.to_be_bytes());
    SessionId::from_bytes(bytes)
}

pub(crate) fn http(method: &str, path: &str) -> Action {
    Action::Http(Arc::new(HttpRequest { method: method.into(), path: path.into() }))
}
