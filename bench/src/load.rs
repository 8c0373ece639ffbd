//! The load generators.

use crate::{
    lanes,
    stats::Summary,
    target::{self, ECHO, GIVE, HOLD, TAKE},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use clap::{Subcommand, ValueEnum};
use postern_tunnel_io::{Open, connect_address, tune_end};
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    Up,
    Down,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Load {
    /// Streams that carry as much as they can.
    Bulk {
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        direction: Direction,
        #[arg(long, required_unless_present = "seconds")]
        bytes: Option<u64>,
        /// Up for so long instead.
        #[arg(long)]
        seconds: Option<f64>,
        #[arg(long, default_value_t = 1)]
        streams: usize,
        /// Bytes a second of each stream (up only).
        #[arg(long)]
        rate: Option<u64>,
    },
    /// 64-byte round trips, paced.
    Ping {
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        count: usize,
        #[arg(long, default_value_t = 2_000)]
        interval_us: u64,
    },
    /// Sessions opened and closed as fast as may be, one at a time on each link.
    Opens {
        #[command(flatten)]
        client: lanes::ClientArgs,
        #[arg(long)]
        count: usize,
    },
    /// Connections that do nothing, until a line comes on stdin.
    Idle {
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        count: usize,
    },
}

/// What a bulk run took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bulk {
    /// From the first byte to the end of the last stream.
    pub(crate) seconds: f64,
    /// Of each stream.
    pub(crate) each: Vec<f64>,
    /// All streams together.
    pub(crate) bytes_per_second: f64,
}

impl Load {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Bulk { address, direction, bytes, seconds, streams, rate } => {
                let much = match (bytes, seconds) {
                    (Some(bytes), _) => Much::Bytes(bytes),
                    (None, seconds) => Much::Time(Duration::from_secs_f64(seconds.unwrap_or(1.0))),
                };
                print_json(&bulk(address, direction, much, streams, rate).await?)
            }
            Self::Ping { address, count, interval_us } => {
                print_json(&ping(address, count, Duration::from_micros(interval_us)).await?)
            }
            Self::Opens { client, count } => print_json(&opens(&client, count).await?),
            Self::Idle { address, count } => idle(address, count).await,
        }
    }
}

fn print_json<T: Serialize>(value: &T) -> Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let tcp = connect_address(address).await.with_context(|| format!("connecting to {address}"))?;
    tune_end(&tcp)?;
    Ok(tcp)
}

#[derive(Debug, Clone, Copy)]
enum Much {
    Bytes(u64),
    Time(Duration),
}

async fn bulk(
    address: SocketAddr,
    direction: Direction,
    much: Much,
    streams: usize,
    rate: Option<u64>,
) -> Result<Bulk> {
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..streams {
        running.spawn(one_bulk(address, direction, much, rate));
    }
    let mut each = Vec::with_capacity(streams);
    let mut total = 0;
    while let Some(done) = running.join_next().await {
        let (bytes, seconds) = done??;
        total += bytes;
        each.push(seconds);
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Bulk { seconds, each, bytes_per_second: total as f64 / seconds })
}

async fn one_bulk(
    address: SocketAddr,
    direction: Direction,
    much: Much,
    rate: Option<u64>,
) -> Result<(u64, f64)> {
    let mut tcp = connect(address).await?;
    let begun = Instant::now();
    let bytes = match (direction, much) {
        (Direction::Up, Much::Bytes(bytes)) => {
            tcp.write_u8(TAKE).await?;
            tcp.write_u64(bytes).await?;
            target::give(&mut tcp, bytes, rate).await?;
            tcp.read_u8().await?;
            bytes
        }
        (Direction::Down, Much::Bytes(bytes)) => {
            tcp.write_u8(GIVE).await?;
            tcp.write_u64(bytes).await?;
            target::take(&mut tcp, bytes).await?;
            bytes
        }
        (_, Much::Time(time)) => {
            tcp.write_u8(TAKE).await?;
            tcp.write_u64(u64::MAX).await?;
            let mut sent = 0;
            while begun.elapsed() < time {
                sent += give_slice(&mut tcp, rate).await?;
            }
            sent
        }
    };
    Ok((bytes, begun.elapsed().as_secs_f64()))
}

/// A part of an endless transfer: 100 ms of a paced one.
async fn give_slice(tcp: &mut TcpStream, rate: Option<u64>) -> Result<u64> {
    let bytes = rate.map_or(4 * target::BUFFER as u64, |rate| rate / 10);
    target::give(tcp, bytes, rate).await?;
    Ok(bytes)
}

async fn ping(address: SocketAddr, count: usize, interval: Duration) -> Result<Summary> {
    let mut tcp = connect(address).await?;
    tcp.write_u8(ECHO).await?;
    let mut micros = Vec::with_capacity(count);
    let mut ticks = time::interval(interval);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let message = [7u8; 64];
    let mut answer = [0u8; 64];
    for round in 0..count + count / 10 {
        ticks.tick().await;
        let begun = Instant::now();
        tcp.write_all(&message).await?;
        tcp.read_exact(&mut answer).await?;
        // The first tenth warms the path up.
        if round >= count / 10 {
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    Ok(Summary::of(micros))
}

/// What opening sessions took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Opens {
    pub(crate) per_second: f64,
    /// Of one open, in milliseconds.
    pub(crate) millis: Summary,
}

async fn opens(client: &lanes::ClientArgs, count: usize) -> Result<Opens> {
    let links = client.links().await?;
    let metadata = client.metadata();
    // Each link once before the clock runs: principals and connections are warm.
    for (link, _) in &links {
        link.open(Open { flow: 0, metadata: metadata.clone(), early: Bytes::new() }).await?;
    }
    let each = count / links.len().max(1);
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for (link, _) in &links {
        let (link, metadata) = (link.clone(), metadata.clone());
        running.spawn(async move {
            let mut millis = Vec::with_capacity(each);
            for _ in 0..each {
                let begun = Instant::now();
                let opened =
                    link.open(Open { flow: 0, metadata: metadata.clone(), early: Bytes::new() }).await?;
                millis.push(begun.elapsed().as_secs_f64() * 1e3);
                drop(opened);
            }
            anyhow::Ok(millis)
        });
    }
    let mut millis = Vec::with_capacity(count);
    while let Some(done) = running.join_next().await {
        millis.extend(done??);
    }
    Ok(Opens { per_second: millis.len() as f64 / begun.elapsed().as_secs_f64(), millis: Summary::of(millis) })
}

async fn idle(address: SocketAddr, count: usize) -> Result<()> {
    const AT_ONCE: usize = 50;
    let mut held = Vec::with_capacity(count);
    let mut opening = JoinSet::new();
    for _ in 0..count {
        if opening.len() >= AT_ONCE
            && let Some(opened) = opening.join_next().await
        {
            held.push(opened??);
        }
        opening.spawn(async move {
            let mut tcp = connect(address).await?;
            tcp.write_u8(HOLD).await?;
            tcp.read_u8().await?;
            anyhow::Ok(tcp)
        });
    }
    while let Some(opened) = opening.join_next().await {
        held.push(opened??);
    }
    println!("held {}", held.len());
    let mut line = [0u8; 1];
    let _ = tokio::io::stdin().read(&mut line).await;
    drop(held);
    println!("closed");
    let _ = tokio::io::stdin().read(&mut line).await;
    Ok(())
}
