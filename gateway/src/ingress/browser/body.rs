//! Answers on their way to the browser: counted, cut when the right to them ends, given up when nothing moves.

use super::{right::Right, table::Place, up::length, upstream::Connection};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// The body of an answer, on its way to the browser.
pub(super) struct Down {
    inner: Incoming,
    right: Right,
    place: Place,
    /// Goes back to the pool when the body is over.
    connection: Option<Connection>,
    idle: Duration,
    moved_at: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl Down {
    pub(super) fn new(
        inner: Incoming,
        right: Right,
        place: Place,
        connection: Connection,
        idle: Duration,
    ) -> Self {
        let (connection, moved_at) = (Some(connection), Instant::now());
        Self { inner, right, place, connection, idle, moved_at, timer: None, is_over: false }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> bool {
        let until = self.moved_at + self.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= until {
                return true;
            }
            timer.as_mut().reset(until);
        }
        false
    }
}

impl Body for Down {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(ended) = this.right.poll_ended(cx) {
            return Poll::Ready(Some(Err(io::Error::other(ended.sentence()))));
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.moved_at = Instant::now();
                this.place.session().carried(0, length(&frame));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) => {
                this.is_over = true;
                Poll::Ready(None)
            }
            Poll::Pending if this.poll_idle(cx) => {
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing moved"))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Down {
    fn drop(&mut self) {
        if (self.is_over || self.inner.is_end_stream())
            && let Some(connection) = self.connection.take()
            && !connection.is_h2()
        {
            self.place.entered().pool.keep(connection);
        }
    }
}
