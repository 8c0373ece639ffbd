//! Sessions through a whole gateway: TLS on loopback, an embedded store, real links on both sides.

use crate::support::{PATIENCE, Scene, Served, open, refused, streams::reset_code};
use postern_ids::{Ended, Refusal};
use postern_policy::model::Grant;
use postern_store::{Expect, SessionFilter};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_session_carries_bytes_both_ways_and_ends_once() {
    let Served { scene, resource, echo, link, .. } = &Served::start().await;

    let opened = open(link, "db-1").await.unwrap();
    let reply: postern_api::tunnel::OpenReply = serde_json::from_slice(&opened.metadata).unwrap();
    assert_eq!(reply.resource.id, *resource);
    let mut lane = opened.lane;
    lane.write_all(b"hello").await.unwrap();
    lane.shutdown().await.unwrap();
    let mut back = Vec::new();
    lane.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b"hello", "half-close is kept: the answer came after our end");

    let grant = echo.grants.lock().unwrap()[0].clone();
    let keys = postern_token::claimed_connector(&grant);
    assert!(keys.is_err(), "a grant is no dial");
    scene.until(|| scene.node.live().is_empty()).await;
    let session = ended(scene, Ended::Finished).await;
    assert_eq!((session.bytes_up, session.bytes_down), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_session_reaches_no_target() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    scene.resource(site, "db-1").await;
    let account = scene.account("robot").await;
    let connector = scene.connector(site, "edge-1").await;
    let echo = scene.echo(&connector).await;
    let (link, _incoming) = scene.dial_client(&account.token).await.unwrap();
    assert_eq!(refused(&link, "db-1").await, Refusal::Denied.code());
    assert_eq!(refused(&link, "nothing").await, Refusal::NoSuchResource.code());
    assert_eq!(refused(&link, "../db").await, Refusal::BadRequest.code());
    assert!(echo.grants.lock().unwrap().is_empty());
    assert!(scene.node.live().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_grant_cuts_its_live_session_within_a_second() {
    let Served { scene, grant, echo, link, .. } = &Served::start().await;
    let mut lane = open(link, "db-1").await.unwrap().lane;

    let mut change = scene.change().await;
    change.delete::<Grant>(grant, Expect::Any).await.unwrap();
    let at = Instant::now();
    change.commit().await.unwrap();
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, lane.read_to_end(&mut rest)).await.unwrap();
    assert!(end.is_err(), "a cut is a reset, not an end of stream");
    scene.until(|| *echo.ends.lock().unwrap() == 1).await;
    let took = at.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    ended(scene, Ended::Revoked).await;
    assert_eq!(refused(link, "db-1").await, Refusal::Denied.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_the_token_cuts_its_sessions_with_the_reason_and_closes_their_links() {
    /// Enough that a close which overtakes the reset of a session is seen.
    const LINKS: usize = 16;
    let Served { scene, account, .. } = &Served::start().await;
    let mut links = Vec::new();
    for _ in 0..LINKS {
        let (link, incoming) = scene.dial_client(&account.token).await.unwrap();
        let lane = open(&link, "db-1").await.unwrap().lane;
        links.push((link, incoming, lane));
    }
    let mut change = scene.change().await;
    change.revoke_service_token(account.token_id).await.unwrap();
    scene.commit(change).await;
    for (link, _incoming, lane) in &mut links {
        assert_eq!(reset_code(lane).await, Ended::SignedOut.code(), "the reason comes before the close");
        let closed = tokio::time::timeout(PATIENCE, link.closed()).await.unwrap();
        assert_eq!(closed.code, Refusal::Unauthenticated.code());
    }
    assert!(scene.dial_client(&account.token).await.is_err(), "the cache does not outlive the revocation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_connector_is_refused_and_recorded_as_not_opened() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    let resource = scene.resource(site, "db-1").await;
    let account = scene.account("robot").await;
    scene.grant(&account, resource).await;
    let (link, _incoming) = scene.dial_client(&account.token).await.unwrap();
    assert_eq!(refused(&link, "db-1").await, Refusal::NoConnector.code());
    ended(&scene, Ended::NotOpened).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t04_opening_too_many_sessions_is_refused_for_that_principal_only() {
    let limit = [("limits.sessions_per_principal", "3")];
    let Served { scene, resource, link, .. } = &Served::start_with(&limit).await;
    let other = scene.account("other").await;
    scene.grant(&other, *resource).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(open(link, "db-1").await.unwrap());
    }
    assert_eq!(refused(link, "db-1").await, Refusal::Limit.code());
    let (link, _incoming) = scene.dial_client(&other.token).await.unwrap();
    open(&link, "db-1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_gateway_refuses_new_sessions_lets_old_ones_finish_and_records_the_rest() {
    let served = Served::start_with(&[("limits.drain_seconds", "1")]).await;
    let Served { scene: Scene { node, dir }, link, incoming: _incoming, echo: _echo, .. } = served;
    let _kept = open(&link, "db-1").await.unwrap();
    node.begin_stop();
    assert!(open(&link, "db-1").await.is_err());
    assert!(node.stop().await);
    assert_eq!(link.closed().await.code, Ended::GatewayStopped.code());
    let scene = Scene { node: Scene::node_in(&dir, &[]).await, dir };
    ended(&scene, Ended::GatewayStopped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_ended_tls_a_session_works_all_the_same() {
    let proxied = [("listen.mode", "http_behind_proxy"), ("listen.trusted_proxies", "127.0.0.0/8")];
    let Served { link, .. } = &Served::start_with(&proxied).await;
    let mut lane = open(link, "db-1").await.unwrap().lane;
    lane.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    lane.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
}

/// Waits until the store knows a session that ended so.
async fn ended(scene: &Scene, how: Ended) -> postern_store::SessionEntry {
    let wait = async {
        loop {
            let sessions = scene.store().sessions(&SessionFilter::default(), 10).await.unwrap();
            if let Some(found) = sessions.into_iter().find(|s| s.ended.is_some_and(|(ended, _)| ended == how))
            {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the session's end is in the store")
}
