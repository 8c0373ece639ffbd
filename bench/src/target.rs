//! What stands behind the connector: takes, gives, echoes or holds, as the first byte of a connection says.

use crate::process;
use anyhow::{Result, bail};
use postern_tunnel_io::{tune_end, tune_listener};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// `u64` bytes follow; answered with one byte.
pub(crate) const TAKE: u8 = b'U';
/// `u64` bytes are sent.
pub(crate) const GIVE: u8 = b'D';
/// Everything comes back.
pub(crate) const ECHO: u8 = b'E';
/// Answered with one byte, then held until the other side closes.
pub(crate) const HOLD: u8 = b'H';
/// Answered with how many are held and when the last of them was closed (µs since the epoch).
pub(crate) const STATE: u8 = b'S';

pub(crate) const BUFFER: usize = 256 * 1024;

#[derive(Debug, Default)]
struct Held {
    count: AtomicU64,
    last_closed: AtomicU64,
}

pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tune_listener(&listener);
    process::ready(listener.local_addr()?);
    let held = Arc::new(Held::default());
    loop {
        let (tcp, _) = listener.accept().await?;
        let held = Arc::clone(&held);
        tokio::spawn(async move { answer(tcp, &held).await });
    }
}

async fn answer(mut tcp: TcpStream, held: &Held) -> Result<()> {
    tune_end(&tcp)?;
    match tcp.read_u8().await? {
        TAKE => {
            let length = tcp.read_u64().await?;
            take(&mut tcp, length).await?;
            tcp.write_u8(1).await?;
        }
        GIVE => {
            let length = tcp.read_u64().await?;
            give(&mut tcp, length, None).await?;
        }
        ECHO => {
            let mut buffer = vec![0; 4096];
            loop {
                let length = tcp.read(&mut buffer).await?;
                if length == 0 {
                    break;
                }
                tcp.write_all(buffer.get(..length).unwrap_or_default()).await?;
            }
        }
        HOLD => {
            held.count.fetch_add(1, Ordering::Relaxed);
            let _ = tcp.write_u8(1).await;
            let _ = tcp.read_u8().await;
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
            held.last_closed.fetch_max(u64::try_from(now)?, Ordering::Relaxed);
            held.count.fetch_sub(1, Ordering::Relaxed);
        }
        STATE => {
            tcp.write_u64(held.count.load(Ordering::Relaxed)).await?;
            tcp.write_u64(held.last_closed.load(Ordering::Relaxed)).await?;
        }
        other => bail!("no such request: {other}"),
    }
    Ok(())
}

/// Reads `length` bytes and forgets them.
pub(crate) async fn take(from: &mut (impl AsyncRead + Unpin), mut length: u64) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    while length > 0 {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            bail!("the stream ended {length} bytes too early");
        }
        length = length.saturating_sub(read as u64);
    }
    Ok(())
}

/// Writes `length` bytes, at most `rate` bytes a second.
pub(crate) async fn give(to: &mut (impl AsyncWrite + Unpin), length: u64, rate: Option<u64>) -> Result<()> {
    let piece = if rate.is_some() { 16 * 1024 } else { BUFFER };
    let buffer: Vec<u8> = (0..piece).map(|i| u8::try_from(i % 251).unwrap_or(0)).collect();
    let begun = tokio::time::Instant::now();
    let mut sent = 0u64;
    while sent < length {
        let now = usize::try_from(length - sent).unwrap_or(piece).min(piece);
        to.write_all(buffer.get(..now).unwrap_or_default()).await?;
        sent += now as u64;
        if let Some(rate) = rate {
            tokio::time::sleep_until(begun + std::time::Duration::from_secs_f64(sent as f64 / rate as f64))
                .await;
        }
    }
    Ok(())
}

/// How many connections a target holds, and when the last was closed.
pub(crate) async fn held(address: std::net::SocketAddr) -> Result<(u64, u64)> {
    let mut tcp = TcpStream::connect(address).await?;
    tcp.write_u8(STATE).await?;
    Ok((tcp.read_u64().await?, tcp.read_u64().await?))
}
