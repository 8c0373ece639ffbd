//! A stream ends once at each end, with the right code, attached or not.

use super::{
    scene::{Scene, Setup},
    within,
};
use crate::{Cut, ForwardEnd, Side, stream::StreamConfig};
use postern_ids::Ended;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A window that a test can wait for.
const WINDOW: Duration = Duration::from_millis(400);

fn short_window() -> StreamConfig {
    StreamConfig { window: WINDOW, ..StreamConfig::default() }
}

#[tokio::test]
async fn a_cut_at_the_connector_is_told_to_the_gateway_and_to_the_client() {
    let cut = Cut::new();
    let (scene, mut stream) = Scene::start_with(Setup { cut: cut.clone(), ..Setup::default() });
    let mut target = stream.target().await;
    stream.program.write_all(b"x").await.unwrap();
    within(target.read_u8()).await.unwrap();
    cut.cut(Ended::UserDisabled);
    assert!(within(target.read_u8()).await.is_err(), "the target's connection is closed");
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4447, 4447));
    scene.until(|parts| !parts.forwarded.lock().unwrap().is_empty()).await;
    assert_eq!(scene.forward_ends(), [ForwardEnd::Reset { by: Side::B, code: 4447, detach: false }]);
}

#[tokio::test]
async fn a_cut_at_the_gateway_ends_the_stream_at_both_ends() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    stream.program.write_all(b"x").await.unwrap();
    within(target.read_u8()).await.unwrap();
    scene.parts().cut.lock().unwrap().cut(Ended::Revoked);
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4412, 4412));
    assert!(within(target.read_u8()).await.is_err());
    assert!(within(stream.program.read_u8()).await.is_err());
}

#[tokio::test]
async fn t07_a_stream_that_is_revoked_while_detached_is_over_and_its_client_learns_it() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    scene.kill_client_link();
    scene.until(|parts| parts.told_connector.lock().unwrap().len() == 2).await;
    stream.program.write_all(b"never delivered").await.unwrap();
    scene.held().end(Ended::Revoked);
    assert!(within(target.read_u8()).await.is_err(), "nothing reaches the target any more");
    scene.connect_client();
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4412, 4412));
}

#[tokio::test]
async fn a_stream_that_no_lane_carries_is_over_after_its_window_at_both_ends() {
    let (scene, mut stream) = Scene::start(short_window());
    let _target = stream.target().await;
    scene.until(|parts| parts.told_client.lock().unwrap().len() == 1).await;
    let begun = Instant::now();
    scene.kill_client_link();
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4410, 4410));
    assert!(begun.elapsed() >= WINDOW);
}

#[tokio::test]
async fn a_client_that_never_reached_its_target_gives_up_after_the_window() {
    let (scene, mut stream) = Scene::start(short_window());
    scene.kill_client_link();
    scene.kill_connector_link();
    assert_eq!(within(&mut stream.carrying).await.unwrap().over.code, 4410);
}

#[tokio::test]
async fn the_hard_expiry_comes_while_detached_too() {
    let expires_at = Some(Instant::now() + Duration::from_millis(300));
    let (scene, mut stream) = Scene::start_with(Setup { expires_at, ..Setup::default() });
    let mut target = stream.target().await;
    scene.kill_client_link();
    assert!(within(target.read_u8()).await.is_err());
    scene.connect_client();
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4445, 4445));
}

#[tokio::test]
async fn a_resume_may_move_the_hard_expiry() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let _target = stream.target().await;
    scene.held().set_expiry(Some(Instant::now()));
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4445, 4445));
}

#[tokio::test]
async fn a_target_that_resets_ends_the_stream_and_the_client_sees_a_reset() {
    let (_scene, mut stream) = Scene::start_with(Setup { is_tcp: true, ..Setup::default() });
    let target = stream.tcp_target().await;
    target.set_zero_linger().unwrap();
    drop(target);
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4444, 4444));
}

#[tokio::test]
async fn a_target_that_resets_while_the_stream_is_detached_is_told_at_the_next_attempt() {
    let (scene, mut stream) = Scene::start_with(Setup { is_tcp: true, ..Setup::default() });
    let target = stream.tcp_target().await;
    scene.kill_client_link();
    scene.until(|parts| parts.told_connector.lock().unwrap().len() == 2).await;
    target.set_zero_linger().unwrap();
    drop(target);
    scene.until(|parts| parts.told_connector.lock().unwrap().len() == 3).await;
    scene.connect_client();
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4444, 4444));
    assert_eq!(*scene.parts().refused.lock().unwrap(), [4444]);
}

#[tokio::test]
async fn a_loud_end_resets_the_targets_connection() {
    let (scene, mut stream) = Scene::start_with(Setup { is_tcp: true, ..Setup::default() });
    let mut target = stream.tcp_target().await;
    scene.held().end(Ended::Revoked);
    let error = within(target.read(&mut [0; 1])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(stream.ends().await.0.over.code, 4412);
}

#[tokio::test]
async fn a_program_that_is_gone_ends_the_stream_as_lost_client() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    stream.program = tokio::io::duplex(1).0;
    assert_eq!(within(target.read(&mut [0; 1])).await.unwrap(), 0, "its end of stream was passed on");
    target.write_all(b"for whom?").await.unwrap();
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (4442, 4442));
    scene.until(|parts| !parts.forwarded.lock().unwrap().is_empty()).await;
    assert_eq!(scene.forward_ends(), [ForwardEnd::Reset { by: Side::A, code: 4442, detach: false }]);
}

#[tokio::test]
async fn a_client_that_ends_its_stream_without_a_lane_is_done_at_once() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let _target = stream.target().await;
    scene.kill_client_link();
    stream.cut.cut(Ended::EndedByPrincipal);
    assert_eq!(within(&mut stream.carrying).await.unwrap().over.code, 4451);
}

#[tokio::test]
async fn a_client_that_is_dropped_takes_the_stream_with_it() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    scene.until(|parts| parts.told_client.lock().unwrap().len() == 1).await;
    stream.carrying.abort();
    assert!(within(target.read_u8()).await.is_err());
    scene.until(|parts| parts.told_connector.lock().unwrap().len() == 2).await;
}

#[tokio::test]
async fn bytes_that_were_on_their_way_arrive_before_an_orderly_end_and_none_after_a_loud_one() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    // More than the target's pipe holds: the connector waits for the target to read.
    stream.program.write_all(&[5; 100_000]).await.unwrap();
    scene.until(|parts| parts.told_client.lock().unwrap().len() == 1).await;
    within(target.read_exact(&mut [0; 1_000])).await.unwrap();
    scene.held().end(Ended::Revoked);
    let mut rest = Vec::new();
    within(target.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() <= super::near::PIPE, "{} bytes came after the end", rest.len());
}
