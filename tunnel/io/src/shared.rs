//! What a link's driver and its handles share: the machine behind one lock, and who waits for what.

use crate::{
    ended::{Blame, LinkEnded, OpenError},
    requests::{Request, Requests},
};
use bytes::Bytes;
use postern_ids::Refusal;
use postern_tunnel_proto::{EndedBy, Event as News, LaneId, Link as Machine, LinkEnd, Reset, give_back};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};
use tokio::sync::Notify;

/// What a list may keep waiting: far below the 4 MiB at which a link is cut off.
const CONTROL_WAITING_MAX: usize = 512 * 1024;

/// How a lane came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneEnd {
    /// Both directions finished.
    Done,
    /// It was reset, for good or with *detach*.
    Reset(Reset),
    /// Its link ended.
    LinkLost,
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) established: Notify,
    pub(crate) closed: Notify,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) lanes: HashMap<LaneId, Slot>,
    /// What the peer asked for.
    pub(crate) requests: Requests,
    /// Whether somebody will fetch it.
    pub(crate) is_listening: bool,
    pub(crate) listener: Option<Waker>,
    /// Registered while the driver sleeps and has nothing left to write.
    pub(crate) driver: Option<Waker>,
    pub(crate) ended: Option<LinkEnded>,
    /// The last words are written, or given up: the driver has left.
    pub(crate) is_gone: bool,
    /// Who has more control frames to send than may wait at once.
    pub(crate) teller: Option<Waker>,
    /// Who waits for the last lane.
    pub(crate) leaver: Option<Waker>,
}

/// Who waits for one lane, and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
    pub(crate) end: Option<LaneEnd>,
    pub(crate) answer: Option<Result<Bytes, OpenError>>,
}

/// Wakers to call once the lock is released; seldom more than one.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakers {
    fn push(&mut self, waker: Option<Waker>) {
        match (waker, &self.first) {
            (None, _) => {}
            (waker, None) => self.first = waker,
            (Some(waker), Some(_)) => self.more.push(waker),
        }
    }

    pub(crate) fn wake(self) {
        if let Some(waker) = self.first {
            waker.wake();
        }
        for waker in self.more {
            waker.wake();
        }
    }
}

impl Shared {
    pub(crate) fn new(machine: Machine) -> Arc<Self> {
        let state = State {
            machine,
            lanes: HashMap::new(),
            requests: Requests::default(),
            is_listening: true,
            listener: None,
            driver: None,
            ended: None,
            is_gone: false,
            teller: None,
            leaver: None,
        };
        Arc::new(Self { state: Mutex::new(state), established: Notify::new(), closed: Notify::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves a machine that is still consistent for the other lanes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on the link, then hands on what follows from it.
    pub(crate) fn act<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state);
        let wakers = self.settle(&mut state);
        drop(state);
        wakers.wake();
        result
    }

    /// Hands on the machine's news. The driver is woken if there is something to write and it sleeps.
    pub(crate) fn settle(&self, state: &mut State) -> Wakers {
        let mut wakers = Wakers::default();
        while let Some(news) = state.machine.poll_event() {
            self.hand_on(state, news, &mut wakers);
        }
        if state.driver.is_some() && state.machine.wants_transmit() {
            wakers.push(state.driver.take());
        }
        if state.teller.is_some() && state.has_control_room() {
            wakers.push(state.teller.take());
        }
        if state.leaver.is_some() && state.machine.lanes() == 0 {
            wakers.push(state.leaver.take());
        }
        wakers
    }

    fn hand_on(&self, state: &mut State, news: News, wakers: &mut Wakers) {
        match news {
            News::Established { version: _ } => self.established.notify_waiters(),
            News::Incoming { lane, flow, metadata, early } => {
                state.lanes.insert(lane, Slot::default());
                state.queue(Request::Open { lane, flow, metadata, early }, wakers);
            }
            News::Opened { lane, metadata } => state.answer(lane, Ok(metadata), wakers),
            News::Refused { lane, code, detail } => {
                state.answer(lane, Err(OpenError::Refused { code, detail }), wakers);
            }
            News::Readable(lane) => {
                if let Some(slot) = state.lanes.get_mut(&lane) {
                    wakers.push(slot.reader.take());
                }
            }
            News::Writable(lane) => {
                if let Some(slot) = state.lanes.get_mut(&lane) {
                    wakers.push(slot.writer.take());
                }
            }
            News::Reset { lane, reset } => state.end(lane, LaneEnd::Reset(reset), wakers),
            News::Done(lane) => state.end(lane, LaneEnd::Done, wakers),
            News::GoAway { code, hint } => {
                state.queue(Request::GoAway { code, hint }, wakers);
            }
            News::Inventory { entries, last } => {
                state.queue(Request::Inventory { entries, last }, wakers);
            }
            News::Keys(keys) => state.queue(Request::Keys(keys), wakers),
            News::Kill { session, code } => {
                state.queue(Request::Kill { session, code }, wakers);
            }
            News::LimitHit(limit) => tracing::warn!(limit, "limit.hit: a peer ran into a limit of its link"),
            News::Closed(end) => {
                state.close(end, wakers);
                self.established.notify_waiters();
                self.closed.notify_waiters();
            }
        }
    }
}

impl State {
    /// Nobody waits for this lane any more. A table that once held thousands gives its memory back.
    pub(crate) fn forget(&mut self, lane: LaneId) -> Option<Slot> {
        let slot = self.lanes.remove(&lane);
        give_back(&mut self.lanes);
        slot
    }

