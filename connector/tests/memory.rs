//! What a session costs that can outlive its links, measured beside one that cannot. In a process of its own: other tests
//! would be measured as well.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "shared with the other tests")]
#[path = "connector/client.rs"]
mod client;
#[expect(dead_code, reason = "shared with the other tests")]
#[path = "connector/gateway.rs"]
mod gateway;

use client::{Attempt, Client, welcome};
use gateway::{Gateway, Scene};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

// As in the connector itself.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SESSIONS: usize = 1_500;
const WARM_UP: usize = 200;
const MORE_MAX_BYTES: usize = 4 * 1024;

/// The memory of this process that nobody shares, in bytes.
fn memory() -> usize {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Takes connections and keeps them.
fn keep(listener: TcpListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut all: Vec<TcpStream> = vec![];
        loop {
            all.push(listener.accept().await.unwrap().0);
        }
    })
}

struct Measured {
    gateway: Gateway,
    link: postern_tunnel_io::Link,
    address: SocketAddr,
}

impl Measured {
    /// Opens that many plain sessions.
    async fn plain(&self, sessions: usize) {
        for _ in 0..sessions {
            let opened = self.gateway.open(&self.link, &self.gateway.claims(self.address)).await.unwrap();
            std::mem::forget(opened);
        }
    }

    /// Opens that many sessions that can outlive their links.
    async fn resumable(&self, sessions: usize) {
        for _ in 0..sessions {
            let client = Client::new();
            let claims = client.claims(&self.gateway, self.address);
            let opened = client.open(&self.gateway, &self.link, &claims, Attempt::first()).await;
            let mut lane = opened.unwrap();
            welcome(&mut lane).await;
            std::mem::forget(lane);
        }
    }

    async fn settled(&self) -> usize {
        // What was freed goes back to the system after a moment; timers of fresh sessions run out.
        tokio::time::sleep(Duration::from_secs(1)).await;
        memory()
    }
}

#[tokio::test]
async fn an_idle_session_that_can_be_resumed_costs_at_most_four_kib_more() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = target.local_addr().unwrap();
    let _keeping = keep(target);
    let allow = [address.to_string()];
    let (gateway, _running) = Gateway::start(Scene { allow: &allow, ..Scene::default() }).await;
    let link = gateway.accept().await.link;
    let measured = Measured { gateway, link, address };
    measured.plain(WARM_UP).await;
    measured.resumable(WARM_UP).await;
    let before = measured.settled().await;
    measured.plain(SESSIONS).await;
    let plain = measured.settled().await;
    measured.resumable(SESSIONS).await;
    let resumable = measured.settled().await;
    let (plain, resumable) = ((plain - before) / SESSIONS, (resumable - plain) / SESSIONS);
    println!(
        "a plain session: {plain} bytes, one that can be resumed: {resumable} bytes, both ends of its lane"
    );
    assert!(resumable <= plain + MORE_MAX_BYTES, "{plain} bytes, {resumable} bytes");
}
