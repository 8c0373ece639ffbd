//! What a stream holds, and what it costs when nothing happens.

use super::{near::PIPE, scene::Scene, within};
use crate::{
    Budget, splice,
    stream::{Held, StreamConfig, Terms, carry, hold},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    time,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What links, lanes and pipes on the way hold beside the stream itself.
const ON_THE_WAY: usize = 2 * MIB;

/// Writes until nothing more is taken for a while; says how much that was.
async fn fill(to: &mut DuplexStream) -> usize {
    let mut written = 0;
    while let Ok(taken) = time::timeout(Duration::from_millis(200), to.write(&[7; 16 * KIB])).await {
        written += taken.unwrap();
        assert!(written < 64 * MIB, "nothing limits the source");
    }
    written
}

#[tokio::test]
async fn a_target_that_does_not_read_slows_its_client_and_stops_nothing_else() {
    let (_scene, mut stream) =
        Scene::start(StreamConfig { unread_max: MIB, replay_max: MIB, ..StreamConfig::default() });
    let mut target = stream.target().await;
    let written = fill(&mut stream.program).await;
    assert!(written <= 2 * MIB + ON_THE_WAY, "{written} bytes");
    let answering = tokio::spawn(async move {
        target.write_all(&vec![9; 24 * MIB]).await.unwrap();
        target
    });
    let mut answer = vec![0; 24 * MIB];
    within(stream.program.read_exact(&mut answer)).await.unwrap();
    let mut target = within(answering).await.unwrap();
    let mut question = vec![0; written];
    within(target.read_exact(&mut question)).await.unwrap();
    assert!(question.iter().all(|&byte| byte == 7) && answer.iter().all(|&byte| byte == 9));
}

#[tokio::test]
async fn a_detached_stream_reads_its_target_up_to_its_cap_and_delivers_it_later() {
    let replay_max = 256 * KIB;
    let (scene, mut stream) = Scene::start(StreamConfig { replay_max, ..StreamConfig::default() });
    let mut target = stream.target().await;
    scene.until(|parts| parts.told_client.lock().unwrap().len() == 1).await;
    scene.kill_client_link();
    scene.until(|parts| parts.told_connector.lock().unwrap().len() == 2).await;
    let written = fill(&mut target).await;
    assert!((replay_max / 2..=replay_max + PIPE).contains(&written), "{written} bytes");
    scene.connect_client();
    let mut read = vec![0; written];
    within(stream.program.read_exact(&mut read)).await.unwrap();
    assert!(read.iter().all(|&byte| byte == 7));
}

#[tokio::test]
async fn streams_under_pressure_hold_less_and_still_arrive() {
    let budget = Budget::new(MIB);
    let config = StreamConfig { budget: budget.clone(), ..StreamConfig::default() };
    let mut scenes: Vec<_> = (0..4).map(|_| Scene::start(config.clone())).collect();
    let mut targets = Vec::new();
    for (scene, stream) in &mut scenes {
        let target = stream.target().await;
        scene.until(|parts| parts.told_client.lock().unwrap().len() == 1).await;
        scene.kill_client_link();
        scene.until(|parts| parts.told_connector.lock().unwrap().len() == 2).await;
        targets.push(target);
    }
    let mut written = Vec::new();
    for target in &mut targets {
        written.push(fill(target).await);
    }
    assert!(budget.used() <= MIB + MIB / 2, "{} bytes", budget.used());
    assert!(written.iter().all(|&written| written > 0), "{written:?}");
    for ((scene, stream), written) in scenes.iter_mut().zip(written) {
        scene.connect_client();
        let mut read = vec![0; written];
        within(stream.program.read_exact(&mut read)).await.unwrap();
    }
    time::timeout(Duration::from_secs(10), async {
        while budget.used() > 0 {
            time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_stream_at_rest_holds_no_buffer() {
    let budget = Budget::new(64 * MIB);
    let config = StreamConfig { budget: budget.clone(), ..StreamConfig::default() };
    let (scene, mut stream) = Scene::start(config);
    let mut target = stream.target().await;
    stream.program.write_all(&[1; 10_000]).await.unwrap();
    within(target.read_exact(&mut [0; 10_000])).await.unwrap();
    target.write_all(&[2; 10_000]).await.unwrap();
    within(stream.program.read_exact(&mut [0; 10_000])).await.unwrap();
    scene.until(|_| budget.used() == 0).await;
}

/// Bytes of the future that such a function gives.
macro_rules! future_size {
    ($name:ident, $($argument:ident),*) => {
        fn $name<$($argument,)* Made>(_: fn($($argument),*) -> Made) -> usize {
            size_of::<Made>()
        }
    };
}
future_size!(size_of_two, A, B);
future_size!(size_of_three, A, B, C);

type Holds<A, F, E> = fn(A, TcpStream, Terms) -> Result<(Held, F), E>;

fn size_of_held<A, F, E>(_: Holds<A, F, E>) -> usize {
    size_of::<F>() + Held::<TcpStream>::SIZE
}

#[test]
fn an_idle_stream_costs_at_most_two_kib_more_than_a_plain_splice_at_each_end() {
    let plain = size_of_three(splice);
    let held = size_of_held(hold::<TcpStream>);
    let carried = size_of_two(carry::<TcpStream, Scene>);
    assert!(held <= plain + 2 * KIB && carried <= plain + 2 * KIB, "{plain}, {held}, {carried}");
}
