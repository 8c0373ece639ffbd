//! A connection that can go silent, or its near end mute: it takes bytes and loses them, gives none, and never ends.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

/// One end of the connection.
pub(super) struct Wire {
    stream: DuplexStream,
    is_silent: Arc<AtomicBool>,
    /// What is written here arrives nowhere.
    is_mute: Arc<AtomicBool>,
}

/// Makes both ends of one connection silent, or its near end mute.
#[derive(Clone, Default)]
pub(super) struct Silence {
    both: Arc<AtomicBool>,
    near: Arc<AtomicBool>,
}

impl Silence {
    pub(super) fn fall(&self) {
        self.both.store(true, Ordering::Relaxed);
    }

    pub(super) fn mute_near_end(&self) {
        self.near.store(true, Ordering::Relaxed);
    }
}

pub(super) fn wire() -> (Wire, Wire, Silence) {
    let (near, far) = duplex(64 * 1024);
    let silence = Silence::default();
    let end = |stream, is_mute| Wire { stream, is_silent: silence.both.clone(), is_mute };
    (end(near, silence.near.clone()), end(far, Arc::default()), silence.clone())
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_silent.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, out)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_silent.load(Ordering::Relaxed) || self.is_mute.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_silent.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
