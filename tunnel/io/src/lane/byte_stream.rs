//! A lane as a tokio byte stream.

use super::{CHUNK_MAX, Lane};
use crate::shared::LaneEnd;
use bytes::{Buf, Bytes};
use postern_ids::Ended;
use postern_tunnel_proto::Reset;
use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The peer reset the lane; what an I/O error of a [`Lane`] carries inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneReset {
    /// The peer's code.
    pub code: u16,
}

impl fmt::Display for LaneReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Ended::from_code(self.code) {
            Some(ended) => f.write_str(ended.sentence()),
            None => write!(f, "the stream was reset with code {}", self.code),
        }
    }
}

impl std::error::Error for LaneReset {}

pub(super) fn io_error(end: LaneEnd) -> io::Error {
    match end {
        LaneEnd::Done => io::ErrorKind::BrokenPipe.into(),
        LaneEnd::Reset(Reset { code, class: _ }) => {
            io::Error::new(io::ErrorKind::ConnectionReset, LaneReset { code })
        }
        LaneEnd::LinkLost => io::Error::new(io::ErrorKind::ConnectionAborted, "the link was lost"),
    }
}

impl AsyncRead for Lane {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.poll_chunk(cx, 0, CHUNK_MAX)) {
                Ok(Some(chunk)) => self.rest = chunk,
                Ok(None) => return Poll::Ready(Ok(())),
                Err(end) => return Poll::Ready(Err(io_error(end))),
            }
        }
        let length = self.rest.len().min(out.remaining());
        out.put_slice(&self.rest.copy_to_bytes(length));
        self.consume(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lane {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // One byte more than there is room: it is refused, and so asks for the wake-up.
        let room = self.shared.lock().machine.writable(self.id);
        let length = bytes.len().min(room.max(1)).min(CHUNK_MAX);
        let mut chunk = Bytes::copy_from_slice(bytes.get(..length).unwrap_or_default());
        match self.poll_send(cx, &mut chunk) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(length)),
            Poll::Ready(Err(end)) => Poll::Ready(Err(io_error(end))),
            Poll::Pending if chunk.len() < length => Poll::Ready(Ok(length - chunk.len())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish().map_err(io_error))
    }
}
