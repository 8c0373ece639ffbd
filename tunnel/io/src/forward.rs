//! Lane to lane: what the gateway does with an admitted session.

use crate::{
    Cut, Detach, ForwardEnd, Forwarded, Lane, Side,
    pump::{Ends, Pair},
};
use postern_ids::Ended;
use postern_tunnel_proto::{Reset, ResetClass};
use std::{
    future::{Future, poll_fn},
    task::Poll,
};

/// What becomes of the other lane when the link of one is lost.
#[derive(Debug, Clone)]
enum Loss {
    /// It is reset for good: a plain session is over with either link.
    Ends,
    /// It is reset with *detach*: the stream goes on without both. So it does when this order is given.
    Detaches(Detach),
}

/// Carries bytes between two lanes until both directions are closed, one of them is lost, or the cut is given; the
/// cut's code is then the reset code on both lanes, as a reset of one lane is passed on to the other. A is the client's
/// lane, B the connector's: the side whose link is lost decides what the other one is told. Bytes are given back as
/// credit only when the other lane took them, so that a slow reader slows its own writer and nothing is queued here.
///
/// The bytes move in the tasks of the two links; the caller's task only waits for the end.
pub async fn forward(a: Lane, b: Lane, cut: Cut) -> Forwarded {
    carry(a, b, cut, Loss::Ends).await
}

/// Carries the bytes of a resumable stream as [`forward`] does. What only loses one lane lets the other one go with
/// *detach* and so keeps the stream: the loss of a link, a reset with *detach*, which is passed on as such, and the order
/// to `detach`. The cut and a reset for good end the stream at both ends.
pub async fn forward_resumable(a: Lane, b: Lane, cut: Cut, detach: Detach) -> Forwarded {
    carry(a, b, cut, Loss::Detaches(detach)).await
}

async fn carry(a: Lane, b: Lane, cut: Cut, loss: Loss) -> Forwarded {
    let pair = Pair::new(a, b);
    pair.start();
    let class = loss.class();
    let end = {
        let (mut given, mut detached) = (std::pin::pin!(cut.wait()), std::pin::pin!(loss.ordered()));
        poll_fn(|cx| {
            if let Poll::Ready(ended) = given.as_mut().poll(cx) {
                return Poll::Ready(ForwardEnd::Cut(ended));
            }
            if let Poll::Ready(code) = detached.as_mut().poll(cx) {
                return Poll::Ready(ForwardEnd::Detached(code));
            }
            pair.ends.poll_end(cx)
        })
        .await
    };
    part(&pair.ends, end, class);
    Forwarded { up: pair.up.carried(), down: pair.down.carried(), end }
}

/// Tells the lanes that are left how it ended.
fn part(Ends { a, b, .. }: &Ends, end: ForwardEnd, loss: ResetClass) {
    let both = |reset| {
        a.cut_as(reset);
        b.cut_as(reset);
    };
    let passed_on = |code, detach| {
        let class = if detach { ResetClass::Detach } else { ResetClass::End };
        Reset { code, class }
    };
    match end {
        ForwardEnd::Finished | ForwardEnd::Tcp(_) => {}
        ForwardEnd::Cut(ended) => both(Reset { code: ended.code(), class: ResetClass::End }),
        ForwardEnd::Detached(code) => both(Reset { code, class: ResetClass::Detach }),
        ForwardEnd::Reset { by: Side::A, code, detach } => b.cut_as(passed_on(code, detach)),
        ForwardEnd::Reset { by: Side::B, code, detach } => a.cut_as(passed_on(code, detach)),
        ForwardEnd::LinkLost { by: Side::A } => {
            b.cut_as(Reset { code: Ended::ClientLost.code(), class: loss });
        }
        ForwardEnd::LinkLost { by: Side::B } => {
            a.cut_as(Reset { code: Ended::ConnectorLost.code(), class: loss });
        }
    }
}

impl Loss {
    fn class(&self) -> ResetClass {
        match self {
            Self::Ends => ResetClass::End,
            Self::Detaches(_) => ResetClass::Detach,
        }
    }

    async fn ordered(self) -> u16 {
        match self {
            Self::Ends => std::future::pending().await,
            Self::Detaches(detach) => detach.wait().await,
        }
    }
}
