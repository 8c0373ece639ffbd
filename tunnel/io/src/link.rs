//! The handle to a link.

use crate::{Incoming, Lane, LinkEnded, OpenError, clock, driver, shared::Shared};
use bytes::Bytes;
use postern_ids::{Ended, SessionId};
use postern_tunnel_proto::{
    self as proto, Budget, Churn, Heartbeat, LaneId, Limits, Open, Reset, ResetClass, Side,
};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// The limits of one link; the default is the documented one. Clones share one budget.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// How much the link may hold.
    pub limits: Limits,
    /// How fast a dialer may open lanes; asked on the accepting side only.
    pub churn: Option<Churn>,
    /// When silence means something.
    pub heartbeat: Heartbeat,
    /// The buffered bytes of the whole process.
    pub budget: Budget,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            churn: Some(Churn::default()),
            heartbeat: Heartbeat::default(),
            budget: Budget::default(),
        }
    }
}

/// An accepted lane.
#[derive(Debug)]
pub struct Opened {
    /// The lane.
    pub lane: Lane,
    /// The peer's answer.
    pub metadata: Bytes,
}

/// The handle to one live link. Clones share it; the link lives until it is closed or lost, with or without handles.
#[derive(Debug, Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

/// Runs a link on an upgraded connection. The driver is a task of the current runtime and ends with the link.
pub(crate) fn start<S>(stream: S, read_ahead: Bytes, side: Side, config: LinkConfig) -> (Link, Incoming)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let LinkConfig { limits, churn, heartbeat, budget } = config;
    let churn = match side {
        Side::Dialer => None,
        Side::Acceptor => churn,
    };
    let machine = proto::Config { limits, churn, heartbeat, budget, ..proto::Config::new(side) };
    let shared = Shared::new(proto::Link::new(machine, clock::now()));
    tokio::spawn(driver::drive(Arc::clone(&shared), stream, read_ahead, side));
    (Link { shared: Arc::clone(&shared) }, Incoming::new(shared))
}

impl Link {
    /// Opens a lane and waits for the peer's answer. Dropping the future takes the request back.
    pub async fn open(&self, open: Open) -> Result<Opened, OpenError> {
        let opening = Opening { shared: Arc::clone(&self.shared), lane: Some(self.request(open).await?) };
        opening.answer().await
    }

    /// Asks for a lane as soon as the link is established.
    async fn request(&self, open: Open) -> Result<LaneId, OpenError> {
        loop {
            let mut established = std::pin::pin!(self.shared.established.notified());
            established.as_mut().enable();
            let asked = self.shared.act(|state| {
                let lane = state.machine.open(open.clone())?;
                state.lanes.insert(lane, crate::shared::Slot::default());
                Ok(lane)
            });
            match asked {
                Ok(lane) => return Ok(lane),
                Err(proto::OpenError::NotEstablished) => established.await,
                Err(proto::OpenError::GoingAway | proto::OpenError::Closed) => {
                    return Err(OpenError::LinkLost);
                }
                Err(proto::OpenError::LanesMax | proto::OpenError::TooLong) => return Err(OpenError::Limit),
            }
        }
    }

    /// Tells the peer to open no further lanes here; the open ones go on.
    pub fn go_away(&self, code: u16, hint: &str) {
        self.shared.act(|state| state.machine.go_away(code, hint));
    }

    /// Ends the link with this close code; every lane on it is lost.
    pub fn close(&self, code: u16, reason: &str) {
        self.shared.act(|state| state.machine.close(code, reason.to_owned()));
    }

    /// Waits for the link's end.
    pub async fn closed(&self) -> LinkEnded {
        loop {
            let mut closed = std::pin::pin!(self.shared.closed.notified());
            closed.as_mut().enable();
            if let Some(ended) = self.ended() {
                return ended;
            }
            closed.await;
        }
    }

    /// Waits until the link has ended and its last words are written: then the process may end as well.
    pub async fn gone(&self) {
        loop {
            let mut gone = std::pin::pin!(self.shared.closed.notified());
            gone.as_mut().enable();
            if self.shared.lock().is_gone {
                return;
            }
            gone.await;
        }
    }

    /// Waits until no lane is open, so that a close loses nothing: a lane that both sides finished may still have bytes
    /// to send. One task at a time.
    pub async fn lanes_done(&self) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.machine.lanes() == 0 {
                return Poll::Ready(());
            }
            state.leaver = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// How the link ended, if it has.
    pub fn ended(&self) -> Option<LinkEnded> {
        self.shared.lock().ended.clone()
    }

    /// Whether the link has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().ended.is_some()
    }

    /// Whether lanes can be opened: established, and neither side said that it goes away.
    pub fn takes_lanes(&self) -> bool {
        self.shared.lock().machine.takes_lanes()
    }

    /// Tells the peer to destroy everything it holds of this session.
    pub fn kill(&self, session: SessionId, code: u16) {
        self.shared.act(|state| state.machine.kill(session, code));
    }

    /// How many lanes are open.
    pub fn lanes(&self) -> usize {
        self.shared.lock().machine.lanes()
    }

    /// The smallest round trip measured lately.
    pub fn rtt(&self) -> Option<Duration> {
        self.shared.lock().machine.rtt()
    }

    /// Sends a part of the list of held streams: whole entries, at most 64 KiB.
    pub fn send_inventory(&self, entries: Bytes, last: bool) {
        self.shared.act(|state| state.machine.inventory(entries, last));
    }

    /// Waits until few control frames wait, or the link has ended: before each part of a list that may be long. One
    /// task at a time.
    pub async fn inventory_room(&self) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.has_control_room() {
                return Poll::Ready(());
            }
            state.teller = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Sends new grant keys, at most 64 KiB; opaque here.
    pub fn send_keys(&self, keys: Bytes) {
        self.shared.act(|state| state.machine.keys(keys));
    }
}

/// A lane that waits for the peer's answer; dropped before it, the request is taken back.
struct Opening {
    shared: Arc<Shared>,
    lane: Option<LaneId>,
}

impl Opening {
    async fn answer(mut self) -> Result<Opened, OpenError> {
        let metadata = poll_fn(|cx| self.poll_answer(cx)).await?;
        let lane = self.lane.take().ok_or(OpenError::LinkLost)?;
        Ok(Opened { lane: Lane::new(Arc::clone(&self.shared), lane), metadata })
    }

    fn poll_answer(&self, cx: &Context<'_>) -> Poll<Result<Bytes, OpenError>> {
        let mut state = self.shared.lock();
        let Some(slot) = self.lane.and_then(|lane| state.lanes.get_mut(&lane)) else {
            return Poll::Ready(Err(OpenError::LinkLost));
        };
        if let Some(answer) = slot.answer.take() {
            return Poll::Ready(answer);
        }
        if slot.end.is_some() {
            return Poll::Ready(Err(OpenError::LinkLost));
        }
        slot.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(lane) = self.lane {
            self.shared.act(|state| {
                state.forget(lane);
                // Nobody waits any more. That ends a plain lane; a resumable stream that it would have carried goes on.
                state
                    .machine
                    .reset(lane, Reset { code: Ended::ClientLost.code(), class: ResetClass::Detach });
            });
        }
    }
}
