//! A lane as a byte stream.

use bytes::Bytes;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One flow-controlled two-way channel of a link. `shutdown` closes our direction only; dropping a lane that has not
/// finished both ways resets it.
#[derive(Debug)]
pub struct Lane;

#[expect(clippy::todo, reason = "signatures ahead of the driver")]
impl Lane {
    /// Ends both directions at once with this code.
    pub fn reset(self, _code: u16) {
        todo!()
    }

    /// The next bytes from the peer, without a copy; `None` after its end of stream.
    pub async fn read_chunk(&mut self, _max: usize) -> io::Result<Option<Bytes>> {
        todo!()
    }

    /// Sends all of `chunk` without a copy, waiting for credit.
    pub async fn write_chunk(&mut self, _chunk: Bytes) -> io::Result<()> {
        todo!()
    }
}

#[expect(clippy::todo, reason = "signatures ahead of the driver")]
impl AsyncRead for Lane {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
}

#[expect(clippy::todo, reason = "signatures ahead of the driver")]
impl AsyncWrite for Lane {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        todo!()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
}
