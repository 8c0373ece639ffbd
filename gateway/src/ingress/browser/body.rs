//! Answers on their way to the browser: counted, cut when the right to them ends, given up when nothing moves.

use super::{table::Place, up::length, upstream::Connection};
use crate::sessions::Door;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use postern_ids::Ended;
use postern_policy::Permit;
use postern_tunnel_io::Cut;
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// A request that lasts longer is watched on its own: what ends the right to it is seen within this time and a look.
const SHORT: Duration = Duration::from_millis(500);

/// What ends a request before it is over by itself.
pub(super) type Ending = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// Hears what ends a request: the end of its session, and once it lasts, whatever ends the right to it alone (D5).
pub(super) fn ending(door: Arc<Door>, permit: Permit, session: Cut) -> Ending {
    Box::pin(async move {
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
    })
}

/// The body of an answer, on its way to the browser.
pub(super) struct Down {
    inner: Incoming,
    ending: Ending,
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
        ending: Ending,
        place: Place,
        connection: Connection,
        idle: Duration,
    ) -> Self {
        let (connection, moved_at) = (Some(connection), Instant::now());
        Self { inner, ending, place, connection, idle, moved_at, timer: None, is_over: false }
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
        if let Poll::Ready(ended) = this.ending.as_mut().poll(cx) {
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
