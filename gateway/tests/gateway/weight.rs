//! What a hostile connector costs the process of a gateway: measured on the program itself (T15).

use crate::{
    process::{Serving, config},
    support::{
        Bearer, PATIENCE, Scene, open,
        raw_peer::{CREDIT, Gate, Heard, OPEN, OPENED, RawPeer, frame},
    },
};
use postern_tunnel_io::{Dial, Lane, LinkConfig, Proxy, dial, tls::Trust};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::io::AsyncWriteExt;

const MIB: usize = 1024 * 1024;
/// What all links of one connector may hold, and the same again: what waits for them on the one link of their client.
const HELD_MAX: usize = 2 * 32 * MIB;
/// Sessions to it, each of a client that sends what it may: a window on the way in, another on the way out. Without a bound for
/// all of them that is 100 MiB.
const SESSIONS: usize = 200;
const SENT_BY_EACH: usize = MIB;
/// What the sessions themselves and the allocator add.
const NOISE: usize = 12 * MIB;
/// Nothing was taken for so long: the gateway takes no more.
const FULL_AFTER: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn t15_a_connector_that_takes_nothing_costs_no_more_than_its_links_and_its_clients_may_hold() {
    let scene = Scene::start().await;
    let ca_sha256 = scene.node.ca_sha256().unwrap();
    let site = scene.site("office").await;
    let resource = scene.resource(site, "db-1").await;
    let account = scene.account("robot").await;
    scene.grant(&account, resource).await;
    let connector = scene.connector(site, "hostile").await;
    // From here on a program of its own serves what was made.
    let Scene { node, dir } = scene;
    node.stop().await;
    let program = Serving::start(&config(dir.path(), ""));
    let gate = Gate { url: public_url(&dir), ca_sha256 };
    // Its own two links share what they may hold.
    let mut peers = [
        RawPeer::connector_at(&gate, &connector, 0, "").await,
        RawPeer::connector_at(&gate, &connector, 1, "").await,
    ];
    let (link, _incoming) = dial(Dial {
        url: gate.url.join("/tunnel/client").unwrap(),
        tls: Trust::pinned(ca_sha256).into(),
        proxy: Proxy::direct(),
        credentials: &mut Bearer(account.token.clone()),
        config: LinkConfig::default(),
    })
    .await
    .unwrap();
    let mut lanes = Vec::new();
    for _ in 0..SESSIONS {
        let (opened, ()) = tokio::join!(open(&link, "db-1"), welcome(&mut peers));
        lanes.push(opened.unwrap().lane);
    }
    let before = pss(program.child.id());
    let taken = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> =
        lanes.into_iter().map(|lane| tokio::spawn(send(lane, Arc::clone(&taken)))).collect();
    let taken = full(&taken).await;
    let grown = pss(program.child.id()).saturating_sub(before);
    println!("{} MiB were taken, the process grew by {} MiB", taken / MIB, grown / MIB);
    assert!(
        taken >= HELD_MAX / 2 && grown >= HELD_MAX / 4,
        "{taken} sent, grown by {grown}: nothing was tried"
    );
    assert!(grown <= HELD_MAX + NOISE, "the process grew by {grown} bytes for one connector");
    senders.iter().for_each(tokio::task::JoinHandle::abort);
}

/// One of the links gets an Open, answers it, promises to take a lot, and takes nothing from then on.
async fn welcome([one, two]: &mut [RawPeer; 2]) {
    let (heard, first) = tokio::select! {
        heard = one.until(OPEN) => (heard, true),
        heard = two.until(OPEN) => (heard, false),
    };
    let Heard::Frame { lane, .. } = heard else { panic!("{heard:?}") };
    let promise = u32::try_from(4 * SENT_BY_EACH).unwrap().to_be_bytes();
    let answer = [frame(OPENED, lane, b""), frame(CREDIT, lane, &promise)].concat();
    if first { one } else { two }.say(&answer).await;
}

async fn send(mut lane: Lane, taken: Arc<AtomicUsize>) {
    let chunk = vec![7; 16 * 1024];
    for _ in 0..SENT_BY_EACH / chunk.len() {
        if lane.write_all(&chunk).await.is_err() {
            return;
        }
        taken.fetch_add(chunk.len(), Ordering::Relaxed);
    }
    // The end of the lane would let the gateway forget it.
    std::future::pending::<()>().await;
}

/// Waits until no more is taken, and says how much was.
async fn full(taken: &AtomicUsize) -> usize {
    let wait = async {
        loop {
            let before = taken.load(Ordering::Relaxed);
            tokio::time::sleep(FULL_AFTER).await;
            if taken.load(Ordering::Relaxed) == before {
                return before;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("an end")
}

fn public_url(dir: &tempfile::TempDir) -> url::Url {
    let addresses = fs::read(dir.path().join("state/addresses.json")).unwrap();
    let addresses: serde_json::Value = serde_json::from_slice(&addresses).unwrap();
    addresses["public_url"].as_str().unwrap().parse().unwrap()
}

/// What a process has of the machine's memory, its part of what is shared included.
fn pss(process: u32) -> usize {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
