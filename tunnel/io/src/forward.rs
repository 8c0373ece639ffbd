//! Lane to lane: what the gateway does with an admitted session.

use crate::{Cut, Lane, lane::CHUNK_MAX, shared::LaneEnd};
use bytes::Bytes;
use postern_ids::Ended;
use std::{
    future::{Future, poll_fn},
    io,
    task::{Context, Poll},
};

/// One of the two ends that bytes are carried between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first argument of [`forward`]; the lane of [`splice`](crate::splice()).
    A,
    /// The second argument of [`forward`]; the TCP connection of [`splice`](crate::splice()).
    B,
}

/// How carrying bytes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardEnd {
    /// Both directions were closed in order.
    Finished,
    /// The cut was given.
    Cut(Ended),
    /// The lane of this side was reset by its peer.
    Reset {
        /// The side.
        by: Side,
        /// The peer's code.
        code: u16,
    },
    /// The link under the lane of this side ended.
    LinkLost {
        /// The side.
        by: Side,
    },
    /// The TCP connection broke.
    Tcp(io::ErrorKind),
}

/// What was carried, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarded {
    /// Bytes from A to B.
    pub up: u64,
    /// Bytes from B to A.
    pub down: u64,
    /// The end.
    pub end: ForwardEnd,
}

/// Carries bytes between two lanes until both directions are closed, one of them is lost, or the cut is given; the
/// cut's code is then the reset code on both lanes, as a reset of one lane is passed on to the other. A is the client's
/// lane, B the connector's: the side whose link is lost decides what the other one is told. Bytes are given back as
/// credit only when the other lane took them, so that a slow reader slows its own writer and nothing is queued here.
pub async fn forward(mut a: Lane, mut b: Lane, cut: Cut) -> Forwarded {
    let mut flow = Flow::default();
    let end = {
        let mut given = std::pin::pin!(cut.wait());
        poll_fn(|cx| match given.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(ForwardEnd::Cut(ended)),
            Poll::Pending => flow.poll(cx, &mut a, &mut b),
        })
        .await
    };
    match end {
        ForwardEnd::Finished | ForwardEnd::Tcp(_) => {}
        ForwardEnd::Cut(ended) => {
            a.cut(ended.code());
            b.cut(ended.code());
        }
        ForwardEnd::Reset { by: Side::A, code } => b.cut(code),
        ForwardEnd::Reset { by: Side::B, code } => a.cut(code),
        ForwardEnd::LinkLost { by: Side::A } => b.cut(Ended::ClientLost.code()),
        ForwardEnd::LinkLost { by: Side::B } => a.cut(Ended::ConnectorLost.code()),
    }
    Forwarded { up: flow.up.carried, down: flow.down.carried, end }
}

/// Both directions of one session.
#[derive(Debug, Default)]
struct Flow {
    up: Half,
    down: Half,
}

/// One direction: at most one chunk between the lanes, charged to the window of the lane it came from.
#[derive(Debug, Default)]
struct Half {
    chunk: Bytes,
    /// Bytes that the far lane took and the near one has no credit for yet.
    consumed: usize,
    carried: u64,
    is_finished: bool,
}

impl Flow {
    fn poll(&mut self, cx: &Context<'_>, a: &mut Lane, b: &mut Lane) -> Poll<ForwardEnd> {
        let ended = match self.up.poll(cx, a, b) {
            Ok(()) => self.down.poll(cx, b, a).map_err(|(near, end)| (near.other(), end)),
            Err(failed) => Err(failed),
        };
        if let Err((by, end)) = ended {
            return Poll::Ready(lane_end(by, end));
        }
        if self.up.is_finished && self.down.is_finished {
            return Poll::Ready(ForwardEnd::Finished);
        }
        // A direction that waits for room hears nothing of the lane it reads from.
        for (by, lane) in [(Side::A, a), (Side::B, b)] {
            if let Poll::Ready(end) = lane.poll_ended(cx) {
                return Poll::Ready(lane_end(by, end));
            }
        }
        Poll::Pending
    }
}

impl Half {
    /// Carries until one of the lanes makes it wait. An error names the side as seen from here: A is `near`.
    fn poll(&mut self, cx: &Context<'_>, near: &mut Lane, far: &mut Lane) -> Result<(), (Side, LaneEnd)> {
        while !self.is_finished {
            if self.chunk.is_empty() {
                match near.poll_chunk(cx, std::mem::take(&mut self.consumed), CHUNK_MAX) {
                    Poll::Ready(Ok(Some(chunk))) => self.chunk = chunk,
                    Poll::Ready(Ok(None)) => {
                        far.finish().map_err(|end| (Side::B, end))?;
                        self.is_finished = true;
                        return Ok(());
                    }
                    Poll::Ready(Err(end)) => return Err((Side::A, end)),
                    Poll::Pending => return Ok(()),
                }
            }
            let before = self.chunk.len();
            let sent = far.poll_send(cx, &mut self.chunk);
            let taken = before - self.chunk.len();
            self.consumed += taken;
            self.carried += taken as u64;
            match sent {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Err((Side::B, end)),
                Poll::Pending => {
                    near.consume(std::mem::take(&mut self.consumed));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

pub(crate) fn lane_end(by: Side, end: LaneEnd) -> ForwardEnd {
    match end {
        LaneEnd::Done => ForwardEnd::Finished,
        LaneEnd::Reset(code) => ForwardEnd::Reset { by, code },
        LaneEnd::LinkLost => ForwardEnd::LinkLost { by },
    }
}
