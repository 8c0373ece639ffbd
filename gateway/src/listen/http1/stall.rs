//! A peer that takes nothing of its answer is given up: hyper waits for it for ever (H16).

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// Watches the writes of one connection.
#[derive(Debug)]
pub(super) struct Stall {
    max: Duration,
    since: Option<Instant>,
    /// It may be set too early, and is put right when it goes off: a timer for each write would cost more than the write.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    pub(super) fn new(max: Duration) -> Self {
        Self { max, since: None, timer: None }
    }

    /// What a write came to, or that it has waited for too long.
    pub(super) fn watch<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.since = None;
            return polled;
        }
        let ends = *self.since.get_or_insert_with(Instant::now) + self.max;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(ends)));
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= ends {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(ends);
        }
        Poll::Pending
    }
}
