//! The near end of a stream: what the bytes come from and go to on this machine.

use crate::pool;
use bytes::{BufMut, Bytes};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_util::io::poll_read_buf;

/// A byte stream of this machine that a resumable stream carries. It holds no buffer while it is idle.
pub trait Local: Send + Unpin + 'static {
    /// Reads what is there, at most `max` bytes; empty at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>>;

    /// Writes the front of `bytes` and says how much.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Pushes on what was written.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more will be written.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The stream ended loudly and this is about to be dropped: whoever is there must not take it for an orderly end.
    fn abort(&mut self) {}
}

impl Local for TcpStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        loop {
            ready!(self.poll_read_ready(cx))?;
            match pool::read_with(|buffer| self.try_read_buf(&mut buffer.limit(max))) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            match self.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = ready!(AsyncWrite::poll_shutdown(Pin::new(self), cx));
        // Whoever has gone already has had every byte.
        let is_gone = shut.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotConnected);
        Poll::Ready(if is_gone { Ok(()) } else { shut })
    }

    fn abort(&mut self) {
        // A reset instead of an end of stream. It fails on a connection that is gone already.
        let _ = self.set_zero_linger();
    }
}

/// Two pipes: standard input and output. The output is dropped when nothing more will be written.
#[derive(Debug)]
pub struct Pipes<R, W> {
    input: R,
    output: Option<W>,
}

impl<R, W> Pipes<R, W> {
    /// What is read from `input` goes out, what comes in is written to `output`.
    pub fn new(input: R, output: W) -> Self {
        Self { input, output: Some(output) }
    }
}

impl<R, W> Local for Pipes<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    fn poll_read(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        // A pipe cannot be asked beforehand: the buffer is lent for the attempt only.
        let read = pool::read_with(|buffer| {
            match poll_read_buf(Pin::new(&mut self.input), cx, &mut buffer.limit(max)) {
                Poll::Ready(read) => read,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(output) = &mut self.output else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        Pin::new(output).poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.as_mut().map_or(Poll::Ready(Ok(())), |output| Pin::new(output).poll_flush(cx))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(output) = &mut self.output else { return Poll::Ready(Ok(())) };
        ready!(Pin::new(output).poll_shutdown(cx))?;
        self.output = None;
        Poll::Ready(Ok(()))
    }
}
