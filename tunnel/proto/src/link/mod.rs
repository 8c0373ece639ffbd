//! One link: the lanes of one WebSocket connection, as a machine.
//!
//! Its methods are of four kinds. *Getters* look. *`handle_*`* take news from the transport. *Mutators* take commands
//! from above. *`poll_*`* give what is to be done: after anything else was called, poll events until there are none, then
//! transmit whenever the transport has nothing left to write, then set one timer to `poll_timeout`.

mod budget;
mod config;
mod events;
mod transmit;

pub use budget::Budget;
pub use config::{Churn, Config, Heartbeat, Limits, Side, Versions};
pub use events::{EndedBy, Event, LinkEnd, Reset};
pub use transmit::Transmit;

use crate::frame::LaneId;
use bytes::Bytes;
use postern_ids::SessionId;
use std::time::{Duration, Instant};

/// What Open carries.
#[derive(Debug, Clone, Default)]
pub struct Open {
    /// The flow group: lanes of one group share one fair part of the link.
    pub flow: u64,
    /// For the layer above, at most 16 KiB.
    pub metadata: Bytes,
    /// The stream's first bytes, at most 16 KiB.
    pub early: Bytes,
}

/// Why a lane could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The peer's Hello has not come yet: wait for `Established`.
    #[error("the link is not established yet")]
    NotEstablished,
    /// The peer's limit of lanes is reached.
    #[error("the peer takes no more lanes")]
    LanesMax,
    /// GoAway was sent or received, or the lane numbers are used up.
    #[error("the link is going away")]
    GoingAway,
    /// The link is over.
    #[error("the link is closed")]
    Closed,
    /// Metadata or early data is longer than 16 KiB.
    #[error("metadata or early data is too long")]
    TooLong,
}

/// The lane was reset, refused or done, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lane is gone")]
pub struct LaneGone;

/// Why bytes were not taken for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The lane is gone.
    #[error("the lane is gone")]
    Gone,
    /// The lane is not open yet, or `finish` was called.
    #[error("the lane does not take bytes")]
    NotWritable,
}

/// What a lane has to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Bytes, in order.
    Chunk(Bytes),
    /// Nothing yet: wait for `Readable`.
    Blocked,
    /// The peer finished; said after its last byte.
    Finished,
}

/// What `poll_transmit` has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to send.
    Idle,
    /// The message was written into the `Transmit`: send it as one binary message.
    Message,
    /// Send this WebSocket close frame and stop; nothing follows.
    Close {
        /// The close code.
        code: u16,
        /// The close reason.
        reason: std::borrow::Cow<'static, str>,
    },
}

/// The machine of one link.
#[derive(Debug)]
pub struct Link {
    config: Config,
}

impl Link {
    /// A link whose transport is up; its Hello is the first message of `poll_transmit`.
    pub fn new(_config: Config, _now: Instant) -> Self {
        todo!()
    }

    /// Lanes that exist now, in any state.
    pub fn lanes(&self) -> usize {
        todo!()
    }

    /// The smallest round trip measured lately.
    pub fn rtt(&self) -> Option<Duration> {
        todo!()
    }

    /// Bytes held by all lanes, both directions.
    pub fn buffered(&self) -> usize {
        todo!()
    }

    /// How the link ended, once it has.
    pub fn ended(&self) -> Option<&LinkEnd> {
        todo!()
    }

    /// Whether lanes can still be opened: established, and nobody said GoAway.
    pub fn takes_lanes(&self) -> bool {
        todo!()
    }

    /// Whether `poll_transmit` would have a message or a close; cheap, for a driver that decides whether to wake its writer.
    pub fn wants_transmit(&self) -> bool {
        todo!()
    }

    /// Bytes that `write` would take for this lane now.
    pub fn writable(&self, _lane: LaneId) -> usize {
        todo!()
    }

    /// One binary message came. Its payloads are handed on as slices of it, so its allocation should not be much larger
    /// than the message itself.
    pub fn handle_message(&mut self, _message: Bytes, _now: Instant) {
        todo!()
    }

