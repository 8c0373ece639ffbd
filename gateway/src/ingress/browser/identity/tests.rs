#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{super::test_store, *};
use crate::policies::wall_clock;
use postern_ids::{GroupId, Name, ResourceId, ServiceAccountId, SiteId};
use postern_policy::{
    Places, SnapshotSource,
    model::{Group, Identity, ResourceKind, Site, Web},
};
use postern_store::{Actor, Expect, Version};
use postern_token::{Expect as Expected, KeySet, Verified, verify_assertion};

const ISSUER: &str = "https://gw.example";
const APP: &str = "https://grafana.apps.example";

struct World {
    asserter: Asserter,
    keys: Arc<KeyRing>,
    store: Store,
    ada: UserId,
    _dir: tempfile::TempDir,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn group(n: u8) -> GroupId {
    GroupId::mint(Timestamp::EPOCH, [n; 10])
}

fn user(id: UserId, email: &str) -> User {
    User {
        display_name: Some("Ada Krūmiņa".to_owned()),
        email: Some(email.to_owned()),
        ..User::local(id, name("ada"))
    }
}

impl World {
    async fn new() -> Self {
        let (store, dir) = test_store::open().await;
        let keys = Arc::new(KeyRing::open(&store, ISSUER, wall_clock()).await.unwrap());
        let asserter = Asserter::new(store.clone(), Arc::clone(&keys), ISSUER.into());
        let ada = UserId::mint(Timestamp::EPOCH, [1; 10]);
        let world = Self { asserter, keys, store, ada, _dir: dir };
        world.put(&user(ada, "ada@example.com"), Expect::New).await;
        world
    }

    async fn put(&self, user: &User, expect: Expect) -> Version {
        let mut change = self.store.change(Actor::system("test"), wall_clock()).await.unwrap();
        let version = change.put(user, expect).await.unwrap();
        change.commit().await.unwrap();
        version
    }

    async fn ada(&self) -> Principal {
        let ada = self.store.principal(PrincipalId::User(self.ada)).await.unwrap().unwrap();
        Principal { groups: vec![group(1), group(3)], ..ada }
    }

    fn read(&self, asserted: &Asserted) -> Verified<AssertionClaims> {
        let mut headers = HeaderMap::new();
        asserted.write(&mut headers);
        let token = headers["x-postern-jwt-assertion"].to_str().unwrap();
        let keys = KeySet::of(ISSUER, self.keys.keys().assertion_public().cloned());
        verify_assertion(token, &keys, Expected { issuer: ISSUER, audience: APP }, wall_clock()).unwrap()
    }
}

/// Groups 1 and 2, of which 1 inherits from 2, and 3; at a revision.
fn snapshot(revision: u64, first: &str) -> Snapshot {
    let of = |n, text: &str, parents| Arc::new(Group { id: group(n), name: name(text), parents });
    let groups =
        vec![of(1, first, vec![group(2)]), of(2, "everybody", Vec::new()), of(3, "secret", Vec::new())];
    let sites = vec![Arc::new(Site { id: SiteId::mint(Timestamp::EPOCH, [1; 10]), name: name("office") })];
    let places = Arc::new(Places { groups, sites, ..Places::default() });
    Snapshot::build(SnapshotSource { revision, places, ..SnapshotSource::default() }).unwrap()
}

fn resource(listed: &[u8]) -> Resource {
    let identity = Identity { groups: listed.iter().map(|n| group(*n)).collect(), compatible: Vec::new() };
    Resource {
        id: ResourceId::mint(Timestamp::EPOCH, [1; 10]),
        name: name("grafana"),
        site: SiteId::mint(Timestamp::EPOCH, [1; 10]),
        kind: ResourceKind::Http,
        target: "10.0.0.5:3000".parse().unwrap(),
        labels: Default::default(),
        host_keys: Vec::new(),
        web: Some(Arc::new(Web { identity, ..Web::default() })),
    }
}

fn about<'a>(principal: &'a Principal, resource: &'a Resource, snapshot: &'a Snapshot) -> About<'a> {
    let session = SessionId::mint(Timestamp::EPOCH, [9; 10]);
    About { session, principal, resource, audience: APP, snapshot }
}

#[tokio::test]
async fn an_application_hears_of_the_groups_that_it_lists_and_of_no_other() {
    let (world, kept, snapshot) = (World::new().await, Kept::default(), snapshot(1, "developers"));
    let (ada, app) = (world.ada().await, resource(&[1, 2]));
    let about = about(&ada, &app, &snapshot);
    let asserted = world.asserter.assert(&kept, &about, wall_clock()).await.unwrap().unwrap();
    let claims = world.read(&asserted);
    assert_eq!(claims.groups, ["developers", "everybody"]);
    assert_eq!((&*claims.sub, &*claims.preferred_username), (&*world.ada.to_string(), "ada"));
    assert_eq!((&*claims.name, claims.email.as_deref()), ("Ada Krūmiņa", Some("ada@example.com")));
}

