//! Resumable streams between the same ends as plain lanes: what lets a session outlive its link, and what that costs.

use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_io::{
    Cut, IncomingLane, Lane, Link, Open, OpenError,
    stream::{
        Arrival, Attempt, Carry, Connect, ConnectError, StreamConfig, StreamKey, Terms, carry, hold,
        read_attach,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpStream;

const INSTANCE: [u8; 16] = [1; 16];

/// Whether a lane carries a resumable stream.
pub(crate) fn is_resumable(lane: &IncomingLane) -> bool {
    read_attach(&lane.early).is_some()
}

/// Carries a connection over lanes of this link, each opened with these metadata.
pub(crate) async fn carry_over(link: Link, metadata: Bytes, tcp: TcpStream, config: StreamConfig) {
    let Ok(key) = StreamKey::generate() else { return };
    let id = StreamId::from_bytes(rand::random());
    let done =
        carry(Carry { local: tcp, id, key, config, cut: Cut::new() }, OneLink { link, metadata }).await;
    if done.over.code != 1000 {
        eprintln!("lane-client: the stream ended with {:?}", done.over);
    }
}

struct OneLink {
    link: Link,
    metadata: Bytes,
}

impl Connect for OneLink {
    async fn connect(&mut self, attempt: Attempt) -> Result<Lane, ConnectError> {
        let open = Open { flow: 0, metadata: self.metadata.clone(), early: attempt.early };
        match self.link.open(open).await {
            Ok(opened) => Ok(opened.lane),
            Err(OpenError::Refused { code, .. }) => Err(ConnectError::Final(code)),
            Err(OpenError::LinkLost) => Err(ConnectError::Final(4486)),
            Err(OpenError::Limit) => Err(ConnectError::Retry(Duration::ZERO)),
        }
    }
}

/// Holds the stream of a lane that has one.
pub(crate) async fn hold_for(lane: IncomingLane, tcp: TcpStream, config: StreamConfig) {
    let arrival = match Arrival::read(lane) {
        Ok(arrival) => arrival,
        Err(lane) => return lane.refuse(4400, b"no attach"),
    };
    let on_change = Arc::new(|_, _| {});
    let terms = Terms { instance: INSTANCE, config, expires_at: None, cut: Cut::new(), on_change };
    match hold(arrival, tcp, terms) {
        Ok((held, running)) => {
            running.await;
            drop(held);
        }
        Err(rejected) => rejected.lane.refuse(rejected.code, b""),
    }
}