    /// Some bytes of any kind came, possibly not a whole message: the peer is alive.
    pub fn handle_heard(&mut self, _now: Instant) {
        todo!()
    }

    /// The transport took some bytes of the last message, but not all: the write is not stuck.
    pub fn handle_progress(&mut self, _now: Instant) {
        todo!()
    }

    /// The transport took the last message whole. Call it before `poll_transmit` is asked for the next one.
    pub fn handle_flushed(&mut self, _now: Instant) {
        todo!()
    }

    /// The time that `poll_timeout` named has come.
    pub fn handle_timeout(&mut self, _now: Instant) {
        todo!()
    }

    /// The peer's WebSocket close came, or the transport ended (code 1006 then).
    pub fn handle_close(&mut self, _code: u16, _reason: &str) {
        todo!()
    }

    /// The peer broke WebSocket itself (a text message, a message too big): closes with `code`.
    pub fn handle_violation(&mut self, _code: u16, _reason: &'static str) {
        todo!()
    }

    /// Opens a lane; `Opened` or `Refused` answers.
    pub fn open(&mut self, _open: Open) -> Result<LaneId, OpenError> {
        todo!()
    }

    /// Accepts an `Incoming` lane. Metadata is at most 16 KiB; longer is cut off at the link with `TooLong`.
    pub fn accept(&mut self, _lane: LaneId, _metadata: Bytes) -> Result<(), LaneGone> {
        todo!()
    }

    /// Refuses an `Incoming` lane. Detail beyond 256 bytes is cut off.
    pub fn refuse(&mut self, _lane: LaneId, _code: u16, _detail: &[u8]) {
        todo!()
    }

    /// Takes bytes for sending from the front of `bytes` and says how many; less than all means: wait for `Writable`.
    pub fn write(&mut self, _lane: LaneId, _bytes: &mut Bytes) -> Result<usize, WriteError> {
        todo!()
    }

    /// Ends our direction after what was written; the other goes on.
    pub fn finish(&mut self, _lane: LaneId) -> Result<(), LaneGone> {
        todo!()
    }

    /// Cuts a lane at once, in any state. Silent when the lane is gone or both directions are over.
    pub fn reset(&mut self, _lane: LaneId, _reset: Reset) {
        todo!()
    }

    /// The next received bytes of a lane, at most `max`. They count against the window until `consume`.
    pub fn read(&mut self, _lane: LaneId, _max: usize) -> Result<Read, LaneGone> {
        todo!()
    }

    /// The application is done with `bytes` that it read: they go back to the peer as credit.
    pub fn consume(&mut self, _lane: LaneId, _bytes: usize, _now: Instant) {
        todo!()
    }

    /// Tells the peer to open no more lanes; later opens of the peer are refused with `draining`.
    pub fn go_away(&mut self, _code: u16, _hint: &str) {
        todo!()
    }

    /// Tells the peer to end a session, attached or not.
    pub fn kill(&mut self, _session: SessionId, _code: u16) {
        todo!()
    }

    /// Sends one part of the inventory: whole entries, at most 64 KiB.
    pub fn inventory(&mut self, _entries: Bytes, _last: bool) {
        todo!()
    }

    /// Sends new grant keys, at most 64 KiB.
    pub fn keys(&mut self, _keys: Bytes) {
        todo!()
    }

    /// Measures the round trip now.
    pub fn ping(&mut self, _now: Instant) {
        todo!()
    }

    /// Ends the link: control frames that wait are sent, then the close.
    pub fn close(&mut self, _code: u16, _reason: impl Into<std::borrow::Cow<'static, str>>) {
        todo!()
    }

    /// The next message to send. Call it only when the transport has nothing left to write: what is sent next is chosen here.
    pub fn poll_transmit(&mut self, _out: &mut Transmit, _now: Instant) -> Outcome {
        todo!()
    }

    /// The next news.
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!()
    }

    /// When `handle_timeout` is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }
}
