//! Standard input and output as byte streams that do not need a thread where they are pipes, as under ssh.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, Stdin, Stdout},
    net::unix::pipe,
};

/// Standard input.
#[derive(Debug)]
pub(super) enum Input {
    Pipe(pipe::Receiver),
    Other(Stdin),
}

/// Standard output.
#[derive(Debug)]
pub(super) enum Output {
    Pipe(pipe::Sender),
    Other(Stdout),
}

/// Takes standard input.
pub(super) fn input() -> Input {
    let owned = io::stdin().as_fd().try_clone_to_owned();
    match owned.and_then(pipe::Receiver::from_owned_fd) {
        Ok(pipe) => Input::Pipe(pipe),
        Err(_) => Input::Other(tokio::io::stdin()),
    }
}

/// Takes standard output.
pub(super) fn output() -> Output {
    let owned = io::stdout().as_fd().try_clone_to_owned();
    match owned.and_then(pipe::Sender::from_owned_fd) {
        Ok(pipe) => Output::Pipe(pipe),
        Err(_) => Output::Other(tokio::io::stdout()),
    }
}

/// Closes standard output, so that its reader sees the end while input goes on. A process cannot be without one: the
/// descriptor leads nowhere from then on.
pub(super) fn close_output(output: Output) {
    drop(output);
    if let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(nowhere);
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
        match self.get_mut() {
            Self::Pipe(pipe) => Pin::new(pipe).poll_write(cx, bytes),
            Self::Other(stdout) => Pin::new(stdout).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(pipe) => Pin::new(pipe).poll_flush(cx),
            Self::Other(stdout) => Pin::new(stdout).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(pipe) => Pin::new(pipe).poll_shutdown(cx),
            Self::Other(stdout) => Pin::new(stdout).poll_shutdown(cx),
        }
    }
}
