//! The body of a request on its way to the application: counted, and harmless to its end.

use super::right::Upward;
use crate::sessions::WebSession;
use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use postern_canonical::is_reserved;
use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::sleep;

/// How often a body moved, so that an upload is not taken for an application that does not answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved(Arc<AtomicU64>);

impl Moved {
    /// Completes when nothing moved for this long; after the last piece of a body it may take twice as long.
    pub(super) async fn quiet(&self, patience: Duration) {
        loop {
            let before = self.0.load(Ordering::Relaxed);
            sleep(patience).await;
            if self.0.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

/// The body of a request, on its way to the application.
pub(super) struct Up {
    inner: Incoming,
    session: Arc<WebSession>,
    right: Upward,
    moved: Moved,
}

impl Up {
    pub(super) fn new(inner: Incoming, session: Arc<WebSession>, right: Upward, moved: Moved) -> Self {
        Self { inner, session, right, moved }
    }
}

impl fmt::Debug for Up {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Up")
    }
}

impl Body for Up {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Poll::Ready(ended) = self.right.poll_ended(cx) {
            return Poll::Ready(Some(Err(io::Error::other(ended.sentence()))));
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        polled.map_err(io::Error::other).map_ok(|frame| {
            self.session.carried(length(&frame), 0);
            self.moved.0.fetch_add(1, Ordering::Relaxed);
            harmless(frame)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The bytes of a frame.
pub(super) fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX))
}

/// Trailers cannot say who somebody is (H9).
fn harmless(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => {
            let kept = trailers.iter().filter(|(name, _)| !is_reserved(name.as_str()));
            let kept: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
            Frame::trailers(kept)
        }
        Err(frame) => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn an_upload_that_moves_is_not_late_and_one_that_stands_still_is() {
        let moved = Moved::default();
        let uploads = async {
            for _ in 0..10_000 {
                moved.0.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        };
        // Whatever the machine does, it moves before each look.
        let was_late = tokio::select! {
            biased;
            () = uploads => false,
            () = moved.quiet(Duration::ZERO) => true,
        };
        assert!(!was_late);
        moved.quiet(Duration::ZERO).await;
    }
}
