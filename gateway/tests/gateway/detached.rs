//! Sessions that wait for their client: as revocable as any other, and ended once.

use crate::support::{
    Stage,
    streams::{Answer, StreamClient, reset_code},
};
use postern_ids::{Ended, Refusal};
use postern_tunnel_io::inventory::State;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_revocation_reaches_a_session_that_waits_and_ends_it_once() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let began = Instant::now();
    stage.revoke().await;
    stage.scene.until(|| !stage.holder.kills().is_empty()).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(stage.holder.kills(), [(session, Ended::Revoked.code())]);
    stage.ended(session, Ended::Revoked).await;
    let (link, _incoming) = stage.dial().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Ended::Revoked.code()));
    assert_eq!(stage.holder.arrived().len(), 1, "no byte was carried");
    assert_eq!(stage.ends_of(session).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_revocation_between_the_decision_and_the_first_byte_ends_the_session() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    stage.holder.answer(Answer::Silence);
    let (link, _incoming) = stage.dial().await;
    let early = stage.client.attach(true);
    let mut twin = StreamClient { ticket: stage.client.ticket.clone(), ..StreamClient::new() };
    let resuming = tokio::spawn(async move { twin.resume_with(&link, early).await.map(|_| ()) });
    stage.scene.until(|| stage.holder.arrived().len() == 2).await;
    stage.revoke().await;
    assert_eq!(resuming.await.unwrap(), Err(Refusal::Revoked.code()));
    stage.scene.until(|| stage.holder.kills() == [(session, Ended::Revoked.code())]).await;
    stage.ended(session, Ended::Revoked).await;
    assert_eq!(stage.ends_of(session).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_revocation_is_an_order_to_the_connector_and_not_to_one_lane_only() {
    let mut stage = Stage::new().await;
    let (_link, mut carried) = stage.open().await;
    // Its client may be coming back over a newer lane of another gateway: then a reset of this one means nothing.
    stage.revoke().await;
    assert_eq!(reset_code(&mut carried.lane).await, Ended::Revoked.code());
    stage.scene.until(|| stage.holder.kills() == [(carried.session, Ended::Revoked.code())]).await;
    stage.ended(carried.session, Ended::Revoked).await;
    assert_eq!(stage.ends_of(carried.session).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_a_session_that_ended_while_its_link_died_is_recorded_with_its_own_end() {
    let mut stage = Stage::new().await;
    let (_link, carried) = stage.open().await;
    let over = stage.holder.entry(State::Over(Ended::TargetFailed.code()));
    stage.holder.link.close(1006, "lost");
    stage.waits().await;
    stage.connector_back(vec![over]).await;
    stage.ended(carried.session, Ended::TargetFailed).await;
    assert_eq!(stage.ends_of(carried.session).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_client_whose_right_is_gone_does_not_come_back() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let elsewhere = stage.holder.entry(State::Attached);
    // A gateway that does not hold it: another one carries it, as far as the connector says.
    let mut stage = stage.restart().await;
    stage.connector_back(vec![elsewhere]).await;
    assert_eq!(stage.scene.node.held().waiting(), 0);
    stage.revoke().await;
    let (link, _incoming) = stage.dial().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::Revoked.code()));
    assert!(stage.holder.arrived().is_empty(), "no byte was carried");
    stage.scene.until(|| stage.holder.kills() == [(session, Ended::Revoked.code())]).await;
    stage.ended(session, Ended::Revoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_here_knew_goes_on_with_its_ticket() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let elsewhere = stage.holder.entry(State::Attached);
    let mut stage = stage.restart().await;
    stage.connector_back(vec![elsewhere]).await;
    let (link, _incoming) = stage.dial().await;
    let carried = stage.client.resume(&link).await.unwrap();
    assert_eq!(carried.session, session);
    let entry = stage.recorded(session, |entry| entry.generation == 2).await;
    assert_eq!(entry.ended, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_session_known_only_from_its_connector_is_watched_and_revoked() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let held = stage.holder.entry(State::Detached);
    let mut stage = stage.restart().await;
    stage.connector_back(vec![held]).await;
    stage.scene.until(|| stage.scene.node.live().len() == 1).await;
    stage.revoke().await;
    stage.scene.until(|| stage.holder.kills() == [(session, Ended::Revoked.code())]).await;
    let entry = stage.ended(session, Ended::Revoked).await;
    assert_eq!(entry.generation, 1);
    assert_eq!(stage.ends_of(session).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_session_whose_right_went_while_no_gateway_was_there_is_ended_on_sight() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let held = stage.holder.entry(State::Detached);
    let mut stage = stage.restart().await;
    stage.revoke().await;
    stage.connector_back(vec![held]).await;
    stage.scene.until(|| stage.holder.kills() == [(session, Ended::Revoked.code())]).await;
    stage.ended(session, Ended::Revoked).await;
    assert!(stage.scene.node.live().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_found_no_link_is_given_when_the_connector_names_the_session() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let held = stage.holder.entry(State::Detached);
    stage.holder.link.close(1006, "lost");
    let id = stage.connector.id;
    stage.scene.until(|| !stage.scene.node.connectors().registry().is_online(id)).await;
    stage.revoke().await;
    stage.ended(session, Ended::Revoked).await;
    stage.connector_back(vec![held]).await;
    stage.scene.until(|| stage.holder.kills() == [(session, Ended::Revoked.code())]).await;
    assert_eq!(stage.ends_of(session).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_that_waits_is_what_its_connector_says() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    stage.holder.tell(vec![stage.holder.entry(State::Over(Ended::TargetFailed.code()))]);
    stage.ended(session, Ended::TargetFailed).await;
    let (link, _incoming) = stage.dial().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Ended::TargetFailed.code()));
    assert!(stage.scene.node.live().is_empty());
    assert_eq!(stage.ends_of(session).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn news_that_a_session_goes_on_elsewhere_end_nothing() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let mut elsewhere = stage.holder.entry(State::Attached);
    elsewhere.generation = 2;
    stage.holder.tell(vec![elsewhere.clone()]);
    stage.scene.until(|| stage.scene.node.held().waiting() == 0).await;
    stage.scene.until(|| stage.scene.node.live().is_empty()).await;
    // It waits again after that attempt: this gateway watches it too.
    elsewhere.state = State::Detached;
    stage.holder.tell(vec![elsewhere]);
    stage.scene.until(|| stage.scene.node.live().len() == 1).await;
    let entry = stage.recorded(session, |_| true).await;
    assert_eq!(entry.ended, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_end_reaches_a_session_that_waits() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    stage.end_by_admin(session).await;
    stage.scene.until(|| !stage.holder.kills().is_empty()).await;
    stage.ended(session, Ended::EndedByAdmin).await;
    let (link, _incoming) = stage.dial().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Ended::EndedByAdmin.code()));
}
