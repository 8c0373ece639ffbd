//! How long an answer may wait for its peer to take more of it (H15), and when it is broken off. The library waits for ever,
//! and a peer that opens its window byte by byte keeps it waiting; here the stream is reset, and its neighbours on the
//! connection go on.

use crate::listen::cut_short::{CutShort, cut_short};
use axum::body::Body;
use bytes::Bytes;
use http::Response;
use hyper::{
    body::{Frame, SizeHint},
    rt::Executor,
};
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// The largest piece that is handed to the library at once. The last piece of an answer may stay in its buffers when the
/// stream's task has ended, so that this is what a peer that takes nothing can leave behind for each stream.
const PIECE_MAX: usize = 16 * 1024;

tokio::task_local! {
    static PACE: Arc<Pace>;
}

/// What the answer of this task's stream came to.
#[derive(Debug, Default)]
struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Since when it waits for its peer.
    waiting: Option<Instant>,
    /// What breaks it off.
    cut: Option<CutShort>,
}

impl Pace {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, waiting: Option<Instant>) {
        self.with(|state| state.waiting = waiting);
    }

    fn waiting(&self) -> Option<Instant> {
        self.with(|state| state.waiting)
    }

    /// Ends when the peer took nothing for `max`. Only what runs in the same task changes the state, just before this is
    /// polled: nobody has to be woken.
    async fn stalled(&self, max: Duration) {
        loop {
            let since = poll_fn(|_| self.waiting().map_or(Poll::Pending, Poll::Ready)).await;
            sleep_until(since + max).await;
            if self.waiting() == Some(since) {
                return;
            }
        }
    }
}

/// Runs the streams of HTTP/2 connections, each until it is over, is to be broken off, or its peer takes nothing for too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streams {
    /// How long is too long.
    pub(super) stall: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let (stall, pace) = (self.stall, Arc::<Pace>::default());
        tokio::spawn(PACE.scope(Arc::clone(&pace), async move {
            let mut stream = pin!(stream);
            tokio::select! {
                biased;
                _ = stream.as_mut() => {}
                () = cut_short(|| pace.with(|state| state.cut.clone())) => {}
                () = pace.stalled(stall) => {
                    tracing::debug!("a stream was reset: its peer takes nothing");
                }
            }
        }));
    }
}

/// An answer that notes when it waits for its peer.
#[derive(Debug)]
pub(super) struct Paced {
    inner: Body,
    /// What the inner body gave and was too large for one piece.
    rest: Bytes,
    pace: Option<Arc<Pace>>,
}

/// Lets the stream that this answer is for notice when it stalls or is to be broken off.
pub(super) fn paced(mut response: Response<Body>) -> Response<Paced> {
    let pace = PACE.try_with(Arc::clone).ok();
    if let (Some(pace), Some(cut)) = (&pace, response.extensions_mut().remove::<CutShort>()) {
        pace.with(|state| state.cut = Some(cut));
    }
    response.map(|inner| Paced { inner, rest: Bytes::new(), pace })
}

impl Paced {
    fn note(&self, waiting: Option<Instant>) {
        if let Some(pace) = &self.pace {
            pace.set(waiting);
        }
    }

    /// A piece, with what is too much of it kept for the next.
    fn piece(&mut self, mut data: Bytes) -> Frame<Bytes> {
        self.rest = data.split_off(data.len().min(PIECE_MAX));
        self.note(Some(Instant::now()));
        Frame::data(data)
    }
}

impl hyper::body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.note(None);
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.piece(rest))));
        }
        let polled = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(polled.map(|frame| {
            let piece = frame?.into_data().map(|data| self.piece(data));
            Ok(piece.unwrap_or_else(|trailers| trailers))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), u64::try_from(self.rest.len()).unwrap_or(u64::MAX));
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}
