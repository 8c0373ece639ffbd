//! `postern proxy`: standard input and output to a resource.

use super::{ResourceRef, link_to, open, ssh::host_keys, stdio};
use crate::{
    bearer,
    failure::Failure,
    home::{Home, Profile},
};
use postern_tunnel_io::{Lane, LaneReset, Link};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    signal::unix::{SignalKind, signal},
    time,
};

/// Large reads make large frames: 4 KiB ones cost twice the processor time per byte.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long the end of a session may take to reach the gateway.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Carries bytes until the resource has said its last one.
pub async fn run(home: &Home, resource: &ResourceRef) -> Result<(), Failure> {
    let profile = Profile::require(home)?;
    let bearer = bearer::get(home, &profile).await?;
    let (link, _incoming) = link_to(&profile, &bearer).await?;
    let reached = open(&link, resource).await?;
    host_keys::keep(home, reached.reply.resource.name.as_str(), &reached.reply.host_keys)?;
    // Beside the session: the next command finds fresh tokens.
    let refresh = tokio::spawn(bearer::refresh_early(home.clone(), profile));
    let mut carrying = std::pin::pin!(carry(reached.lane));
    let carried = tokio::select! {
        carried = &mut carrying => carried,
        () = hung_up() => time::timeout(LAST_WORDS, carrying).await.unwrap_or(Ok(())),
    };
    refresh.abort();
    leave(&link).await;
    carried
}

/// ssh hangs up on its proxy the moment it ends; what it said before still has to arrive.
async fn hung_up() {
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => drop(hangup.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// Leaves in order: an end that is still on its way would be recorded as a lost client.
async fn leave(link: &Link) {
    let sent = async {
        while link.lanes() > 0 && !link.is_closed() {
            time::sleep(Duration::from_millis(1)).await;
        }
        link.close(1000, "done");
        link.closed().await
    };
    let _ = time::timeout(LAST_WORDS, sent).await;
}

async fn carry(lane: Lane) -> Result<(), Failure> {
    let (from_lane, to_lane) = tokio::io::split(lane);
    let mut upload = tokio::spawn(send(stdio::input(), to_lane));
    let mut download = tokio::spawn(receive(from_lane));
    let (mut sent, mut received) = (false, false);
    while !(sent && received) {
        let result = tokio::select! {
            result = &mut upload, if !sent => { sent = true; result }
            result = &mut download, if !received => { received = true; result }
        };
        joined(result).map_err(|error| failure(&error))?;
    }
    Ok(())
}

fn joined(result: Result<io::Result<()>, tokio::task::JoinError>) -> io::Result<()> {
    result.unwrap_or_else(|error| Err(io::Error::other(error)))
}

async fn send(mut input: impl AsyncRead + Unpin, mut lane: WriteHalf<Lane>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = input.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        lane.write_all(bytes).await?;
    }
    lane.shutdown().await
}

async fn receive(mut lane: ReadHalf<Lane>) -> io::Result<()> {
    let mut output = stdio::output();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = lane.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        let written = async {
            output.write_all(bytes).await?;
            output.flush().await
        };
        if let Err(error) = written.await {
            // Whoever read has gone. If the resource is about to end as well, the session ended in order.
            let ended = time::timeout(LAST_WORDS, discard(lane)).await;
            return ended.unwrap_or(Err(error));
        }
    }
    stdio::close_output(output);
    Ok(())
}

async fn discard(mut lane: ReadHalf<Lane>) -> io::Result<()> {
    tokio::io::copy(&mut lane, &mut tokio::io::sink()).await.map(drop)
}

fn failure(error: &io::Error) -> Failure {
    if let Some(LaneReset { code }) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return Failure::ended(*code);
    }
    let kind = error.kind();
    if kind == io::ErrorKind::BrokenPipe {
        return Failure::unavailable("whoever read the output has gone");
    }
    if kind == io::ErrorKind::ConnectionAborted {
        return Failure::unavailable("the connection to the gateway was lost");
    }
    Failure::unavailable(format!("the session broke: {error}"))
}
