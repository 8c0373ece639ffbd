//! One end of a stream at work: bytes move between this machine's connection, the stream, and its newest lane.

use super::{Local, Over, StreamState};
use crate::{Lane, driver, lane::CHUNK_MAX, shared::LaneEnd as IoEnd};
use bytes::Bytes;
use postern_ids::Ended;
use postern_tunnel_proto::{
    Read, ResetClass,
    frame::EARLY_MAX,
    stream::{DATA_OVERHEAD, Event, LaneEnd, Poll as Filled, SUPERSEDED, Stream},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::time::Sleep;

/// Rounds of both directions before other tasks have their turn.
const ROUNDS_MAX: usize = 4;
/// Chunks of one direction before the other has its turn, and before what came is acknowledged.
const CHUNKS_MAX: usize = 4;
/// With its header, a read of this size is one frame of a lane.
const READ_MAX: usize = CHUNK_MAX - DATA_OVERHEAD;
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

    pub(super) fn has_lane(&self) -> bool {
        self.lane.is_some()
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
            if let Some(over) = self.stream.over().filter(|_| self.local.is_none() && self.lane.is_none()) {
                self.timer = Timer::default();
                return Poll::Ready(over);
            }
            let due = match self.stream.over() {
                Some(_) => self.parting.ours.map(|since| since + LINGER),
                None => self.stream.poll_timeout(),
            };
            if self.timer.poll(cx, due).is_pending() {
                return Poll::Pending;
            }
            self.on_time();
        }
    }

    fn on_time(&mut self) {
        let now = driver::now();
        if self.stream.over().is_none() {
            self.stream.handle_timeout(now);
        } else if self.parting.ours.is_some_and(|since| since + LINGER <= now)
            && let Some(lane) = self.lane.take()
        {
            lane.detach(Ended::Finished.code());
        }
    }

    fn move_bytes(&mut self, cx: &mut Context<'_>, now: Instant) {
        for _ in 0..ROUNDS_MAX {
            let mut is_busy = self.receive(cx, now);
            is_busy |= self.deliver(cx, now);
            is_busy |= self.collect(cx, now);
            self.transmit(cx, now);
            self.follow();
            if !is_busy {
                return;
            }
        }
        cx.waker().wake_by_ref();
    }

    /// Lane to stream; true when there may be more. The lane is always read: what may come is limited by the stream.
    fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut consumed = 0;
        for _ in 0..CHUNKS_MAX {
            let Some(lane) = self.lane.as_ref().filter(|_| !self.parting.peers) else { return false };
            match lane.poll_chunk(cx, consumed, CHUNK_MAX) {
                Poll::Ready(Ok(Some(chunk))) => {
                    consumed = chunk.len();
                    self.stream.handle_bytes(self.stream.generation(), chunk, now);
                    self.deliver(cx, now);
                }
                Poll::Ready(Ok(None)) => {
                    self.peer_finished(now);
                    return false;
                }
                Poll::Ready(Err(end)) => {
                    self.lane_over(end, now);
                    return false;
                }
                Poll::Pending => return false,
            }
        }
        if let Some(lane) = &self.lane {
            lane.consume(consumed);
        }
        true
    }

    /// Stream to local; true when there may be more.
    fn deliver(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let delivered = self.try_deliver(cx);
        delivered.unwrap_or_else(|error| self.local_broke(&error, now))
    }

    fn try_deliver(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        for _ in 0..CHUNKS_MAX {
            let Some(local) = &mut self.local else { return Ok(false) };
            if self.inward.is_empty() {
                match self.stream.read(CHUNK_MAX) {
                    Some(Read::Chunk(chunk)) => self.inward = chunk,
                    Some(Read::Finished) => return self.shut(cx).map(|()| false),
                    Some(Read::Blocked) | None => return self.flush(cx).map(|()| false),
                }
            }
            let Poll::Ready(written) = local.poll_write(cx, &self.inward) else { return Ok(false) };
            let written = written?;
            self.written += written as u64;
            self.is_unflushed = true;
            drop(self.inward.split_to(written));
        }
        Ok(true)
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.is_unflushed
            && let Some(local) = &mut self.local
            && let Poll::Ready(flushed) = local.poll_flush(cx)
        {
            flushed?;
            self.is_unflushed = false;
        }
        Ok(())
    }

    /// The peer's direction is at its end.
    fn shut(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.is_shut
            && let Some(local) = &mut self.local
            && let Poll::Ready(shut) = local.poll_shutdown(cx)
        {
            shut?;
            self.is_shut = true;
        }
        if self.is_shut && self.stream.over().is_some() {
            self.local = None;
        }
        Ok(())
    }

    /// Local to stream and on to the lane; true when there may be more.
    fn collect(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for _ in 0..CHUNKS_MAX {
            match self.try_collect(cx) {
                Ok(true) => self.transmit(cx, now),
                Ok(false) => return false,
                Err(error) => return self.local_broke(&error, now),
            }
        }
        true
    }

    fn try_collect(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let Some(local) = &mut self.local else { return Ok(false) };
        if self.outward.is_empty() {
            let room = self.stream.appetite().min(READ_MAX);
            if room == 0 {
                return Ok(false);
            }
            let Poll::Ready(bytes) = local.poll_read(cx, room) else { return Ok(false) };
            self.outward = bytes?;
            self.read += self.outward.len() as u64;
            if self.outward.is_empty() {
                self.stream.finish();
                return Ok(true);
            }
        }
        // The process' budget may have shrunk the buffer meanwhile.
        Ok(self.stream.write(&mut self.outward).is_ok() && self.outward.is_empty())
    }

    /// Stream to lane, until one of them has enough.
    fn transmit(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Self { stream, lane: Some(lane), parting: Parting { ours: None, .. }, .. } = self else { return };
        match lane.poll_fill(cx, |out, room| stream.poll_transmit(out, room, now)) {
            Ok(false) => {}
            Ok(true) => {
                self.parting.ours = Some(now);
                self.leave_if_parted();
            }
            Err(end) => self.lane_over(end, now),
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
        if self.parting.ours.is_some() && self.parting.peers {
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
        if over.code == Ended::Finished.code() {
            return;
        }
        self.drop_local();
        if let Some(lane) = self.lane.take() {
            lane.reset(over.code);
        }
    }
}

/// A timer that costs nothing while nothing is due. It is only ever moved to an earlier time: firing early is harmless,
/// and cheaper than moving it with each chunk.
#[derive(Debug, Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Ready when `due` has come.
    fn poll(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        let Some(due) = due.map(tokio::time::Instant::from_std) else {
            return Poll::Pending;
        };
        loop {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if due < sleep.deadline() {
                sleep.as_mut().reset(due);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
            if due <= tokio::time::Instant::now() {
                return Poll::Ready(());
            }
        }
    }
}
