//! Policy that changes under live sessions.

use crate::support::{Account, PATIENCE, Scene, Served, name, now, open, refused};
use postern_ids::{Ended, GroupId, PolicyId, Refusal, ResourceId, SiteId};
use postern_policy::model::{
    Grant, Group, PolicyText, PrincipalId, Resource, ResourceKind, Selector, Subject,
};
use postern_store::Expect;
use postern_tunnel_io::Link;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// The code that a lane was reset with.
async fn reset_code(mut lane: postern_tunnel_io::Lane) -> String {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, lane.read_to_end(&mut rest)).await.expect("the end");
    read.expect_err("a reset").to_string()
}

async fn garbage(scene: &Scene) -> PolicyId {
    let id = PolicyId::mint(now(), rand::random());
    let mut change = scene.change().await;
    let text = "permit (principal, action, resource) when { broken".to_owned();
    let policy = PolicyText { id, name: name("broken"), text, outage: Default::default() };
    change.put(&policy, Expect::New).await.unwrap();
    change.commit().await.unwrap();
    scene.until(|| scene.node.policies().is_refusing()).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_does_not_compile_leaves_the_older_one_in_force() {
    let Served { scene, link, .. } = &Served::start().await;
    let _kept = open(link, "db-1").await.unwrap();
    let broken = garbage(scene).await;
    let _second = open(link, "db-1").await.unwrap();
    assert_eq!(scene.node.live().len(), 2);
    let mut change = scene.change().await;
    change.delete::<PolicyText>(&broken, Expect::Any).await.unwrap();
    scene.commit(change).await;
    assert!(!scene.node.policies().is_refusing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_policy_keeps_nobody_in_whose_token_was_revoked() {
    let Served { scene, account, link, .. } = &Served::start().await;
    let _session = open(link, "db-1").await.unwrap();
    garbage(scene).await;
    let mut change = scene.change().await;
    change.revoke_service_token(account.token_id).await.unwrap();
    change.commit().await.unwrap();
    tokio::time::timeout(PATIENCE, link.closed()).await.expect("the link of a revoked token is closed");
    scene.until(|| scene.node.live().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_its_grant_expires() {
    let Served { scene, grant, link, .. } = &Served::start().await;
    let lane = open(link, "db-1").await.unwrap().lane;
    let expires_at = now().plus(Duration::from_millis(700));
    let mut change = scene.change().await;
    let stored = change.find::<Grant>(grant).await.unwrap().unwrap();
    let limited = Grant { expires_at: Some(expires_at), ..stored.value };
    change.put(&limited, Expect::At(stored.version)).await.unwrap();
    scene.commit(change).await;
    assert_eq!(scene.node.live().len(), 1, "the time has not come");
    let told = reset_code(lane).await;
    assert!(now() >= expires_at && now().since(expires_at) < Duration::from_secs(1));
    assert!(told.contains(Ended::Expired.sentence()), "{told}");
    assert_eq!(refused(link, "db-1").await, Refusal::Denied.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_group_cuts_what_only_the_group_allowed() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    let resource = scene.resource(site, "db-1").await;
    let (account, other) = (scene.account("robot").await, scene.account("other").await);
    let group = GroupId::mint(now(), rand::random());
    let mut change = scene.change().await;
    change
        .put(&Group { id: group, name: name("operators"), parents: Vec::new() }, Expect::New)
        .await
        .unwrap();
    let member = |account: &Account| PrincipalId::ServiceAccount(account.id);
    change.set_members(group, &[member(&account), member(&other)]).await.unwrap();
    scene.commit(change).await;
    let grant = scene.grant(&account, resource).await;
    let mut change = scene.change().await;
    let stored = change.find::<Grant>(&grant).await.unwrap().unwrap();
    let by_group = Grant { subjects: vec![Subject::Group(group)], resources: Selector::All, ..stored.value };
    change.put(&by_group, Expect::At(stored.version)).await.unwrap();
    scene.commit(change).await;
    let connector = scene.connector(site, "edge-1").await;
    let _echo = scene.echo(&connector).await;
    let (link, _incoming) = scene.dial_client(&account.token).await.unwrap();
    let (stays, _other_incoming): (Link, _) = scene.dial_client(&other.token).await.unwrap();
    let lane = open(&link, "db-1").await.unwrap().lane;
    let _stays = open(&stays, "db-1").await.unwrap();

    let mut change = scene.change().await;
    change.set_members(group, &[member(&other)]).await.unwrap();
    change.commit().await.unwrap();
    let told = reset_code(lane).await;
    assert!(told.contains(Ended::Revoked.sentence()), "{told}");
    assert_eq!(refused(&link, "db-1").await, Refusal::Denied.code());
    assert_eq!(scene.node.live().len(), 1, "the other member stays");
}

/// Makes the resources `doomed-0`, `doomed-1` and so on, all of which the account may connect to.
async fn doomed(scene: &Scene, site: SiteId, account: &Account, count: usize) -> Vec<ResourceId> {
    let grant = scene.grant(account, scene.resource(site, "kept").await).await;
    let mut change = scene.change().await;
    let stored = change.find::<Grant>(&grant).await.unwrap().unwrap();
    change.put(&Grant { resources: Selector::All, ..stored.value }, Expect::Any).await.unwrap();
    let mut made = Vec::new();
    for n in 0..count {
        let resource = Resource {
            id: ResourceId::mint(now(), rand::random()),
            name: name(&format!("doomed-{n}")),
            site,
            kind: ResourceKind::Ssh,
            target: "10.0.0.5:22".parse().unwrap(),
            labels: Default::default(),
            host_keys: Vec::new(),
            web: None,
        };
        change.put(&resource, Expect::New).await.unwrap();
        made.push(resource.id);
    }
    scene.commit(change).await;
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a04_whatever_opens_while_its_resource_is_deleted_does_not_outlive_it() {
    let rounds = if std::env::var_os("POSTERN_TEST_LONG").is_some() { 1_000 } else { 40 };
    let settings = ["opens_per_second", "opens_burst", "sessions_per_principal"];
    let keys = settings.map(|key| format!("limits.{key}"));
    let scene = Scene::start_with(&[(&keys[0], "9999"), (&keys[1], "9999"), (&keys[2], "9999")]).await;
    let site = scene.site("office").await;
    let account = scene.account("robot").await;
    let resources = doomed(&scene, site, &account, rounds).await;
    let connector = scene.connector(site, "edge-1").await;
    let echo = scene.echo(&connector).await;
    let (link, _incoming) = scene.dial_client(&account.token).await.unwrap();
    let _kept = open(&link, "kept").await.unwrap();

    let (mut cut, mut late) = (0, 0);
    for (n, id) in resources.iter().enumerate() {
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let (link, resource) = (link.clone(), format!("doomed-{n}"));
                tokio::spawn(async move { open(&link, &resource).await })
            })
            .collect();
        let mut change = scene.change().await;
        change.delete::<Resource>(id, Expect::Any).await.unwrap();
        let revision = change.commit().await.unwrap();
        for opening in opening {
            match opening.await.unwrap() {
                Ok(opened) => {
                    let told = reset_code(opened.lane).await;
                    assert!(told.contains(Ended::Revoked.sentence()), "round {n}: {told}");
                    cut += 1;
                }
                Err(_) => late += 1,
            }
        }
        scene.in_force(revision).await;
        assert_eq!(refused(&link, &format!("doomed-{n}")).await, Refusal::NoSuchResource.code(), "round {n}");
        assert_eq!(scene.node.live().len(), 1, "round {n}");
    }
    assert!(cut > 0, "{late} opens came too late, and none in time");
    let at_target = || *echo.ends.lock().unwrap() == echo.grants.lock().unwrap().len() - 1;
    scene.until(at_target).await;
}
