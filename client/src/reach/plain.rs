//! Streams that end with their link (`POSTERN_RESUME=off`): the lane's bytes are the resource's.

use super::{
    ssh::host_keys,
    stdio::{Input, Output},
    stream::{
        Errand,
        lane::{NotOpened, Reached, open_plain},
    },
};
use crate::failure::Failure;
use postern_tunnel_io::{Cut, Lane, LaneReset};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

/// Large reads make large frames: 4 KiB ones cost twice the processor time per byte.
const BUFFER_BYTES: usize = 64 * 1024;

/// Opens a lane to the resource, at the next gateway if one passes it on, once more if the link died unnoticed.
pub(super) async fn open(errand: &Errand) -> Result<Lane, Failure> {
    let mut tries = errand.way.addresses() + 1;
    loop {
        tries -= 1;
        let kept = errand.way.link().await?;
        let to_next = match open_plain(&kept.link, &errand.resource).await {
            Ok(Reached { lane, reply }) => {
                host_keys::keep(&errand.home, reply.resource.name.as_str(), &reply.host_keys)?;
                return Ok(lane);
            }
            Err(NotOpened::Elsewhere(_)) if tries > 0 => true,
            Err(NotOpened::Unknown(_) | NotOpened::Unauthenticated(_)) if tries > 0 => false,
            Err(not) => return Err(not.into_failure()),
        };
        errand.way.leave(&kept, to_next);
    }
}

/// Carries bytes until the resource has said its last one.
pub(super) async fn carry(errand: &Errand, input: Input, output: Output, cut: Cut) -> Result<(), Failure> {
    let (from_lane, to_lane) = tokio::io::split(open(errand).await?);
    let carried = async { tokio::try_join!(send(input, to_lane), receive(from_lane, output)) };
    tokio::select! {
        carried = carried => carried.map(drop).map_err(|error| failure(&error)),
        ended = cut.wait() => Err(Failure::ended(ended.code())),
    }
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

async fn receive(mut lane: ReadHalf<Lane>, mut output: Output) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = lane.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        output.write_all(bytes).await?;
        output.flush().await?;
    }
    output.shutdown().await
}

fn failure(error: &io::Error) -> Failure {
    if let Some(LaneReset { code }) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return Failure::ended(*code);
    }
    if error.kind() == io::ErrorKind::ConnectionAborted {
        return Failure::unavailable("the connection to the gateway was lost");
    }
    Failure::unavailable(format!("the session broke: {error}"))
}
