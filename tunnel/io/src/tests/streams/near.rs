//! The connections that streams are carried between.

use crate::stream::{Local, Pipes};
use bytes::Bytes;
use std::{
    io,
    task::{Context, Poll},
};
use tokio::{
    io::{DuplexStream, ReadHalf, WriteHalf, duplex, split},
    net::TcpStream,
};

/// What a program's pipe holds on its own.
pub(super) const PIPE: usize = 16 * 1024;

pub(super) type Pipe = Pipes<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

/// The connector's connection to the target: a pipe, or TCP where a reset matters.
pub(super) enum Near {
    Pipe(Pipe),
    Tcp(TcpStream),
}

/// The target's end of it.
pub(super) enum Target {
    Pipe(DuplexStream),
    Tcp(TcpStream),
}

pub(super) fn pipes() -> (Target, Near) {
    let (target, near) = duplex(PIPE);
    (Target::Pipe(target), Near::Pipe(pipe(near)))
}

pub(super) fn tcp() -> (Target, Near) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (target, _) = listener.accept().unwrap();
    let stream = |tcp: std::net::TcpStream| {
        tcp.set_nonblocking(true).unwrap();
        TcpStream::from_std(tcp).unwrap()
    };
    (Target::Tcp(stream(target)), Near::Tcp(stream(near)))
}

impl Local for Near {
    fn poll_read(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        match self {
            Self::Pipe(pipe) => pipe.poll_read(cx, max),
            Self::Tcp(tcp) => Local::poll_read(tcp, cx, max),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Pipe(pipe) => pipe.poll_write(cx, bytes),
            Self::Tcp(tcp) => Local::poll_write(tcp, cx, bytes),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Pipe(pipe) => pipe.poll_shutdown(cx),
            Self::Tcp(tcp) => Local::poll_shutdown(tcp, cx),
        }
    }

    fn abort(&mut self) {
        match self {
            Self::Pipe(pipe) => pipe.abort(),
            Self::Tcp(tcp) => tcp.abort(),
        }
    }
}

pub(super) fn pipe(stream: DuplexStream) -> Pipe {
    let (read, write) = split(stream);
    Pipes::new(read, write)
}
