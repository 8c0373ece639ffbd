//! The body of a request on its way to the application: counted, and harmless to its end.

use crate::sessions::WebSession;
use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use postern_canonical::is_reserved;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The body of a request, on its way to the application.
pub(super) struct Up {
    inner: Incoming,
    session: Arc<WebSession>,
}

impl Up {
    pub(super) fn new(inner: Incoming, session: Arc<WebSession>) -> Self {
        Self { inner, session }
    }
}

impl fmt::Debug for Up {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Up")
    }
}

impl Body for Up {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        polled.map_ok(|frame| {
            self.session.carried(length(&frame), 0);
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
