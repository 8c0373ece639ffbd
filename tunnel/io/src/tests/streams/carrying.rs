//! Every byte arrives once and in order, whatever dies on the way.

use super::{
    scene::{STREAM, Scene, Setup, Stream, short},
    within,
};
use crate::{
    ForwardEnd, Side,
    stream::{StreamConfig, StreamState},
};
use aws_lc_rs::digest::{Context, SHA256};
use postern_ids::Ended;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split},
    time,
};

const MIB: usize = 1024 * 1024;

/// Writes `length` bytes that their position determines, in uneven pieces, then ends its direction.
async fn write_all(mut to: WriteHalf<DuplexStream>, length: usize) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    let mut at = 0;
    while at < length {
        let piece: Vec<u8> = (at..length.min(at + 1 + at * 31 % 50_000)).map(byte).collect();
        digest.update(&piece);
        to.write_all(&piece).await.unwrap();
        at += piece.len();
    }
    to.shutdown().await.unwrap();
    digest.finish().as_ref().to_vec()
}

async fn read_all(mut from: ReadHalf<DuplexStream>) -> (usize, Vec<u8>) {
    let mut digest = Context::new(&SHA256);
    let (mut length, mut buffer) = (0, vec![0; 32 * 1024]);
    loop {
        match from.read(&mut buffer).await.unwrap() {
            0 => return (length, digest.finish().as_ref().to_vec()),
            read => {
                digest.update(&buffer[..read]);
                length += read;
            }
        }
    }
}

fn byte(at: usize) -> u8 {
    u8::try_from(((at * 2_654_435_761) >> 13) & 0xff).unwrap()
}

/// Sends `up` and `down` bytes through at once and compares what arrives.
async fn both_ways(stream: &mut Stream, up: usize, down: usize, worry: impl Future<Output = ()>) {
    let program = std::mem::replace(&mut stream.program, tokio::io::duplex(1).0);
    let (program_in, program_out) = split(program);
    let exchange = async {
        let sending = tokio::spawn(write_all(program_out, up));
        let reading = tokio::spawn(read_all(program_in));
        let (target_in, target_out) = split(stream.target().await);
        let answering = tokio::spawn(write_all(target_out, down));
        let (read_up, digest_up) = read_all(target_in).await;
        let (read_down, digest_down) = reading.await.unwrap();
        assert_eq!((read_up, read_down), (up, down));
        assert!(sending.await.unwrap() == digest_up, "the bytes of the client arrived changed");
        assert!(answering.await.unwrap() == digest_down, "the bytes of the target arrived changed");
    };
    tokio::select! {
        () = async { time::timeout(Duration::from_secs(60), exchange).await.unwrap() } => {}
        () = async { worry.await; std::future::pending().await } => {}
    }
}

#[tokio::test]
async fn bytes_cross_both_ways_with_half_close_and_everybody_learns_that_it_finished() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    both_ways(&mut stream, 3 * MIB, 5 * MIB, async {}).await;
    let (client, connector) = stream.ends().await;
    for done in [client, connector] {
        assert_eq!((done.up, done.down, done.over.code), (3 << 20, 5 << 20, Ended::Finished.code()));
    }
    scene.until(|parts| !parts.forwarded.lock().unwrap().is_empty()).await;
    assert_eq!(scene.forward_ends(), [ForwardEnd::Finished]);
    assert!(matches!(scene.held().state(), StreamState::Over(over) if over.code == 1000));
}

#[tokio::test]
async fn the_first_bytes_go_with_the_first_attempt() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    stream.program.write_all(b"SSH-2.0-first").await.unwrap();
    let mut target = stream.target().await;
    let mut hello = [0; 13];
    within(target.read_exact(&mut hello)).await.unwrap();
    let attempts = scene.parts().attempts.lock().unwrap().clone();
    assert!(attempts.len() == 1 && attempts[0].ends_with(b"SSH-2.0-first"));
}

#[tokio::test]
async fn killed_links_of_the_client_lose_and_double_nothing() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let killer = async {
        for round in 0..40u64 {
            time::sleep(Duration::from_micros(300 + round * 137 % 3_000)).await;
            scene.kill_client_link();
            time::sleep(Duration::from_millis(round * 7 % 100)).await;
            scene.connect_client();
        }
    };
    both_ways(&mut stream, 8 * MIB, 8 * MIB, killer).await;
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (1000, 1000));
    assert!(!stream.has_another_target(), "the target is dialed once");
}

#[tokio::test]
async fn killed_links_of_the_connector_lose_and_double_nothing() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let killer = async {
        for round in 0..40u64 {
            time::sleep(Duration::from_micros(500 + round * 211 % 2_000)).await;
            scene.kill_connector_link();
            time::sleep(Duration::from_millis(round * 11 % 100)).await;
            scene.connect_connector();
        }
    };
    both_ways(&mut stream, 8 * MIB, 8 * MIB, killer).await;
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (1000, 1000));
    assert!(!stream.has_another_target(), "the target is dialed once");
}

