//! WebSockets that do nothing, from many people; it can be told to open more, and tells when each was closed.

use super::tls::{Destination, Dialler};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::client::TlsStream;

const AT_ONCE: usize = 50;
/// The first byte of a close frame.
const CLOSE: u8 = 0x88;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    destination: Destination,
    /// A file with a cookie in each line; it is read again whenever sockets are opened.
    #[arg(long)]
    cookies: PathBuf,
}

/// One that was closed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Closed {
    /// Whose it was, by the line of the cookie.
    pub(crate) person: usize,
    /// When, in microseconds since the epoch.
    pub(crate) at_us: u64,
    /// Whether a close frame came first.
    pub(crate) with_a_word: bool,
}

/// How they stand.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) open: usize,
    /// Since the last report.
    pub(crate) closed: Vec<Closed>,
}

type Standing = Arc<Mutex<Report>>;

/// Opens as many as each line of its input says; tells how they stand at a line that says nothing.
pub(super) async fn run(args: Args) -> Result<()> {
    let standing = Standing::default();
    let dialler = Arc::new(args.destination.dialler()?);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if !line.is_empty() {
            let people = std::fs::read_to_string(&args.cookies)?;
            let requests = people.lines().map(|cookie| request(&args.destination.authority, cookie));
            open(&dialler, requests.collect(), line.parse()?, &standing).await?;
        }
        let told = {
            let mut standing = standing.lock().unwrap_or_else(PoisonError::into_inner);
            Report { open: standing.open, closed: std::mem::take(&mut standing.closed) }
        };
        println!("{}", serde_json::to_string(&told)?);
    }
    Ok(())
}

fn request(authority: &str, cookie: &str) -> Arc<str> {
    format!(
        "GET /socket HTTP/1.1\r\nHost: {authority}\r\nOrigin: https://{authority}\r\nCookie: {cookie}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into()
}

async fn open(
    dialler: &Arc<Dialler>,
    requests: Vec<Arc<str>>,
    count: usize,
    standing: &Standing,
) -> Result<()> {
    let mut opening = JoinSet::new();
    for (person, request) in requests.iter().enumerate().cycle().take(count) {
        if opening.len() >= AT_ONCE {
            opening.join_next().await.context("one that opens")???;
        }
        let (dialler, request, standing) = (Arc::clone(dialler), Arc::clone(request), Arc::clone(standing));
        opening.spawn(async move {
            let socket = upgrade(&dialler, &request).await?;
            standing.lock().unwrap_or_else(PoisonError::into_inner).open += 1;
            tokio::spawn(watch(socket, person, standing));
            anyhow::Ok(())
        });
    }
    while let Some(opened) = opening.join_next().await {
        opened??;
    }
    Ok(())
}

async fn upgrade(dialler: &Dialler, request: &str) -> Result<TlsStream<TcpStream>> {
    let mut tls = dialler.dial().await?;
    tls.write_all(request.as_bytes()).await?;
    tls.flush().await?;
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tls.read_u8().await.context("no answer to an upgrade")?);
    }
    anyhow::ensure!(
        head.starts_with(b"HTTP/1.1 101 "),
        "an upgrade was answered {:?}",
        String::from_utf8_lossy(&head)
    );
    Ok(tls)
}

async fn watch(mut socket: TlsStream<TcpStream>, person: usize, standing: Standing) {
    let mut first = None;
    let mut buffer = [0; 256];
    while let Ok(count @ 1..) = socket.read(&mut buffer).await {
        first = first.or_else(|| buffer.get(..count)?.first().copied());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let at_us = u64::try_from(now).unwrap_or(u64::MAX);
    let mut standing = standing.lock().unwrap_or_else(PoisonError::into_inner);
    standing.open -= 1;
    standing.closed.push(Closed { person, at_us, with_a_word: first == Some(CLOSE) });
}
