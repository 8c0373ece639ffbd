//! The handle to one lane.

mod byte_stream;

pub use byte_stream::LaneReset;

use crate::{
    clock::now,
    shared::{LaneEnd, Shared, State},
};
use byte_stream::io_error;
use bytes::Bytes;
use postern_ids::Ended;
use postern_tunnel_proto::{LaneId, Read, Reset, ResetClass, WriteError, stream::Poll as Filled};
use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
};

/// The most that one call moves; a frame's payload is no longer.
pub(crate) const CHUNK_MAX: usize = 64 * 1024;

/// Less room than this is waited for: half of what a lane may hold under pressure.
const ROOM_MIN: usize = 8 * 1024;

/// One flow-controlled two-way channel of a link. `shutdown` closes our direction only; dropping a lane that has not
/// finished both ways resets it.
#[derive(Debug)]
pub struct Lane {
    shared: Arc<Shared>,
    id: LaneId,
    /// Bytes of the last chunk that `AsyncRead` has not handed out.
    rest: Bytes,
}

impl Lane {
    pub(crate) fn new(shared: Arc<Shared>, id: LaneId) -> Self {
        Self { shared, id, rest: Bytes::new() }
    }

    /// Ends both directions at once with this code.
    pub fn reset(self, code: u16) {
        self.cut(code);
    }

    /// Ends both directions at once with this code; a resumable stream on the lane goes on without it.
    pub fn detach(self, code: u16) {
        self.cut_as(Reset { code, class: ResetClass::Detach });
    }

    /// Ends both directions at once with this code and keeps the handle.
    pub(crate) fn cut(&self, code: u16) {
        self.cut_as(Reset { code, class: ResetClass::End });
    }

    /// Ends both directions at once and keeps the handle.
    pub(crate) fn cut_as(&self, reset: Reset) {
        self.shared.act(|state| state.machine.reset(self.id, reset));
    }

    /// The next bytes from the peer, at most `max` and without a copy; `None` after its end of stream.
    pub async fn read_chunk(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        let chunk = if self.rest.is_empty() {
            poll_fn(|cx| self.poll_chunk(cx, 0, max)).await.map_err(io_error)?
        } else {
            Some(self.rest.split_to(max.min(self.rest.len())))
        };
        if let Some(chunk) = &chunk {
            self.consume(chunk.len());
        }
        Ok(chunk)
    }

