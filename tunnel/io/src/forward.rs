//! Lane to lane: what the gateway does with an admitted session.

use crate::{
    Cut, Lane,
    pump::{Ends, Pair},
    shared::LaneEnd,
};
use postern_ids::Ended;
use std::{
    future::{Future, poll_fn},
    io,
    task::Poll,
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
///
/// The bytes move in the tasks of the two links; the caller's task only waits for the end.
pub async fn forward(a: Lane, b: Lane, cut: Cut) -> Forwarded {
    let pair = Pair::new(a, b);
    pair.start();
    let end = {
        let mut given = std::pin::pin!(cut.wait());
        poll_fn(|cx| match given.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(ForwardEnd::Cut(ended)),
            Poll::Pending => pair.ends.poll_end(cx),
        })
        .await
    };
    let Ends { a, b, .. } = &*pair.ends;
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
    Forwarded { up: pair.up.carried(), down: pair.down.carried(), end }
}

pub(crate) fn lane_end(by: Side, end: LaneEnd) -> ForwardEnd {
    match end {
        LaneEnd::Done => ForwardEnd::Finished,
        LaneEnd::Reset(code) => ForwardEnd::Reset { by, code },
        LaneEnd::LinkLost => ForwardEnd::LinkLost { by },
    }
}
