//! Resumable streams: byte streams that outlive lanes and links (`docs/protocol.md`, "Resumable streams").
//!
//! A [`Stream`] is one end: the client's, or the connector's. Its shell moves bytes between it and its newest lane, verifies
//! the proofs that it only carries, and gives every call the generation of the lane that it is about, so that a lane that was
//! superseded cannot speak.

mod attach;
mod config;
mod drive;
mod inbound;
mod lanes;
mod record;
mod replay;

pub use attach::{Attach, PROOF_MESSAGE_LEN, VERSION};
pub use config::{Config, Event, LaneEnd, Over, Poll};
pub use lanes::{PROOF_FAILED, SUPERSEDED};
pub use record::{DATA_OVERHEAD, Intake, RecordError};

use crate::io::{Read, WriteError};
use bytes::Bytes;
use inbound::Inbound;
use postern_ids::{Ended, StreamId};
use record::{Parser, Record};
use replay::Replay;
use std::{collections::VecDeque, time::Instant};

/// Bytes that are read ahead of a lane that does not take them: as many as a lane holds, so that there is enough for it
/// whenever it takes some. They are kept until they are acknowledged in any case; with a quarter of them, source and lane
/// waited for each other twice as often.
const AHEAD_MAX: usize = 256 * 1024;

/// One end of a resumable stream.
#[derive(Debug)]
pub struct Stream {
    config: Config,
    role: Role,
    id: StreamId,
    key: [u8; 32],
    /// The newest attempt; 0 before the first.
    generation: u32,
    /// The connector's instance; zero until the client knows it.
    instance: [u8; 16],
    outbound: Replay,
    inbound: Inbound,
    state: State,
    /// Since when no lane has carried the stream; an attempt that was not welcomed does not count.
    detached: Option<Instant>,
    /// The session's hard expiry.
    expires: Option<Instant>,
    /// Accepted and not yet acknowledged: how much, and since when.
    unacked: Option<Unacked>,
    events: VecDeque<Event>,
    said: Said,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    Connector,
}

#[derive(Debug)]
enum State {
    Detached,
    Attached(Attached),
    Over(Ending),
}

/// A lane carries the stream.
#[derive(Debug)]
struct Attached {
    parser: Parser,
    /// The first record that is still to be sent.
    greeting: Option<Record>,
    /// The peer's greeting came: the client's Attach, or the connector's Welcome.
    greeted: bool,
    /// Bytes may be sent before that.
    ahead: bool,
}

/// The stream is over here.
#[derive(Debug)]
struct Ending {
    over: Over,
    at: Instant,
    /// Records that are still to be sent on the last lane.
    farewell: VecDeque<Record>,
    /// The last lane is still to be finished.
    lane_open: bool,
    told: Told,
}

/// Whether the connector knows that everything arrived, as far as its client can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// It does, or there is nothing to tell.
    Settled,
    /// If the last lane lives long enough.
    OnLane,
    /// That lane is gone: over another one, until then.
    Not { until: Instant },
}

#[derive(Debug, Clone, Copy)]
struct Unacked {
    bytes: usize,
    since: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Said {
    readable: bool,
    owes_writable: bool,
    forget: bool,
}

impl Stream {
    /// The client's end of a stream that no lane carries yet.
    pub fn client(id: StreamId, key: [u8; 32], config: Config, now: Instant) -> Self {
        Self::new(Role::Client, id, key, config, now)
    }

    /// The connector's end, made by the first Attach. The caller has compared the key with the grant's and verified the proof.
    pub fn connector(attach: &Attach, instance: [u8; 16], config: Config, now: Instant) -> Result<Self, u16> {
        let mut stream = Self::new(Role::Connector, attach.stream, attach.key, config, now);
        stream.instance = instance;
        if attach.resume_only {
            return Err(Ended::ResumeFailed.code());
        }
        stream.take_over(attach, now)?;
        Ok(stream)
    }