    /// Sends all of `chunk` without a copy, waiting for room.
    pub async fn write_chunk(&mut self, mut chunk: Bytes) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx, &mut chunk)).await.map_err(io_error)
    }

    /// Gives `consumed` bytes of earlier chunks back as credit, then takes the next chunk.
    pub(crate) fn poll_chunk(
        &self,
        cx: &Context<'_>,
        consumed: usize,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, LaneEnd>> {
        self.shared.act(|state| {
            if consumed > 0 {
                state.machine.consume(self.id, consumed, now());
            }
            match state.machine.read(self.id, max) {
                Ok(Read::Chunk(chunk)) => Poll::Ready(Ok(Some(chunk))),
                Ok(Read::Finished) => Poll::Ready(Ok(None)),
                Ok(Read::Blocked) => match ended(state, self.id) {
                    Some(end) => Poll::Ready(Err(end)),
                    None => {
                        register(state, self.id, cx, Direction::Read);
                        Poll::Pending
                    }
                },
                // A lane that finished both ways is gone; its end was read, or will be now.
                Err(_) => match gone(state, self.id) {
                    LaneEnd::Done => Poll::Ready(Ok(None)),
                    end @ (LaneEnd::Reset(_) | LaneEnd::LinkLost) => Poll::Ready(Err(end)),
                },
            }
        })
    }

    /// Gives bytes back as credit.
    pub(crate) fn consume(&self, bytes: usize) {
        self.shared.act(|state| state.machine.consume(self.id, bytes, now()));
    }

    /// Hands over what the lane takes of `chunk`; ready when it took all.
    pub(crate) fn poll_send(&self, cx: &Context<'_>, chunk: &mut Bytes) -> Poll<Result<(), LaneEnd>> {
        self.shared.act(|state| {
            if let Some(end) = ended(state, self.id) {
                return Poll::Ready(Err(end));
            }
            match state.machine.write(self.id, chunk) {
                Ok(_) if chunk.is_empty() => Poll::Ready(Ok(())),
                Ok(_) => {
                    register(state, self.id, cx, Direction::Write);
                    Poll::Pending
                }
                Err(WriteError::NotWritable) => Poll::Ready(Err(LaneEnd::Done)),
                Err(WriteError::Gone) => Poll::Ready(Err(gone(state, self.id))),
            }
        })
    }

    /// Sends what `fill` puts together, at most the bytes that it is told, until it has no more, it says that nothing
    /// follows, or the lane is full; then the task is woken when there is room. True when the lane's direction was
    /// finished.
    pub(crate) fn poll_fill(
        &self,
        cx: &Context<'_>,
        mut fill: impl FnMut(&mut Vec<Bytes>, usize) -> Filled,
    ) -> Result<bool, LaneEnd> {
        self.shared.act(|state| {
            let mut out = Vec::new();
            loop {
                if let Some(end) = ended(state, self.id) {
                    return Err(end);
                }
                let room = state.machine.writable(self.id);
                if room < ROOM_MIN {
                    state.machine.want_write(self.id);
                    register(state, self.id, cx, Direction::Write);
                    return Ok(false);
                }
                match fill(&mut out, room) {
                    Filled::Idle => return Ok(false),
                    Filled::Records => {}
                    Filled::FinishLane => {
                        return state
                            .machine
                            .finish(self.id)
                            .map(|()| true)
                            .map_err(|_| gone(state, self.id));
                    }
                }
                for piece in out.drain(..) {
                    let written = state.machine.write_whole(self.id, piece);
                    written.map_err(|_| gone(state, self.id))?;
                }
            }
        })
    }

    /// Ends our direction after what was written.
    pub(crate) fn finish(&self) -> Result<(), LaneEnd> {
        self.shared.act(|state| match state.machine.finish(self.id) {
            Ok(()) => Ok(()),
            Err(_) => match gone(state, self.id) {
                LaneEnd::Done => Ok(()),
                end @ (LaneEnd::Reset(_) | LaneEnd::LinkLost) => Err(end),
            },
        })
    }

    /// Lets the lane go: resets it unless it finished, and forgets who waits for it.
    pub(crate) fn release(&self) {
        let slot = self.shared.act(|state| {
            state.machine.release(self.id, Reset { code: Ended::Lost.code(), class: ResetClass::End });
            state.forget(self.id)
        });
        // Outside the lock: a waker may hold the last handle to another lane of this link.
        drop(slot);
    }

    /// Waits for the lane's end while neither reading nor writing does.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<LaneEnd> {
        let mut state = self.shared.lock();
        match ended(&state, self.id) {
            Some(end) => Poll::Ready(end),
            None => {
                register(&mut state, self.id, cx, Direction::Read);
                Poll::Pending
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

fn register(state: &mut State, lane: LaneId, cx: &Context<'_>, direction: Direction) {
    let Some(slot) = state.lanes.get_mut(&lane) else { return };
    let waker = match direction {
        Direction::Read => &mut slot.reader,
        Direction::Write => &mut slot.writer,
    };
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

/// The end of a lane that ended for good; one that finished is none until its bytes are read.
fn ended(state: &State, lane: LaneId) -> Option<LaneEnd> {
    state.lane_end(lane).filter(|end| *end != LaneEnd::Done)
}

/// The end of a lane that the machine no longer knows.
fn gone(state: &State, lane: LaneId) -> LaneEnd {
    state.lane_end(lane).unwrap_or(LaneEnd::Done)
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.release();
    }
}
