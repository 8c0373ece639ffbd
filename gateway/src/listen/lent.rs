//! A connection that is lent to hyper and comes back, so that a peer is told why it ends: hyper itself ends a connection
//! whose request did not arrive in time without a word.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink},
    time::timeout,
};

const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// The answer fits into any socket's buffer; a peer that reads nothing keeps nothing alive.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// How long, and how much of it, the rest of a request is taken in that was answered before it was over.
const LINGER_MAX: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: u64 = 1024 * 1024;

/// The connection while hyper has it. It costs a branch for each call; a tunnel takes it out for good.
#[derive(Debug)]
pub struct Lent<T> {
    io: Option<T>,
    /// The peer owes a request: it sent a part of one, or has not sent its first.
    owes: bool,
    /// Nothing of an answer is still on its way.
    settled: bool,
    home: Arc<Mutex<Option<Returned<T>>>>,
}

/// Where the connection comes back to.
#[derive(Debug)]
pub(super) struct Home<T>(Arc<Mutex<Option<Returned<T>>>>);

#[derive(Debug)]
struct Returned<T> {
    io: T,
    owes: bool,
    settled: bool,
}

impl<T> Lent<T> {
    /// Lends it.
    pub(super) fn new(io: T) -> (Self, Home<T>) {
        let home = Arc::new(Mutex::new(None));
        (Self { io: Some(io), owes: true, settled: true, home: Arc::clone(&home) }, Home(home))
    }

    /// Takes it for good, as an upgrade does.
    pub fn into_inner(mut self) -> Option<T> {
        self.io.take()
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        if let Some(io) = self.io.take() {
            let returned = Returned { io, owes: self.owes, settled: self.settled };
            *self.home.lock().unwrap_or_else(PoisonError::into_inner) = Some(returned);
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Home<T> {
    /// Tells the peer that its request did not come in time, unless it owes none or an answer is half on its way.
    pub(super) async fn tell_too_late(self) {
        self.close(TOO_LATE, |returned| returned.owes && returned.settled).await;
    }

    /// Closes the connection with these words, unless others are half on their way, to a peer that still sends.
    pub(super) async fn tell(self, words: &[u8]) {
        let Some(mut returned) = self.take() else { return };
        if returned.settled {
            let _ = timeout(ANSWER_MAX, returned.io.write_all(words)).await;
        }
        linger(returned.io).await;
    }

    /// Takes in a little of what still comes: the kernel throws an answer away that the peer has not read yet, if the
    /// connection is closed while there is something to read (RFC 9112 section 9.6).
    pub(super) async fn linger(self) {
        if let Some(returned) = self.take() {
            linger(returned.io).await;
        }
    }

    fn take(&self) -> Option<Returned<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn close(self, words: &[u8], may: impl FnOnce(&Returned<T>) -> bool) {
        let Some(mut returned) = self.take() else { return };
        let may_tell = may(&returned);
        let told = async {
            if may_tell {
                returned.io.write_all(words).await?;
            }
            returned.io.shutdown().await
        };
        // The connection ends either way.
        let _ = timeout(ANSWER_MAX, told).await;
    }
}

async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let rest = async {
        io.shutdown().await?;
        copy(&mut io.take(LINGER_BYTES_MAX), &mut sink()).await
    };
    let _ = timeout(LINGER_MAX, rest).await;
}

impl<T: Unpin> Lent<T> {
    fn io(&mut self) -> io::Result<Pin<&mut T>> {
        self.io.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn begin_write(&mut self) -> io::Result<Pin<&mut T>> {
        (self.owes, self.settled) = (false, false);
        self.io()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lent<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.io()?.poll_read(cx, buffer);
        self.owes |= buffer.filled().len() > before;
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Lent<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.begin_write()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin_write()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.io()?.poll_flush(cx);
        self.settled |= matches!(polled, Poll::Ready(Ok(())));
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(cx)
    }
}
