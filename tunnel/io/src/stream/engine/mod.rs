//! One end of a stream at work: bytes move between this machine's connection, the stream, and its newest lane.

mod flow;
mod timer;

use super::{Local, Over, StreamState};
use crate::{Lane, driver, shared::LaneEnd as IoEnd};
use bytes::Bytes;
use postern_ids::Ended;
use postern_tunnel_proto::{
    ResetClass,
    frame::EARLY_MAX,
    stream::{Event, LaneEnd, Poll as Filled, SUPERSEDED, Stream},
};
use std::{
    io,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use timer::Timer;

/// How long the peer has to finish the last lane of a stream that is over.
const LINGER: Duration = Duration::from_secs(10);

/// Which directions of the lane were finished in order, after the end of the stream.
#[derive(Debug, Default)]
struct Parting {
    ours: Option<Instant>,
    peers: bool,
}

/// The machine of a stream with what it is connected to. Idle, it holds no buffer.
#[derive(Debug)]
pub(super) struct Engine<L> {
    stream: Stream,
    /// What to say when `local` breaks.
    breaks_as: Ended,
    /// Until both its directions are closed.
    local: Option<L>,
    /// What was read from the stream and `local` has not taken.
    inward: Bytes,
    /// What was read from `local` and the stream has not taken.
    outward: Bytes,
    is_unflushed: bool,
    is_shut: bool,
    /// The newest lane, while it lives.
    lane: Option<Lane>,
    parting: Parting,
    timer: Timer,
    read: u64,
    written: u64,
    is_attached: bool,
    /// What was not told yet.
    change: Option<StreamState>,
}

impl<L: Local> Engine<L> {
    pub(super) fn new(stream: Stream, local: L, breaks_as: Ended) -> Self {
        Self {
            stream,
            breaks_as,
            local: Some(local),
            inward: Bytes::new(),
            outward: Bytes::new(),
            is_unflushed: false,
            is_shut: false,
            lane: None,
            parting: Parting::default(),
            timer: Timer::default(),
            read: 0,
            written: 0,
            is_attached: false,
            change: None,
        }
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// For what is decided elsewhere; `follow`, or the next `poll`, does what follows from it.
    pub(super) fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Bytes that came from this machine, and bytes that it took.
    pub(super) fn carried(&self) -> (u64, u64) {
        (self.read, self.written)
    }

    /// No lane carries the stream, and it wants one.
    pub(super) fn wants_lane(&self) -> bool {
        self.lane.is_none() && self.stream.wants_lane()
    }

    /// Both sides have finished the last lane after the end of the stream: the other one knows of the end.
    pub(super) fn has_parted(&self) -> bool {
        self.parting.ours.is_some() && self.parting.peers
    }

    /// The lane that belongs to the newest generation; an older one is let go.
    pub(super) fn set_lane(&mut self, lane: Lane) {
        self.parting = Parting::default();
        if let Some(older) = self.lane.replace(lane) {
            older.detach(SUPERSEDED);
        }
    }

    /// Bytes that came before the lane did.
    pub(super) fn handle_early(&mut self, bytes: Bytes) {
        self.stream.handle_bytes(self.stream.generation(), bytes, driver::now());
    }

    /// What a lane carries before it is one.
    pub(super) fn take_early(&mut self) -> Bytes {
        let (mut early, mut length) = (vec![], 0);
        while self.stream.poll_transmit(&mut early, EARLY_MAX - length, driver::now()) == Filled::Records {
            length = early.iter().map(Bytes::len).sum();
        }
        early.concat().into()
    }

    /// The last records of a stream that is over.
    pub(super) fn last_words(&mut self) -> Vec<Bytes> {
        let mut words = vec![];
        while self.stream.poll_transmit(&mut words, EARLY_MAX, driver::now()) == Filled::Records {}
        words
    }

    /// The newest attempt got no lane.
    pub(super) fn handle_lane_end(&mut self, end: LaneEnd) {
        self.stream.handle_lane_end(self.stream.generation(), end, driver::now());
        self.follow();
    }

    /// Over at once, whatever waits. A stream that is over already only stops writing what had come.
    pub(super) fn end(&mut self, code: u16) {
        self.stream.end(code, driver::now());
        self.drop_local();
        self.follow();
    }

    /// How the stream stands, if that changed since the last call.
    pub(super) fn take_change(&mut self) -> Option<StreamState> {
        self.change.take()
    }

    /// Ready when the stream is over and nothing is left to do for it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        loop {
            let now = driver::now();
            self.move_bytes(cx, now);
            if let Some(over) = self.stream.over().filter(|_| self.is_idle()) {
                self.timer = Timer::default();
                return Poll::Ready(over);
            }
            let left = self.parting.ours.filter(|_| self.lane.is_some()).map(|since| since + LINGER);
            let due = [left, self.stream.poll_timeout()].into_iter().flatten().min();
            if self.timer.poll(cx, due).is_pending() {
                return Poll::Pending;
            }
            self.on_time();
        }
    }

    fn is_idle(&self) -> bool {
        self.local.is_none() && self.lane.is_none() && !self.stream.wants_lane()
    }

    fn on_time(&mut self) {
        let now = driver::now();
        self.stream.handle_timeout(now);
        if self.parting.ours.is_some_and(|since| since + LINGER <= now)
            && let Some(lane) = self.lane.take()
        {
            lane.detach(Ended::Finished.code());
            self.stream.handle_lane_end(self.stream.generation(), LaneEnd::Detached, now);
        }
    }

    /// The peer has finished its direction of the lane.
    fn peer_finished(&mut self, now: Instant) {
        if self.stream.over().is_none() {
            return self.stream.handle_lane_end(self.stream.generation(), LaneEnd::Detached, now);
        }
        self.parting.peers = true;
        self.leave_if_parted();
    }

    fn leave_if_parted(&mut self) {
        if self.has_parted() {
            self.lane = None;
        }
    }

    fn lane_over(&mut self, end: IoEnd, now: Instant) {
        self.lane = None;
        let end = match end {
            IoEnd::Reset(reset) if reset.class == ResetClass::End => LaneEnd::Ended(reset.code),
            IoEnd::Reset(_) | IoEnd::LinkLost | IoEnd::Done => LaneEnd::Detached,
        };
        if self.stream.over().is_some() && matches!(end, LaneEnd::Ended(_)) {
            self.drop_local();
        }
        if self.parting.peers {
            // Whoever finished the lane knows that the stream is over.
            return;
        }
        self.stream.handle_lane_end(self.stream.generation(), end, now);
    }

    fn local_broke(&mut self, error: &io::Error, now: Instant) -> bool {
        tracing::debug!(%error, stream = %self.stream.id(), "the connection of a stream broke");
        self.stream.end(self.breaks_as.code(), now);
        self.drop_local();
        false
    }

    fn drop_local(&mut self) {
        if let Some(mut local) = self.local.take() {
            local.abort();
        }
        (self.inward, self.outward) = (Bytes::new(), Bytes::new());
    }

    /// Does what the stream's news ask for.
    pub(super) fn follow(&mut self) {
        while let Some(event) = self.stream.poll_event() {
            let generation = self.stream.generation();
            match event {
                Event::Attached { generation } => {
                    self.is_attached = true;
                    self.change = Some(StreamState::Attached { generation });
                }
                Event::Detached => {
                    // An attempt that failed is no news.
                    if std::mem::take(&mut self.is_attached) {
                        self.change = Some(StreamState::Detached { generation });
                    }
                    if let Some(lane) = self.lane.take() {
                        lane.detach(SUPERSEDED);
                    }
                }
                Event::Over(over) => self.on_over(over),
                Event::Readable | Event::Writable | Event::Forget => {}
            }
        }
    }

    /// An end other than the orderly one is told by resetting the lane, so that whoever passes the lane on learns it too.
    fn on_over(&mut self, over: Over) {
        self.change = Some(StreamState::Over(over));
        self.is_attached = false;
        if over.code == Ended::Finished.code() {
            return;
        }
        self.drop_local();
        if let Some(lane) = self.lane.take() {
            lane.reset(over.code);
        }
    }
}