#[tokio::test]
async fn t05_a_link_that_falls_silent_is_left_when_its_time_is_over() {
    let (scene, mut stream) = Scene::start_with(Setup { heartbeat: short(), ..Setup::default() });
    let mut target = stream.target().await;
    stream.program.write_all(b"before").await.unwrap();
    within(target.read_exact(&mut [0; 6])).await.unwrap();
    scene.silence_client_link();
    stream.program.write_all(b"after").await.unwrap();
    let mut after = [0; 5];
    within(target.read_exact(&mut after)).await.unwrap();
    assert_eq!(&after, b"after");
    assert!(scene.held().generation() >= 2);
}

#[tokio::test]
async fn a_newer_lane_supersedes_one_that_still_lives() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    stream.program.write_all(b"one").await.unwrap();
    within(target.read_exact(&mut [0; 3])).await.unwrap();
    // The link is lost to the client alone: at the gateway and the connector the old lane lives on.
    scene.abandon_client_link();
    stream.program.write_all(b"two").await.unwrap();
    let mut two = [0; 3];
    within(target.read_exact(&mut two)).await.unwrap();
    assert_eq!((&two, scene.held().generation()), (b"two", 2));
    scene.until(|parts| !parts.forwarded.lock().unwrap().is_empty()).await;
    let superseded = ForwardEnd::Reset { by: Side::B, code: 4409, detach: true };
    assert_eq!(scene.forward_ends(), [superseded]);
}

#[tokio::test]
async fn a_gateway_that_lets_go_by_order_loses_nothing() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let drains = async {
        for _ in 0..10 {
            time::sleep(Duration::from_millis(5)).await;
            scene.parts().detach.lock().unwrap().detach(Ended::GatewayStopped.code());
        }
    };
    both_ways(&mut stream, 4 * MIB, 4 * MIB, drains).await;
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (1000, 1000));
    // The last order may come when everything was said.
    let let_go = ForwardEnd::Detached(Ended::GatewayStopped.code());
    scene
        .until(|parts| parts.forwarded.lock().unwrap().iter().any(|forwarded| forwarded.end == let_go))
        .await;
}

#[tokio::test]
async fn both_ends_tell_how_the_stream_stands() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let _target = stream.target().await;
    scene.until(|parts| parts.told_client.lock().unwrap().len() == 1).await;
    scene.kill_client_link();
    scene.until(|parts| parts.told_connector.lock().unwrap().len() == 2).await;
    assert_eq!(scene.held().state(), StreamState::Detached { generation: 1 });
    scene.connect_client();
    scene.until(|parts| parts.told_client.lock().unwrap().len() == 3).await;
    stream.cut.cut(Ended::EndedByPrincipal);
    let (client, connector) = stream.ends().await;
    let generation = scene.held().generation();
    let states = |over| {
        vec![
            StreamState::Attached { generation: 1 },
            StreamState::Detached { generation: 1 },
            StreamState::Attached { generation },
            StreamState::Over(over),
        ]
    };
    assert_eq!(*scene.parts().told_client.lock().unwrap(), states(client.over));
    assert_eq!(*scene.parts().told_connector.lock().unwrap(), states(connector.over));
    assert_eq!((client.over.code, connector.over.code), (4451, 4451));
}

#[tokio::test]
async fn a_connector_that_missed_the_last_acknowledgement_is_told_that_everything_arrived() {
    let (scene, mut stream) = Scene::start_with(Setup { heartbeat: short(), ..Setup::default() });
    let mut target = stream.target().await;
    stream.program.shutdown().await.unwrap();
    within(target.read_to_end(&mut Vec::new())).await.unwrap();
    scene.mute_client_link();
    target.write_all(b"answer").await.unwrap();
    target.shutdown().await.unwrap();
    let mut answer = Vec::new();
    within(stream.program.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"answer");
    assert!(matches!(scene.held().state(), StreamState::Attached { .. }), "it waits for the acknowledgement");
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (1000, 1000));
    assert!(scene.held().generation() >= 2);
}

#[tokio::test]
async fn a_client_that_missed_the_end_is_told_after_the_target_is_gone() {
    let (scene, mut stream) = Scene::start(StreamConfig::default());
    let mut target = stream.target().await;
    stream.program.write_all(b"question").await.unwrap();
    stream.program.shutdown().await.unwrap();
    let mut question = Vec::new();
    within(target.read_to_end(&mut question)).await.unwrap();
    target.write_all(b"answer").await.unwrap();
    target.shutdown().await.unwrap();
    let mut answer = Vec::new();
    within(stream.program.read_to_end(&mut answer)).await.unwrap();
    assert_eq!((&question[..], &answer[..]), (&b"question"[..], &b"answer"[..]));
    // Nobody knows how far the last words got when the link dies now.
    scene.kill_client_link();
    scene.connect_client();
    let (client, connector) = stream.ends().await;
    assert_eq!((client.over.code, connector.over.code), (1000, 1000));
    assert_eq!(scene.held().id(), STREAM);
}
