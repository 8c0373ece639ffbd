//! Streams that are over: who learns it, and that nothing opens them again.

use crate::{
    client::{Attempt, Client, Record, acknowledge, data, finish, receive, reset, send, welcome},
    gateway::{Gateway, Scene},
    running::Running,
    target::{assert_untouched, target},
};
use postern_ids::{Ended, Refusal};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Both directions to their ends, half-closed in between. The client has heard everything, and its lane is still open.
async fn finish_both_ways(running: &mut Running) {
    send(&mut running.lane, 0, b"question").await;
    finish(&mut running.lane, 8).await;
    let mut question = String::new();
    running.tcp.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    running.tcp.write_all(b"answer").await.unwrap();
    running.tcp.shutdown().await.unwrap();
    assert_eq!(data(&mut running.lane).await, (0, b"answer".to_vec()));
    acknowledge(&mut running.lane, 7).await;
    while receive(&mut running.lane).await.is_some() {}
}

#[tokio::test]
async fn half_close_is_kept_and_a_client_that_missed_the_end_is_told() {
    let mut running = Running::start().await;
    finish_both_ways(&mut running).await;
    let missed = Attempt { received: 7, ..running.resume(6) };
    let mut lane =
        running.client.open(&running.gateway, &running.link, &running.claims, missed).await.unwrap();
    assert_eq!(welcome(&mut lane).await.0, 6);
    let told = receive(&mut lane).await;
    assert_eq!(told, Some(Record::Ack(9)), "everything arrived, and the end of it");
}

#[tokio::test]
async fn a_client_that_knows_the_end_is_not_told_of_it_again() {
    let mut running = Running::start().await;
    finish_both_ways(&mut running).await;
    running.lane.shutdown().await.unwrap();
    running.connector.until(|status| status.sessions_live == 0).await;
    let again = Attempt { received: 7, ..running.resume(6) };
    assert_eq!(running.refused(&running.claims, again).await, Refusal::ResumeUnknown);
}

/// Its client has everything, and did not say so.
async fn hear_everything(running: &mut Running) {
    finish(&mut running.lane, 0).await;
    running.tcp.write_all(b"answer").await.unwrap();
    running.tcp.shutdown().await.unwrap();
    while !matches!(receive(&mut running.lane).await, Some(Record::Fin(6))) {}
}

#[tokio::test]
async fn an_attach_that_acknowledges_everything_ends_the_stream() {
    let mut running = Running::start().await;
    hear_everything(&mut running).await;
    let told = Attempt { received: 7, ..running.resume(6) };
    let mut lane = running.client.open(&running.gateway, &running.link, &running.claims, told).await.unwrap();
    let (generation, received, _) = welcome(&mut lane).await;
    assert_eq!((generation, received), (6, 1), "the client's Fin had come");
    assert_eq!(receive(&mut lane).await, None, "the connector has nothing more to say");
    lane.shutdown().await.unwrap();
    running.connector.until(|status| status.sessions_live == 0).await;
    let again = Attempt { received: 7, ..running.resume(7) };
    assert_eq!(running.refused(&running.claims, again).await, Refusal::ResumeUnknown);
}

#[tokio::test]
async fn t06_an_open_that_is_replayed_after_the_window_dials_nothing_while_its_grant_lives() {
    let (target, address, allow) = target().await;
    let limits = "slots = 1\nresume_window_seconds = 1";
    let (gateway, _running) = Gateway::start(Scene { allow: &allow, limits, ..Scene::default() }).await;
    let link = gateway.accept().await.link;
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    let mut lane = client.open(&gateway, &link, &claims, Attempt::first()).await.unwrap();
    welcome(&mut lane).await;
    drop(target.accept().await.unwrap());
    link.kill(claims.session, Ended::EndedByAdmin.code());
    reset(&mut lane).await;
    // The window is over, and what is not remembered is forgotten once a second.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let opened = client.open(&gateway, &link, &claims, Attempt::first()).await;
    assert_eq!(opened.unwrap_err(), Ended::EndedByAdmin.code(), "it is told how its stream ended");
    assert_untouched(&target).await;
}

#[tokio::test]
async fn t06_no_stream_is_opened_that_could_not_be_remembered_in_its_turn() {
    let (target, address, allow) = target().await;
    let limits = "slots = 1\nsessions_max = 1";
    let (gateway, running) = Gateway::start(Scene { allow: &allow, limits, ..Scene::default() }).await;
    let link = gateway.accept().await.link;
    let open = async || {
        let client = Client::new();
        let claims = client.claims(&gateway, address);
        let lane = client.open(&gateway, &link, &claims, Attempt::first()).await?;
        drop(target.accept().await.unwrap());
        link.kill(claims.session, Ended::Revoked.code());
        running.until(|status| status.sessions_live == 0).await;
        drop(lane);
        Ok(())
    };
    for _ in 0..4 {
        assert_eq!(open().await, Ok(()));
    }
    assert_eq!(open().await, Err(Refusal::Limit.code()), "the grants of all four could open them again");
    assert_untouched(&target).await;
}
