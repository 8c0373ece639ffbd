//! Resumes while the store is away: what lives goes on, what would be new has to wait.

use crate::support::{
    Scene, Stage, now,
    person::Person,
    streams::{Carried, StreamClient, echoed},
};
use http::StatusCode;
use postern_ids::{Ended, Refusal};
use postern_store::{Actor, Expect};
use postern_tunnel_io::{DialError, inventory::State};
use std::time::Duration;

/// The store does not answer any more, and the gateway has noticed.
async fn lose_the_store(scene: &Scene, noticed_after: Duration) {
    scene.store().close().await;
    scene.until(|| scene.node.policies().current().1.0 > noticed_after).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_a_session_goes_on_over_another_link_without_the_store() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    lose_the_store(&stage.scene, Duration::from_secs(1)).await;
    let (link, _incoming) = stage.dial().await;
    let mut again = stage.client.resume(&link).await.unwrap();
    assert_eq!(again.session, session);
    echoed(&mut again.lane, b"hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_session_waits_on_while_policy_is_too_stale_to_decide_it() {
    let mut stage = Stage::new().await;
    let mut change = stage.scene.change().await;
    let settings = postern_policy::model::Settings { max_staleness_s: 5, session_max_s: None };
    change.put_settings(&settings, Expect::Any).await.unwrap();
    stage.scene.commit(change).await;
    stage.open_and_lose().await;
    let (link, _incoming) = stage.dial().await;
    lose_the_store(&stage.scene, Duration::from_secs(5)).await;
    for _ in 0..2 {
        assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::PolicyStale.code()));
    }
    stage.waits().await;
    assert_eq!(stage.scene.node.live().len(), 1, "it is watched as before");
    assert!(stage.holder.kills().is_empty());
    assert_eq!(stage.holder.arrived().len(), 1, "no byte was carried");
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_a_session_of_somebody_who_cannot_be_read_waits_undecided() {
    let mut stage = Stage::new().await;
    stage.open_and_lose().await;
    let held = stage.holder.entry(State::Detached);
    let mut stage = stage.restart().await;
    let (link, _incoming) = stage.dial().await;
    stage.scene.store().close().await;
    stage.connector_back(vec![held]).await;
    stage.waits().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::PolicyStale.code()));
    stage.waits().await;
    assert!(stage.scene.node.live().is_empty(), "nothing decided it");
    assert!(stage.holder.kills().is_empty() && stage.holder.arrived().is_empty());
}

fn status(dialed: Result<crate::support::stage::ClientLink, DialError>) -> StatusCode {
    match dialed {
        Err(DialError::Refused { refused }) => refused.status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_an_access_token_that_lapsed_while_the_store_is_away_is_good_for_resumes_only() {
    let mut stage = Stage::new().await;
    let scene = &stage.scene;
    let person = Person::new(scene, "ann", stage.resource).await;
    let (unseen, ended) = (person.again(scene).await, person.again(scene).await);
    let (link, _incoming) = scene.dial_client(&person.fresh_token()).await.unwrap();
    let Carried { session, lane } = stage.client.open(&link, "db-1").await.unwrap();
    link.close(1000, "lost");
    drop(lane);
    stage.waits().await;
    let (link, _incoming) = scene.dial_client(&ended.fresh_token()).await.unwrap();
    let mut others = StreamClient { instance: stage.client.instance, ..StreamClient::new() };
    let _others = others.open(&link, "db-1").await.unwrap();
    end_sign_in(scene, &ended).await;

    let lapsed = Duration::from_secs(120);
    assert_eq!(status(scene.dial_client(&person.token(lapsed)).await), StatusCode::UNAUTHORIZED, "not yet");
    lose_the_store(scene, Duration::from_secs(3)).await;
    let too_old = Duration::from_secs(400);
    assert_eq!(status(scene.dial_client(&person.token(too_old)).await), StatusCode::UNAUTHORIZED);
    assert_eq!(status(scene.dial_client(&ended.token(lapsed)).await), StatusCode::UNAUTHORIZED);

    let (link, _incoming) = scene.dial_client(&person.token(lapsed)).await.unwrap();
    let mut new = StreamClient::new();
    assert_eq!(new.open(&link, "db-1").await.map(|_| ()), Err(Refusal::Unauthenticated.code()));
    let again = stage.client.resume(&link).await.unwrap();
    assert_eq!(again.session, session);

    // A sign-in whose facts were never read here: those of the ticket count if they are its own.
    let (link, _incoming) = scene.dial_client(&unseen.token(lapsed)).await.unwrap();
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::PolicyStale.code()));
    assert_eq!(new.open(&link, "db-1").await.map(|_| ()), Err(Refusal::Unauthenticated.code()));
}

async fn end_sign_in(scene: &Scene, person: &Person) {
    let by = Actor::system("test");
    let revision = scene.store().end_sign_in(person.sign_in, "left", &by, now()).await.unwrap();
    scene.in_force(revision).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_sign_in_that_ends_takes_the_sessions_along_that_wait_for_it() {
    let mut stage = Stage::new().await;
    let person = Person::new(&stage.scene, "ann", stage.resource).await;
    let (link, _incoming) = stage.scene.dial_client(&person.fresh_token()).await.unwrap();
    let Carried { session, lane } = stage.client.open(&link, "db-1").await.unwrap();
    link.close(1000, "lost");
    drop(lane);
    stage.waits().await;
    end_sign_in(&stage.scene, &person).await;
    stage.scene.until(|| stage.holder.kills() == [(session, Ended::SignedOut.code())]).await;
    stage.ended(session, Ended::SignedOut).await;
    // Signed in anew, the same person cannot bring it back.
    let person = person.again(&stage.scene).await;
    let (link, _incoming) = stage.scene.dial_client(&person.fresh_token()).await.unwrap();
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Ended::SignedOut.code()));
}