#[tokio::test]
async fn one_assertion_serves_a_session_until_a_minute_before_it_ends() {
    let (world, kept, snapshot) = (World::new().await, Kept::default(), snapshot(1, "developers"));
    let (ada, app) = (world.ada().await, resource(&[1]));
    let (about, now) = (about(&ada, &app, &snapshot), wall_clock());
    let at = async |now| world.asserter.assert(&kept, &about, now).await.unwrap().unwrap();
    let first = at(now).await;
    assert!(Arc::ptr_eq(&first, &at(now.plus(Duration::from_secs(239))).await));
    assert!(!Arc::ptr_eq(&first, &at(now.plus(Duration::from_secs(240))).await));
}

#[tokio::test]
async fn a_change_of_what_is_said_makes_a_new_one_and_any_other_change_does_not() {
    let (world, kept, now) = (World::new().await, Kept::default(), wall_clock());
    let (ada, app, before) = (world.ada().await, resource(&[1]), snapshot(1, "developers"));
    let told = async |ada: &Principal, app: &Resource, snapshot: &Snapshot| {
        let about = about(ada, app, snapshot);
        world.asserter.assert(&kept, &about, now).await.unwrap().unwrap()
    };
    let first = told(&ada, &app, &before).await;
    let elsewhere = snapshot(2, "developers");
    assert!(Arc::ptr_eq(&first, &told(&ada, &app, &elsewhere).await));
    let renamed = snapshot(3, "engineers");
    let second = told(&ada, &app, &renamed).await;
    assert_eq!(world.read(&second).groups, ["engineers"]);
    let fewer = Principal { groups: Vec::new(), revision: 9, ..ada.clone() };
    let third = told(&fewer, &app, &renamed).await;
    assert!(world.read(&third).groups.is_empty());
    let (lists_more, relisted) = (resource(&[1, 3]), snapshot(4, "engineers"));
    let fourth = told(&ada, &lists_more, &relisted).await;
    assert_eq!(world.read(&fourth).groups, ["engineers", "secret"]);
}

#[tokio::test]
async fn a_new_address_is_told_as_soon_as_the_person_is_read_again() {
    let (world, kept, snapshot) = (World::new().await, Kept::default(), snapshot(1, "developers"));
    let (before, app, now) = (world.ada().await, resource(&[]), wall_clock());
    world.asserter.assert(&kept, &about(&before, &app, &snapshot), now).await.unwrap();
    world.put(&user(world.ada, "ada@new.example"), Expect::Any).await;
    let after = world.ada().await;
    let told = world.asserter.assert(&kept, &about(&after, &app, &snapshot), now).await.unwrap().unwrap();
    assert_eq!(world.read(&told).email.as_deref(), Some("ada@new.example"));
}

#[tokio::test]
async fn h10_an_address_that_is_none_is_not_told() {
    let (world, kept, snapshot) = (World::new().await, Kept::default(), snapshot(1, "developers"));
    world.put(&user(world.ada, "a@b\r\nX-Postern-User: root"), Expect::Any).await;
    let (ada, app) = (world.ada().await, resource(&[]));
    let told = world.asserter.assert(&kept, &about(&ada, &app, &snapshot), wall_clock()).await;
    let mut headers = HeaderMap::new();
    told.unwrap().unwrap().write(&mut headers);
    assert!(!headers.contains_key("x-postern-email"));
    assert_eq!(headers.get_all("x-postern-user").iter().count(), 1);
}

#[tokio::test]
async fn nobody_gets_no_headers_and_a_program_no_address() {
    let (world, snapshot, app) = (World::new().await, snapshot(1, "developers"), resource(&[]));
    let nobody = Principal::anonymous();
    let told = world.asserter.assert(&Kept::default(), &about(&nobody, &app, &snapshot), wall_clock()).await;
    assert!(told.unwrap().is_none());
    let id = PrincipalId::ServiceAccount(ServiceAccountId::mint(Timestamp::EPOCH, [4; 10]));
    let program = Principal { id, name: "ci".into(), groups: Vec::new(), revision: 1 };
    let told = world.asserter.assert(&Kept::default(), &about(&program, &app, &snapshot), wall_clock()).await;
    let claims = world.read(&told.unwrap().unwrap()).into_inner();
    assert_eq!((claims.sub, claims.name, claims.email), (id.to_string(), "ci".to_owned(), None));
}