    fn new(role: Role, id: StreamId, key: [u8; 32], config: Config, now: Instant) -> Self {
        Self {
            role,
            id,
            key,
            generation: 0,
            instance: [0; 16],
            outbound: Replay::new(config.replay_max, config.budget.clone()),
            inbound: Inbound::new(config.unread_max, config.budget.clone()),
            state: State::Detached,
            detached: Some(now),
            expires: None,
            unacked: None,
            events: VecDeque::new(),
            said: Said::default(),
            config,
        }
    }

    /// The stream's id.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// The client's key, which every Attach must be signed with.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// The generation of the newest lane.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether the connector has welcomed an attempt: the next ones only resume.
    pub fn is_welcomed(&self) -> bool {
        self.instance != [0; 16]
    }

    /// Since when no lane has carried the stream.
    pub fn detached_since(&self) -> Option<Instant> {
        self.detached
    }

    /// How the stream ended here, once it has.
    pub fn over(&self) -> Option<Over> {
        match &self.state {
            State::Over(ending) => Some(ending.over),
            State::Detached | State::Attached(_) => None,
        }
    }

    /// Client: whether a lane is needed. That of a stream that finished may have died with the last acknowledgement, without
    /// which the connector would wait in vain: it is told once more, within a bound.
    pub fn wants_lane(&self) -> bool {
        match &self.state {
            State::Over(ending) => matches!(ending.told, Told::Not { .. }),
            State::Detached | State::Attached(_) => self.role == Role::Client,
        }
    }

    /// Bytes that wait to be acknowledged, with what their bookkeeping costs.
    pub fn replay_held(&self) -> usize {
        self.outbound.held()
    }

    /// Bytes that came and were not read.
    pub fn unread(&self) -> usize {
        self.inbound.queued()
    }

    /// What was accepted of the peer's direction; Fin counts as one byte.
    pub fn received(&self) -> u64 {
        self.inbound.received()
    }

    /// Bytes that `write` would take.
    pub fn writable(&self) -> usize {
        match self.state {
            State::Over(_) => 0,
            State::Detached | State::Attached(_) => self.outbound.room(),
        }
    }

    /// Bytes that the source should be read for now. None while what was read before is not sent, so that a lane that is
    /// slow slows the source; a stream without a lane goes on until its buffer is full. None for crumbs of room either.
    pub fn appetite(&self) -> usize {
        let ahead = match &self.state {
            State::Over(_) => return 0,
            State::Attached(attached) if attached.greeted => self.outbound.unsent(),
            State::Attached(_) | State::Detached => 0,
        };
        if ahead < AHEAD_MAX { self.outbound.worthwhile_room() } else { 0 }
    }

    /// The session must not live longer than this.
    pub fn set_expiry(&mut self, at: Option<Instant>) {
        self.expires = at;
    }

    /// Takes bytes for sending from the front of `bytes` and says how many, attached or not; less than all means: wait for
    /// `Writable`.
    pub fn write(&mut self, bytes: &mut Bytes) -> Result<usize, WriteError> {
        if self.over().is_some() {
            return Err(WriteError::Gone);
        }
        if self.outbound.is_finished() {
            return Err(WriteError::NotWritable);
        }
        let taken = self.outbound.write(bytes);
        self.said.owes_writable |= !bytes.is_empty();
        Ok(taken)
    }

    /// Ends our direction after what was written; the other goes on.
    pub fn finish(&mut self) {
        self.outbound.finish();
    }

    /// The next bytes, at most `max`; ask until `Blocked`. `None` when the stream ended loudly.
    pub fn read(&mut self, max: usize) -> Option<Read> {
        if let Some(chunk) = self.inbound.read(max) {
            return Some(Read::Chunk(chunk));
        }
        if self.over().is_some_and(|over| over.code != Ended::Finished.code()) {
            return None;
        }
        if self.inbound.is_finished() {
            return Some(Read::Finished);
        }
        self.said.readable = false;
        Some(Read::Blocked)
    }

    /// Ends the stream at both ends: a reset of the TCP connection, a Kill, an expiry.
    pub fn end(&mut self, code: u16, now: Instant) {
        self.end_with(code, "ended here", true, now);
    }

    /// The next news.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
