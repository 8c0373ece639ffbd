//! Sessions that go on over another lane: who wins, whom they wait for, and how they end.

use crate::support::{
    Stage,
    streams::{Answer, Holder, StreamClient, echoed, reset_code},
};
use postern_ids::{Ended, Refusal, StreamId};
use postern_tunnel_io::inventory::State;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_session_goes_on_over_another_link_and_ends_once() {
    let mut stage = Stage::new().await;
    let ((link, _incoming), mut first) = stage.open().await;
    echoed(&mut first.lane, b"hello").await;
    link.close(1000, "another network");
    stage.waits().await;
    assert_eq!(stage.scene.node.live().len(), 1, "a revocation would find it");

    let (link, _incoming) = stage.dial().await;
    let mut second = stage.client.resume(&link).await.unwrap();
    assert_eq!(second.session, first.session);
    echoed(&mut second.lane, b"again").await;
    let arrived = stage.holder.arrived();
    assert_eq!(arrived[1].claims.session, first.session);
    assert_ne!(arrived[1].claims.jti, arrived[0].claims.jti, "another decision");
    let facts = |n: usize| arrived[n].claims.ses.clone().unwrap();
    assert_eq!(facts(1).started_at, facts(0).started_at);
    assert_eq!((facts(0).generation, facts(1).generation), (1, 2));

    second.lane.shutdown().await.unwrap();
    second.lane.read_to_end(&mut Vec::new()).await.unwrap();
    let entry = stage.ended(first.session, Ended::Finished).await;
    assert_eq!((entry.generation, entry.bytes_up, entry.bytes_down), (2, 10, 10));
    assert!(stage.scene.node.live().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_an_older_lane_that_nobody_missed_yet_lets_go() {
    let mut stage = Stage::new().await;
    let (_half_open, mut first) = stage.open().await;
    let (link, _incoming) = stage.dial().await;
    let mut second = stage.client.resume(&link).await.unwrap();
    assert_eq!(reset_code(&mut first.lane).await, Refusal::Superseded.code());
    stage.scene.until(|| stage.holder.end_of(1) == Some(Refusal::Superseded.code())).await;
    echoed(&mut second.lane, b"hello").await;
    assert_eq!(stage.scene.node.live().len(), 1);
    stage.recorded(first.session, |entry| entry.generation == 2 && entry.ended.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_of_two_resumes_at_once_the_newer_wins_and_the_other_is_told_so() {
    let mut stage = Stage::new().await;
    stage.open_and_lose().await;
    stage.holder.answer(Answer::Silence);
    let (link, _incoming) = stage.dial().await;
    let (second, third) = (stage.client.attach(true), stage.client.attach(true));
    let ticket = stage.client.ticket.clone();
    let mut twin = StreamClient { ticket, ..StreamClient::new() };
    let (twins_link, early) = (link.clone(), second.clone());
    let older = tokio::spawn(async move { twin.resume_with(&twins_link, early).await.map(|_| ()) });
    stage.scene.until(|| stage.holder.arrived().len() == 2).await;
    stage.holder.answer(Answer::Accept);
    let mut newer = stage.client.resume_with(&link, third).await.unwrap();
    assert_eq!(older.await.unwrap(), Err(Refusal::Superseded.code()));
    echoed(&mut newer.lane, b"hello").await;
    let late = stage.client.resume_with(&link, second).await;
    assert_eq!(late.map(|_| ()), Err(Refusal::Superseded.code()));
    echoed(&mut newer.lane, b"undisturbed").await;
    assert_eq!(stage.holder.arrived().len(), 3, "the connector was not asked again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_before_its_connector_waits_for_it() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let held = stage.holder.entry(State::Detached);
    stage.holder.link.close(1001, "another network");
    let id = stage.connector.id;
    stage.scene.until(|| !stage.scene.node.connectors().registry().is_online(id)).await;
    let (link, _incoming) = stage.dial().await;
    let early = stage.client.attach(true);
    let mut twin = StreamClient { ticket: stage.client.ticket.clone(), ..StreamClient::new() };
    let resuming = tokio::spawn(async move { twin.resume_with(&link, early).await.map(|c| c.session) });
    stage.scene.until(|| stage.scene.node.held().waiting() == 0).await;
    stage.connector_back(vec![held]).await;
    assert_eq!(resuming.await.unwrap(), Ok(session));
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_a_new_session_at_a_gateway_that_was_restarted_waits_for_its_connector() {
    let mut stage = Stage::new().await.restart().await;
    let (link, _incoming) = stage.dial().await;
    let mut client = StreamClient { instance: stage.connector.instance.to_bytes(), ..StreamClient::new() };
    let opening = tokio::spawn(async move { client.open(&link, "db-1").await.map(|_| ()) });
    stage.scene.until(|| stage.scene.node.live().len() == 1).await;
    stage.connector_back(Vec::new()).await;
    assert_eq!(opening.await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_whose_answer_was_lost_on_the_way_is_found_again() {
    let mut stage = Stage::new().await;
    stage.holder.answer(Answer::Silence);
    let (link, _incoming) = stage.dial().await;
    let early = stage.client.attach(false);
    let mut twin = StreamClient::new();
    let opening = tokio::spawn({
        let link = link.clone();
        async move { twin.open_with(&link, "db-1", early).await.map(|_| ()) }
    });
    stage.scene.until(|| stage.holder.arrived().len() == 1).await;
    let asked = stage.holder.arrived().remove(0);
    stage.holder.link.close(1006, "lost");
    assert_eq!(opening.await.unwrap(), Err(Refusal::LinkLost.code()));
    stage.waits().await;
    stage.connector_back(Vec::new()).await;
    // The connector's list did not name it: it is lost, and a new one may begin.
    stage.ended(asked.claims.session, Ended::Lost).await;
    let carried = stage.client.open(&link, "db-1").await.unwrap();
    assert_ne!(carried.session, asked.claims.session);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_that_is_sent_again_attaches_to_the_session_that_the_connector_has() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    // The client never heard that it was opened: it has no ticket and knows no process.
    (stage.client.ticket, stage.client.instance) = (None, [0; 16]);
    let (link, _incoming) = stage.dial().await;
    let mut again = stage.client.open(&link, "db-1").await.unwrap();
    assert_eq!(again.session, session);
    echoed(&mut again.lane, b"hello").await;
    assert!(stage.client.ticket.is_some());
    stage.recorded(session, |entry| entry.generation == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_the_connector_took_over_elsewhere_is_let_go_without_an_end() {
    let mut stage = Stage::new().await;
    let (_link, mut carried) = stage.open().await;
    echoed(&mut carried.lane, b"hello").await;
    stage.holder.detach(1, Refusal::Superseded.code());
    assert_eq!(reset_code(&mut carried.lane).await, Refusal::Superseded.code());
    stage.scene.until(|| stage.scene.node.live().is_empty()).await;
    let held = stage.scene.node.held();
    assert!(!held.knows(carried.session) && held.waiting() == 0);
    // What it carried is told; an end is not.
    let entry = stage.recorded(carried.session, |entry| entry.bytes_up == 5).await;
    assert_eq!(entry.ended, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_knows_a_newer_attempt_sends_the_client_back_to_try_again() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    stage.holder.answer(Answer::Refuse(Refusal::Superseded.code()));
    let (link, _incoming) = stage.dial().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::Superseded.code()));
    stage.waits().await;
    stage.holder.answer(Answer::Accept);
    assert_eq!(stage.client.resume(&link).await.unwrap().session, session);
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_a_stream_that_another_lane_took_with_the_first_grant_is_killed_with_its_session() {
    let mut stage = Stage::new().await;
    stage.holder.answer(Answer::Refuse(Refusal::Superseded.code()));
    let (link, _incoming) = stage.dial().await;
    let opened = stage.client.open(&link, "db-1").await;
    assert_eq!(opened.map(|_| ()), Err(Refusal::Superseded.code()));
    let session = stage.holder.arrived()[0].claims.session;
    stage.ended(session, Ended::NotOpened).await;
    let order = (session, Ended::NotOpened.code());
    stage.scene.until(|| stage.holder.kills() == [order]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_over_at_its_connector_is_over_here() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    stage.holder.answer(Answer::Refuse(Ended::TargetFailed.code()));
    let (link, _incoming) = stage.dial().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Ended::TargetFailed.code()));
    stage.ended(session, Ended::TargetFailed).await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Ended::TargetFailed.code()));
    assert_eq!(stage.holder.arrived().len(), 2, "it is remembered here");
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_go_to_a_connector_only_after_it_said_what_it_holds() {
    let stage = Stage::new().await;
    let second = stage.scene.connector(stage.site, "edge-2").await;
    let silent = Holder::start_silently(&stage.scene, &second, 0).await;
    let id = second.id;
    stage.scene.until(|| stage.scene.node.connectors().registry().is_online(id)).await;
    assert!(!stage.scene.node.connectors().registry().is_usable(id));
    silent.tell(Vec::new());
    stage.scene.online(id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_a_gateway_that_stops_lets_resumable_sessions_go_at_once_and_they_go_on_at_the_next() {
    let mut stage = Stage::new().await;
    let (_link, mut carried) = stage.open().await;
    echoed(&mut carried.lane, b"hello").await;
    let held = stage.holder.entry(State::Detached);
    let began = Instant::now();
    let mut stage = stage.restart().await;
    assert!(began.elapsed() < Duration::from_secs(10), "nobody waited for the drain: {:?}", began.elapsed());
    assert_eq!(reset_code(&mut carried.lane).await, Ended::GatewayStopped.code());
    stage.connector_back(vec![held]).await;
    let (link, _incoming) = stage.dial().await;
    let mut again = stage.client.resume(&link).await.unwrap();
    assert_eq!(again.session, carried.session);
    echoed(&mut again.lane, b"hello").await;
    let entry = stage.recorded(carried.session, |entry| entry.generation == 2).await;
    assert_eq!(entry.ended, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_at_either_end_ends_its_session() {
    let mut stage = Stage::new().await;
    let (_link, mut carried) = stage.open().await;
    stage.holder.reset(1, Ended::TargetFailed.code());
    assert_eq!(reset_code(&mut carried.lane).await, Ended::TargetFailed.code());
    stage.ended(carried.session, Ended::TargetFailed).await;
    stage.client.stream = StreamId::from_bytes(rand::random());
    let (_link, carried) = stage.open().await;
    carried.lane.reset(Ended::ClientLost.code());
    stage.ended(carried.session, Ended::ClientLost).await;
    stage.scene.until(|| stage.holder.end_of(2) == Some(Ended::ClientLost.code())).await;
    assert_eq!(stage.scene.node.held().waiting(), 0);
}
