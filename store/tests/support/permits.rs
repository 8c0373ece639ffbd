//! Real permits and denials, from a small installation that holds one resource.

use postern_ids::{DecisionId, GrantId, Name, ResourceId, SessionId, SignInId, SiteId, Timestamp, UserId};
use postern_policy::{
    Action, Asked, Deny, Permit, Places, Request, Rules, Snapshot, SnapshotSource, Staleness, decide,
    model::{
        ActionKind, Conditions, Credential, Grant, Outage, Principal, PrincipalId, Resource, ResourceKind,
        Selector, SignIn, Site, Subject,
    },
};
use std::sync::Arc;

/// A snapshot in which everybody may connect to `db`, and a person who asks.
pub struct Scene {
    snapshot: Snapshot,
    principal: Arc<Principal>,
    sign_in: Arc<SignIn>,
    now: Timestamp,
}

impl Scene {
    /// The scene at this time.
    pub fn new(now: Timestamp) -> Self {
        let site = Site { id: SiteId::mint(now, [1; 10]), name: name("office") };
        let resource = Resource {
            id: ResourceId::mint(now, [2; 10]),
            name: name("db"),
            site: site.id,
            kind: ResourceKind::Tcp,
            target: "10.0.0.5:5432".parse().expect("a target"),
            labels: [("env".parse().expect("a key"), "prod".parse().expect("a value"))].into(),
            host_keys: Vec::new(),
            web: None,
        };
        let grant = Grant {
            id: GrantId::mint(now, [3; 10]),
            name: name("everyone-db"),
            subjects: vec![Subject::Everyone],
            resources: Selector::Ids(vec![resource.id]),
            actions: vec![ActionKind::Connect],
            conditions: Conditions::default(),
            expires_at: None,
            outage: Outage::Standard,
        };
        let source = SnapshotSource {
            revision: 7,
            rules: Arc::new(Rules { grants: vec![grant], ..Rules::default() }),
            places: Arc::new(Places {
                sites: vec![Arc::new(site)],
                resources: vec![Arc::new(resource)],
                ..Places::default()
            }),
            ..SnapshotSource::default()
        };
        let user = UserId::mint(now, [4; 10]);
        Self {
            snapshot: Snapshot::build(source).expect("a valid source"),
            principal: Arc::new(Principal {
                id: PrincipalId::User(user),
                name: "ada".into(),
                groups: Vec::new(),
                revision: 7,
            }),
            sign_in: Arc::new(SignIn {
                id: SignInId::mint(now, [5; 10]),
                at: now,
                mfa_at: None,
                acr: None,
                amr: Vec::new(),
                expires_at: Timestamp::from_secs(now.as_secs() + 36_000),
                idp: "local".into(),
            }),
            now,
        }
    }

    fn request(&self, resource: &str) -> Request {
        Request {
            decision: DecisionId::mint(self.now, rand::random()),
            session: SessionId::mint(self.now, rand::random()),
            started_at: self.now,
            principal: Arc::clone(&self.principal),
            credential: Credential::SignIn(Arc::clone(&self.sign_in)),
            resource: Asked::Name(name(resource)),
            action: Action::Connect,
            source: [192, 0, 2, 1].into(),
        }
    }

    /// A fresh allow for `db`.
    pub fn permit(&self) -> Permit {
        decide(&self.request("db"), &self.snapshot, Staleness::FRESH, self.now)
            .expect("the grant covers everybody")
    }

    /// An allow for a session that lives already, to go on with it: another decision about the same session.
    pub fn permit_again(&self, session: SessionId) -> Permit {
        let request = Request { session, ..self.request("db") };
        decide(&request, &self.snapshot, Staleness::FRESH, self.now).expect("the grant covers everybody")
    }

    /// A fresh denial for something that is not there.
    pub fn deny(&self) -> Deny {
        decide(&self.request("nowhere"), &self.snapshot, Staleness::FRESH, self.now)
            .expect_err("there is no such resource")
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}
