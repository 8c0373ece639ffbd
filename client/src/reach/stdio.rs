//! Standard input and output as byte streams that do not need a thread where they are pipes, as under ssh. Output that
//! nobody reads any more is no error of the stream: it is dropped, and whoever has to know is told.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, Stdin, Stdout},
    net::unix::pipe,
};
use tokio_util::sync::CancellationToken;

/// Standard input.
#[derive(Debug)]
pub(super) enum Input {
    Pipe(pipe::Receiver),
    Other(Stdin),
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Output {
    to: To,
    /// Cancelled when whoever read it has gone.
    reader_gone: CancellationToken,
}

#[derive(Debug)]
enum To {
    Pipe(pipe::Sender),
    Other(Stdout),
    Nowhere,
}

/// Takes standard input.
pub(super) fn input() -> Input {
    let owned = io::stdin().as_fd().try_clone_to_owned();
    match owned.and_then(pipe::Receiver::from_owned_fd) {
        Ok(pipe) => Input::Pipe(pipe),
        Err(_) => Input::Other(tokio::io::stdin()),
    }
}

/// Takes standard output; `reader_gone` is cancelled when nobody reads it any more.
pub(super) fn output(reader_gone: CancellationToken) -> Output {
    let owned = io::stdout().as_fd().try_clone_to_owned();
    let to = match owned.and_then(pipe::Sender::from_owned_fd) {
        Ok(pipe) => To::Pipe(pipe),
        Err(_) => To::Other(tokio::io::stdout()),
    };
    Output { to, reader_gone }
}

/// Closes standard output, so that its reader sees the end while input goes on. A process cannot be without one: the
/// descriptor leads nowhere from then on.
fn close_stdout() {
    if let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(nowhere);
    }
}

/// Lets go of standard error, so that nobody who reads it waits for the end of this process.
pub(super) fn close_stderr() {
    if let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stderr(nowhere);
    }
}

impl Output {
    /// What was done, or what was to be done as if somebody had read it.
    fn or_gone<T>(&mut self, done: Poll<io::Result<T>>, as_if: T) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(_)) = done {
            self.to = To::Nowhere;
            self.reader_gone.cancel();
            return Poll::Ready(Ok(as_if));
        }
        done
    }
}

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(pipe) => Pin::new(pipe).poll_read(cx, buf),
            Self::Other(stdin) => Pin::new(stdin).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let output = self.get_mut();
        let written = match &mut output.to {
            To::Pipe(pipe) => Pin::new(pipe).poll_write(cx, bytes),
            To::Other(stdout) => Pin::new(stdout).poll_write(cx, bytes),
            To::Nowhere => Poll::Ready(Ok(bytes.len())),
        };
        output.or_gone(written, bytes.len())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let output = self.get_mut();
        let flushed = match &mut output.to {
            To::Other(stdout) => Pin::new(stdout).poll_flush(cx),
            To::Pipe(_) | To::Nowhere => Poll::Ready(Ok(())),
        };
        output.or_gone(flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.to = To::Nowhere;
        close_stdout();
        Poll::Ready(Ok(()))
    }
}
