//! Answers that are broken off at a word. A library asks a body for its next piece only when there is room for it: a body
//! alone could not end an answer that its peer does not take.

use std::{
    fmt,
    future::poll_fn,
    sync::{Mutex, PoisonError, Weak},
    task::{Context, Poll},
};

/// What may have to be broken off.
pub trait Breaks: Send {
    /// Completes when it has to be. Polled by one task only: the one that sends the answer.
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// An extension of an answer: whoever sends it ends the stream or the connection when this says so. It lasts as long as the
/// answer's body does.
#[derive(Clone)]
pub struct CutShort(Weak<Mutex<dyn Breaks>>);

impl CutShort {
    /// Listens to what an answer owns.
    pub fn new(breaks: Weak<Mutex<dyn Breaks>>) -> Self {
        Self(breaks)
    }

    /// Completes when the answer has to be broken off; never, once it is over.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.upgrade() {
            Some(breaks) => breaks.lock().unwrap_or_else(PoisonError::into_inner).poll_broken(cx),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CutShort")
    }
}

/// Waits for the word about the answer that `current` names each time. Whatever changes it runs in the same task, just before
/// this is polled: nobody has to be woken.
pub(super) async fn cut_short(current: impl Fn() -> Option<CutShort>) {
    poll_fn(|cx| current().map_or(Poll::Pending, |cut| cut.poll(cx))).await;
}
