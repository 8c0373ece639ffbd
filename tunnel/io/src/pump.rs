//! The two directions between a pair of lanes. Each is its own waker: what wakes a reader elsewhere moves the bytes
//! here, in the task of the link that brought them. A task of their own would cost a switch between threads per chunk,
//! which is more than the move itself.

use crate::{ForwardEnd, Lane, Side, carried::lane_end, lane::CHUNK_MAX, shared::LaneEnd};
use bytes::Bytes;
use std::{
    cell::RefCell,
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// Both lanes and both directions; dropped, the lanes are let go.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) ends: Arc<Ends>,
    pub(crate) up: Arc<Half>,
    pub(crate) down: Arc<Half>,
}

/// What both directions share.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) a: Lane,
    pub(crate) b: Lane,
    outcome: Mutex<Outcome>,
}

#[derive(Debug, Default)]
struct Outcome {
    end: Option<ForwardEnd>,
    halves_finished: u8,
    waiter: Option<Waker>,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Half {
    ends: Arc<Ends>,
    /// Where its bytes come from.
    near: Side,
    carriage: Mutex<Carriage>,
}

/// At most one chunk is between the lanes; it is charged to the window of the lane it came from.
#[derive(Debug, Default)]
struct Carriage {
    chunk: Bytes,
    /// Bytes that the far lane took and the near one has no credit for yet.
    consumed: usize,
    carried: u64,
    is_finished: bool,
}

impl Pair {
    pub(crate) fn new(a: Lane, b: Lane) -> Self {
        let ends = Arc::new(Ends { a, b, outcome: Mutex::default() });
        let half = |near| Arc::new(Half { ends: Arc::clone(&ends), near, carriage: Mutex::default() });
        let (up, down) = (half(Side::A), half(Side::B));
        Self { ends, up, down }
    }

    /// Moves what is there already.
    pub(crate) fn start(&self) {
        Arc::clone(&self.up).wake();
        Arc::clone(&self.down).wake();
    }
}

impl Drop for Pair {
    /// The lanes hold the directions as wakers, the directions hold the lanes: this parts them.
    fn drop(&mut self) {
        self.ends.a.release();
        self.ends.b.release();
    }
}

impl Ends {
    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn poll_end(&self, cx: &Context<'_>) -> Poll<ForwardEnd> {
        let mut outcome = self.outcome();
        match outcome.end {
            Some(end) => Poll::Ready(end),
            None => {
                outcome.waiter = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The first end counts.
    fn end(&self, end: ForwardEnd) {
        let waiter = {
            let mut outcome = self.outcome();
            outcome.end.get_or_insert(end);
            outcome.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    fn half_finished(&self) {
        let is_over = {
            let mut outcome = self.outcome();
            outcome.halves_finished += 1;
            outcome.halves_finished == 2
        };
        if is_over {
            self.end(ForwardEnd::Finished);
        }
    }
}

thread_local! {
    /// The directions to move on this thread; `None` while nobody moves any.
    static TURNS: RefCell<Option<VecDeque<Arc<Half>>>> = const { RefCell::new(None) };
}

impl Wake for Half {
    /// A direction that is woken while one moves waits until that one is done: moves never nest.
    fn wake(self: Arc<Self>) {
        let first = TURNS.with_borrow_mut(|turns| match turns {
            Some(turns) => {
                turns.push_back(self);
                None
            }
            None => {
                *turns = Some(VecDeque::new());
                Some(self)
            }
        });
        let mut next = first;
        while let Some(half) = next {
            half.turn();
            next = TURNS.with_borrow_mut(|turns| {
                let next = turns.as_mut().and_then(VecDeque::pop_front);
                if next.is_none() {
                    *turns = None;
                }
                next
            });
        }
    }
}

impl Half {
    pub(crate) fn carried(&self) -> u64 {
        self.carriage().carried
    }

    fn carriage(&self) -> MutexGuard<'_, Carriage> {
        self.carriage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves what can be moved, and sees to it that this is called again.
    fn turn(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let cx = Context::from_waker(&waker);
        let moved = {
            let mut carriage = self.carriage();
            if carriage.is_finished { self.watch(&cx) } else { self.carry(&mut carriage, &cx) }
        };
        match moved {
            Ok(false) => {}
            Ok(true) => self.ends.half_finished(),
            Err((by, end)) => self.ends.end(lane_end(by, end)),
        }
    }

    fn lanes(&self) -> (&Lane, &Lane, Side) {
        match self.near {
            Side::A => (&self.ends.a, &self.ends.b, Side::B),
            Side::B => (&self.ends.b, &self.ends.a, Side::A),
        }
    }

    /// Hears of the near lane's end when it is not read from.
    fn watch(&self, cx: &Context<'_>) -> Result<bool, (Side, LaneEnd)> {
        let (near, _, _) = self.lanes();
        match near.poll_ended(cx) {
            Poll::Ready(end) => Err((self.near, end)),
            Poll::Pending => Ok(false),
        }
    }

    /// True when the direction finished just now.
    fn carry(&self, carriage: &mut Carriage, cx: &Context<'_>) -> Result<bool, (Side, LaneEnd)> {
        let (near, far, far_side) = self.lanes();
        loop {
            if carriage.chunk.is_empty() {
                match near.poll_chunk(cx, std::mem::take(&mut carriage.consumed), CHUNK_MAX) {
                    Poll::Ready(Ok(Some(chunk))) => carriage.chunk = chunk,
                    Poll::Ready(Ok(None)) => {
                        carriage.is_finished = true;
                        far.finish().map_err(|end| (far_side, end))?;
                        self.watch(cx)?;
                        return Ok(true);
                    }
                    Poll::Ready(Err(end)) => return Err((self.near, end)),
                    Poll::Pending => return Ok(false),
                }
            }
            let before = carriage.chunk.len();
            let sent = far.poll_send(cx, &mut carriage.chunk);
            let taken = before - carriage.chunk.len();
            carriage.consumed += taken;
            carriage.carried += taken as u64;
            match sent {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Err((far_side, end)),
                Poll::Pending => {
                    near.consume(std::mem::take(&mut carriage.consumed));
                    return self.watch(cx);
                }
            }
        }
    }
}
