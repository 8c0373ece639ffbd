//! The connector's end: it holds the target's connection while lanes come and go.

use super::{Arrival, Rejected, StreamConfig, StreamDone, StreamState};
use crate::Cut;
use postern_ids::{Ended, StreamId};
use std::{fmt, future::Future, sync::Arc, time::Instant};
use tokio::net::TcpStream;

/// What a stream is held under.
pub struct Terms {
    /// This process' instance: never zero.
    pub instance: [u8; 16],
    /// Limits and window; clones share the budget of the process.
    pub config: StreamConfig,
    /// The session's hard expiry on the clock of `tokio::time::Instant`.
    pub expires_at: Option<Instant>,
    /// Ends the stream, attached or not.
    pub cut: Cut,
    /// Told of each change, after it: from the task of the stream or from whoever attaches a lane. It must not block.
    pub on_change: Arc<dyn Fn(StreamId, StreamState) + Send + Sync>,
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A stream that this process holds, or remembers. Clones share it. Once it is over it holds no buffer and no connection;
/// keep it for the window all the same, so that a client that missed the end can be told.
#[derive(Debug, Clone)]
pub struct Held(Arc<()>);

/// Makes the connector's end of a new stream whose target has been dialed, and accepts its first lane. The caller has
/// verified the proof and compared the key with the grant's. The future carries the bytes: it is to be spawned, and ends
/// when the stream is over and the target's connection is closed. Refused: the client asks to resume, or speaks no common
/// version.
pub fn hold(
    arrival: Arrival,
    tcp: TcpStream,
    terms: Terms,
) -> Result<(Held, impl Future<Output = StreamDone> + Send + 'static), Rejected> {
    let _ = (arrival, tcp, terms);
    Ok((Held(Arc::new(())), async { std::future::pending().await }))
}

impl Held {
    /// The stream.
    pub fn id(&self) -> StreamId {
        StreamId::from_bytes([0; 16])
    }

    /// The client's key: what an Attach must name, and be proven with.
    pub fn key(&self) -> [u8; 32] {
        [0; 32]
    }

    /// How it stands.
    pub fn state(&self) -> StreamState {
        StreamState::Detached { generation: 0 }
    }

    /// The generation of the newest lane.
    pub fn generation(&self) -> u32 {
        0
    }

    /// Lets a newer lane carry the stream: accepts it, and resets the older one with *detach* and 4409. The caller has
    /// verified the proof and compared the session. A stream that finished in order takes the lane to say so.
    pub fn attach(&self, arrival: Arrival) -> Result<(), Rejected> {
        Err(Rejected { lane: arrival.lane, code: 4410 })
    }

    /// The session may not live longer than this: a resumed session may have another hard expiry than before.
    pub fn set_expiry(&self, at: Option<Instant>) {
        let _ = at;
    }

    /// Ends the stream, attached or not. The first end counts.
    pub fn end(&self, ended: Ended) {
        let _ = ended;
    }
}