    fn queue(&mut self, request: Request, wakers: &mut Wakers) {
        if self.is_listening {
            self.requests.push(request);
            wakers.push(self.listener.take());
        } else if let Request::Open { lane, .. } = request {
            self.forget(lane);
            self.machine.refuse(lane, Refusal::Draining.code(), &[]);
        }
    }

    fn answer(&mut self, lane: LaneId, answer: Result<Bytes, OpenError>, wakers: &mut Wakers) {
        if let Some(slot) = self.lanes.get_mut(&lane) {
            slot.answer = Some(answer);
            wakers.push(slot.reader.take());
        }
    }

    fn end(&mut self, lane: LaneId, end: LaneEnd, wakers: &mut Wakers) {
        if let Some(slot) = self.lanes.get_mut(&lane) {
            slot.end(end, wakers);
        }
    }

    fn close(&mut self, end: LinkEnd, wakers: &mut Wakers) {
        let by = match end.by {
            EndedBy::Us => Blame::Us,
            EndedBy::Violation => Blame::Peer,
            EndedBy::Peer if end.code != ABNORMAL => Blame::Peer,
            EndedBy::Peer | EndedBy::Timeout => Blame::Network,
        };
        self.ended = Some(LinkEnded { code: end.code, reason: end.reason.into_owned(), by });
        for slot in self.lanes.values_mut() {
            slot.end(LaneEnd::LinkLost, wakers);
        }
        wakers.push(self.listener.take());
    }

    /// Whether more control frames may be queued by somebody who has many of them.
    pub(crate) fn has_control_room(&self) -> bool {
        self.ended.is_some() || self.machine.control_waiting() < CONTROL_WAITING_MAX
    }

    /// How a lane without bytes or room stands.
    pub(crate) fn lane_end(&self, lane: LaneId) -> Option<LaneEnd> {
        self.lanes.get(&lane).map_or(Some(LaneEnd::LinkLost), |slot| slot.end)
    }
}

/// RFC 6455 section 7.4.1: the connection ended without a close.
pub(crate) const ABNORMAL: u16 = 1006;

impl Slot {
    fn end(&mut self, end: LaneEnd, wakers: &mut Wakers) {
        // A lane that had finished stays finished when its link goes.
        if self.end.is_none() {
            self.end = Some(end);
        }
        wakers.push(self.reader.take());
        wakers.push(self.writer.take());
    }
}
