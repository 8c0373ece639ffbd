//! What the peer of a link asks for.

use crate::{Lane, requests::Request, shared::Shared};
use bytes::Bytes;
use postern_ids::{Refusal, SessionId};
use postern_tunnel_proto::LaneId;
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

/// What the peer of a link asks for, in order. Dropped, every later lane is refused with `draining`.
#[derive(Debug)]
pub struct Incoming {
    shared: Arc<Shared>,
}

impl Incoming {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The next request; `None` when the link has ended.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.shared.lock();
        let was_full = state.requests.is_full();
        let Some(request) = state.requests.pop() else {
            if state.ended.is_some() {
                return Poll::Ready(None);
            }
            state.listener = Some(cx.waker().clone());
            return Poll::Pending;
        };
        // The driver stopped reading at the limit.
        let driver = if was_full { state.driver.take() } else { None };
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        Poll::Ready(Some(self.told(request)))
    }

    fn told(&self, request: Request) -> Event {
        match request {
            Request::Open { lane, flow, metadata, early } => {
                let pending = Pending { shared: Arc::clone(&self.shared), lane: Some(lane) };
                Event::Open(IncomingLane { flow, metadata, early, pending })
            }
            Request::GoAway { code, hint } => Event::GoAway { code, hint },
            Request::Inventory { entries, last } => Event::Inventory { entries, last },
            Request::Keys(keys) => Event::Keys(keys),
            Request::Kill { session, code } => Event::Kill { session, code },
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.shared.act(|state| {
            state.is_listening = false;
            while let Some(request) = state.requests.pop() {
                if let Request::Open { lane, .. } = request {
                    state.forget(lane);
                    state.machine.refuse(lane, Refusal::Draining.code(), &[]);
                }
            }
        });
    }
}

/// One request of the peer.
#[derive(Debug)]
pub enum Event {
    /// It opens a lane.
    Open(IncomingLane),
    /// It wants no further lanes here.
    GoAway {
        /// Why.
        code: u16,
        /// For people.
        hint: String,
    },
    /// It lists streams that it holds: whole entries.
    Inventory {
        /// The entries.
        entries: Bytes,
        /// No more parts follow.
        last: bool,
    },
    /// It hands over new grant keys, signed by a pinned one; opaque here.
    Keys(Bytes),
    /// It orders the end of a session.
    Kill {
        /// The session.
        session: SessionId,
        /// The code of the session's end.
        code: u16,
    },
}

/// A lane that waits for our answer. Dropping it refuses the lane with `draining`.
#[derive(Debug)]
pub struct IncomingLane {
    /// The flow that the peer put it in.
    pub flow: u64,
    /// What to decide by.
    pub metadata: Bytes,
    /// First bytes of the stream: the accepter passes them on before anything it reads from the lane.
    pub early: Bytes,
    pending: Pending,
}

impl IncomingLane {
    /// Accepts the lane and answers with `metadata`, at most 16 KiB. A lane that the peer took back meanwhile is given
    /// all the same; it reads as reset.
    pub fn accept(mut self, metadata: Bytes) -> Lane {
        let lane = self.pending.lane.take();
        if let Some(lane) = lane {
            self.pending.shared.act(|state| state.machine.accept(lane, metadata)).ok();
        }
        // `take` gives the lane: only accept, refuse and drop take it, and each consumes this value.
        Lane::new(Arc::clone(&self.pending.shared), lane.unwrap_or(LaneId(0)))
    }

    /// Refuses the lane with a code of `postern_ids::Refusal`; detail beyond 256 bytes is cut off.
    pub fn refuse(mut self, code: u16, detail: &[u8]) {
        self.pending.refuse(code, detail);
    }
}

#[derive(Debug)]
struct Pending {
    shared: Arc<Shared>,
    lane: Option<LaneId>,
}

impl Pending {
    fn refuse(&mut self, code: u16, detail: &[u8]) {
        if let Some(lane) = self.lane.take() {
            self.shared.act(|state| {
                state.forget(lane);
                state.machine.refuse(lane, code, detail);
            });
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.refuse(Refusal::Draining.code(), &[]);
    }
}
