//! HTTP/1 bytes are judged before the HTTP library sees them: only requests with one reading reach it (D7).
//!
//! A head that is refused is replaced by a request of our own, so that the answer comes in order, behind those to the good
//! requests before it. A body that turns bad breaks the connection.

use super::{
    stall::Stall,
    verdict::{Bad, STAND_IN, Verdict},
};
use std::{
    io::{self, ErrorKind},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes held back: a head that is not complete is refused long before. What is sent behind a request for an upgrade may
/// fill it; then the peer waits until the answer is known.
const HELD_MAX: usize = 64 * 1024;

/// A connection whose requests are judged. In the usual case the library's own buffer is read into and judged in place.
#[derive(Debug)]
pub struct Strict<S> {
    inner: S,
    verdict: Verdict,
    /// Came, but was not handed on.
    held: Vec<u8>,
    /// So many bytes at the front of `held` may be handed on.
    released: usize,
    /// Behind what is released nothing comes any more. That is not told as the end of the connection, for which the
    /// library would drop the last answer: that answer closes the connection.
    is_over: bool,
    stall: Stall,
}

impl<S> Strict<S> {
    /// Judges what comes over `inner`; its peer may take nothing for as long as `stall`.
    pub(super) fn new(inner: S, stall: Duration) -> (Self, Verdict) {
        let verdict = Verdict::default();
        let (strict, stall) = (verdict.clone(), Stall::new(stall));
        (Self { inner, verdict: strict, held: Vec::new(), released: 0, is_over: false, stall }, verdict)
    }

    /// The connection, and what came over it that was not handed on, once it speaks another protocol.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.inner, self.held)
    }

    /// Hands on of what is held. Whether there was anything.
    fn give(&mut self, out: &mut ReadBuf<'_>) -> io::Result<bool> {
        if self.released == 0 && !self.is_over && !self.held.is_empty() {
            match self.verdict.judge(&self.held) {
                Ok(count) => self.released = count,
                Err(bad) => self.end(bad)?,
            }
        }
        let count = self.released.min(out.remaining());
        out.put_slice(self.held.get(..count).unwrap_or_default());
        self.held.drain(..count);
        self.released -= count;
        Ok(count > 0)
    }

    /// Judges what was just read behind the first `before` bytes of `out`. Whether any of it is handed on.
    fn take(&mut self, out: &mut ReadBuf<'_>, before: usize) -> io::Result<bool> {
        let fresh = out.filled().get(before..).unwrap_or_default();
        if !self.held.is_empty() {
            self.held.extend_from_slice(fresh);
            out.set_filled(before);
            return Ok(false);
        }
        match self.verdict.judge(fresh) {
            Ok(count) => {
                self.held.extend_from_slice(fresh.get(count..).unwrap_or_default());
                out.set_filled(before + count);
                Ok(count > 0)
            }
            Err(bad) => {
                out.set_filled(before);
                self.end(bad)?;
                Ok(false)
            }
        }
    }

    fn end(&mut self, bad: Bad) -> io::Result<()> {
        self.is_over = true;
        self.held.clear();
        match bad {
            Bad::Over => Ok(()),
            Bad::Head => {
                self.held.extend_from_slice(STAND_IN);
                self.released = STAND_IN.len();
                Ok(())
            }
            Bad::Body(refused) => Err(io::Error::new(ErrorKind::InvalidData, refused)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.give(out)? {
                return Poll::Ready(Ok(()));
            }
            if this.is_over || this.held.len() >= HELD_MAX {
                // Only an answer goes on from here, and the library writes that without being woken.
                return Poll::Pending;
            }
            let before = out.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, out))?;
            if out.filled().len() == before || this.take(out, before)? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.stall.watch(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.stall.watch(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.stall.watch(polled, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.stall.watch(polled, cx)
    }
}
