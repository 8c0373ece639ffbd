//! An HTTP/2 connection whose frames are counted on their way to the library.

use super::{
    calm::Calm,
    frames::{Frames, Kind},
};
use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Instant,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of the frame that acknowledges a PING, and of the one for SETTINGS (RFC 9113 sections 6.5 and 6.7).
const PING_ACK: u64 = 17;
const SETTINGS_ACK: u64 = 9;

/// The connection.
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: S,
    frames: Frames,
    calm: Calm,
    /// The highest stream that the peer opened.
    last_stream: u32,
    flood: Flood,
}

/// Set when the peer sent too many frames that carry nothing: the highest stream that it had opened.
#[derive(Debug, Clone, Default)]
pub(super) struct Flood(Arc<OnceLock<u32>>);

impl Flood {
    /// The last words to a peer that did it: GOAWAY with `ENHANCE_YOUR_CALM`.
    pub(super) fn last_words(&self) -> Option<[u8; 17]> {
        let [a, b, c, d] = self.0.get()?.to_be_bytes();
        Some([0, 0, 8, 7, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 11])
    }
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S) -> (Self, Flood) {
        let flood = Flood::default();
        let (frames, calm) = (Frames::new(), Calm::new(Instant::now()));
        (Self { inner, frames, calm, last_stream: 0, flood: flood.clone() }, flood)
    }

    /// Whether the peer still behaves.
    fn watch(&mut self, bytes: &[u8]) -> bool {
        let (calm, last_stream, mut is_calm) = (&mut self.calm, &mut self.last_stream, true);
        self.frames.read(bytes, |frame| match frame.kind {
            Kind::Headers => *last_stream = frame.stream.max(*last_stream),
            Kind::Ping => is_calm &= calm.handle_frame(PING_ACK, Instant::now()),
            Kind::Settings => is_calm &= calm.handle_frame(SETTINGS_ACK, Instant::now()),
            Kind::Other => {}
        });
        is_calm
    }

    fn sent(&mut self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.calm.handle_sent(*bytes);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = out.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, out))?;
        if this.watch(out.filled().get(before..).unwrap_or_default()) {
            return Poll::Ready(Ok(()));
        }
        // It may be set already: a flood goes on until the connection is gone.
        let _ = this.flood.0.set(this.last_stream);
        Poll::Ready(Err(io::Error::other("too many PING and SETTINGS frames")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.sent(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.sent(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
