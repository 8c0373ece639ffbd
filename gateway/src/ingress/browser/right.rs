//! The right to one exchange while it lasts: whatever ends it ends the answer on its way down and the body on its way up (D5).

use crate::{
    listen::{Breaks, CutShort},
    sessions::Door,
};
use postern_ids::Ended;
use postern_policy::Permit;
use postern_tunnel_io::Cut;
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::sleep;

/// A request that lasts longer is watched on its own: what ends the right to it is seen within this time and a look.
const SHORT: Duration = Duration::from_millis(500);

/// The right, held by whoever gives the answer.
pub(super) struct Right(Arc<Mutex<State>>);

/// The same, held by the body of the request. An answer may be over before the body is.
#[derive(Clone)]
pub(super) struct Upward(Arc<Mutex<State>>);

struct State {
    ending: Pin<Box<dyn Future<Output = Ended> + Send>>,
    ended: Option<Ended>,
    /// The answer is over, so that the body of the request is the one to look.
    is_answered: bool,
}

impl Right {
    /// Hears what ends a request: the end of its session, and once it lasts, whatever ends the right to it alone.
    pub(super) fn new(door: Arc<Door>, permit: Permit, session: Cut) -> Self {
        let ending = Box::pin(ending(door, permit, session));
        Self(Arc::new(Mutex::new(State { ending, ended: None, is_answered: false })))
    }

    /// For the body of the request.
    pub(super) fn upward(&self) -> Upward {
        Upward(Arc::clone(&self.0))
    }

    /// For whoever sends the answer.
    pub(super) fn cut_short(&self) -> CutShort {
        let state: Weak<Mutex<State>> = Arc::downgrade(&self.0);
        CutShort::new(state)
    }

    /// Completes when the right ended.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Ended> {
        lock(&self.0).poll(cx)
    }

    /// Waits for the end of the right.
    pub(super) async fn ended(&self) -> Ended {
        poll_fn(|cx| self.poll_ended(cx)).await
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        lock(&self.0).is_answered = true;
    }
}

impl fmt::Debug for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Right")
    }
}

impl Upward {
    /// Whether nothing more may go up. While the answer is on its way that is for the answer's task to find out: two tasks
    /// cannot both be woken.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut state = lock(&self.0);
        if state.is_answered || state.ended.is_some() { state.poll(cx) } else { Poll::Pending }
    }
}

impl State {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        if self.ended.is_none()
            && let Poll::Ready(ended) = self.ending.as_mut().poll(cx)
        {
            self.ended = Some(ended);
        }
        self.ended.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Breaks for State {
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_answered { Poll::Pending } else { self.poll(cx).map(drop) }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn ending(door: Arc<Door>, permit: Permit, session: Cut) -> Ended {
    tokio::select! {
        biased;
        ended = session.wait() => return ended,
        () = sleep(SHORT) => {}
    }
    match door.watch_request(permit) {
        Ok(watched) => {
            tokio::select! {
                biased;
                ended = session.wait() => ended,
                ended = watched.cut().wait() => ended,
            }
        }
        Err(ended) => ended,
    }
}
