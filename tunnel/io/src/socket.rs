//! The WebSocket under a link. tungstenite reads, checks and answers control frames; data messages are written around
//! it, from the pieces that the machine gives, so that no payload is copied on the accepting side and each is copied
//! once, by masking, on the dialing side.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use postern_tunnel_proto::{Side, Transmit, frame::MESSAGE_MAX};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                FrameHeader,
                coding::{Data, OpCode},
            },
        },
    },
};

/// One TLS record: tungstenite clears this much before each read, and TLS gives no more at once.
const READ_BUFFER: usize = 16 * 1024;
/// Control frames only; data messages do not pass through it.
const CONTROL_BUFFER: usize = 4 * 1024;
/// Pieces of a message that one system call takes.
const PIECES_MAX: usize = 64;

/// What came from the peer.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Bytes),
    /// A control frame; its answer is on its way.
    Control,
    Close {
        code: u16,
        reason: String,
    },
    /// The peer broke WebSocket: close with this code.
    Violation {
        code: u16,
        reason: &'static str,
    },
    /// The connection ended without a close.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Socket<S> {
    stream: WebSocketStream<Gate<S>>,
    side: Side,
    outgoing: Outgoing,
}

/// The message that is being written.
#[derive(Debug, Default)]
struct Outgoing {
    transmit: Transmit,
    header: Vec<u8>,
    /// The whole message, masked; dialing side only.
    masked: BytesMut,
    written: usize,
    length: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(crate) async fn new(stream: S, read_ahead: Bytes, side: Side) -> Self {
        let role = match side {
            Side::Dialer => Role::Client,
            Side::Acceptor => Role::Server,
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(CONTROL_BUFFER)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let gate = Gate { inner: stream, is_shut: false, read: 0, written: 0 };
        let stream =
            WebSocketStream::from_partially_read(gate, read_ahead.to_vec(), role, Some(config)).await;
        Self { stream, side, outgoing: Outgoing::default() }
    }

    /// Bytes read from the transport so far.
    pub(crate) fn read(&self) -> u64 {
        self.stream.get_ref().read
    }

    /// Bytes that the transport took so far.
    pub(crate) fn written(&self) -> u64 {
        self.stream.get_ref().written
    }

    /// The message to write next; filled only when the one before is flushed.
    pub(crate) fn transmit(&mut self) -> &mut Transmit {
        &mut self.outgoing.transmit
    }

    /// Begins to write what [`Self::transmit`] holds.
    pub(crate) fn send(&mut self) {
        let mask = match self.side {
            Side::Dialer => Some(rand::random()),
            Side::Acceptor => None,
        };
        self.outgoing.begin(mask);
        self.stream.get_mut().is_shut = true;
    }

    /// Begins to write a close frame.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        // An error means that the connection or the close handshake is over already.
        let _ = Pin::new(&mut self.stream).start_send(Message::Close(Some(frame)));
    }

    /// Writes until everything is with the kernel.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.stream.get_ref().is_shut {
            ready!(self.outgoing.poll_write(cx, self.stream.get_mut()))?;
            self.stream.get_mut().is_shut = false;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Gives the memory of past messages back, now and then.
    pub(crate) fn rest(&mut self) {
        if !self.stream.get_ref().is_shut {
            self.outgoing.masked = BytesMut::new();
        }
    }

    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        Poll::Ready(match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            Some(Ok(Message::Binary(message))) => Received::Message(message),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Received::Control,
            Some(Ok(Message::Close(Some(frame)))) => {
                Received::Close { code: frame.code.into(), reason: frame.reason.as_str().to_owned() }
            }
            // RFC 6455 section 7.1.5: a close without a code.
            Some(Ok(Message::Close(None))) => Received::Close { code: 1005, reason: String::new() },
            Some(Ok(Message::Text(_))) => {
                Received::Violation { code: 1003, reason: "the tunnel knows only binary messages" }
            }
            Some(Ok(Message::Frame(_))) => {
                Received::Violation { code: 1002, reason: "the WebSocket framing is broken" }
            }
            Some(Err(Error::Capacity(_))) => {
                Received::Violation { code: 1009, reason: "the message is too big" }
            }
            Some(Err(Error::Utf8(_))) => Received::Violation { code: 1007, reason: "the text is not UTF-8" },
            Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_))) | None => {
                Received::Ended
            }
            Some(Err(_)) => Received::Violation { code: 1002, reason: "the WebSocket framing is broken" },
        })
    }
}

impl Outgoing {
    fn begin(&mut self, mask: Option<[u8; 4]>) {
        let length = self.transmit.len();
        self.header.clear();
        let opcode = OpCode::Data(Data::Binary);
        let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
        // Writing into a Vec cannot fail.
        let _ = header.format(u64::try_from(length).unwrap_or(u64::MAX), &mut self.header);
        self.written = 0;
        self.length = self.header.len() + length;
        if let Some(mask) = mask {
            self.masked.clear();
            self.masked.reserve(self.length);
            self.masked.put_slice(&self.header);
            let mut offset = 0;
            for slice in self.transmit.slices() {
                put_masked(&mut self.masked, slice, mask, offset);
                offset += slice.len();
            }
            self.transmit.clear();
        }
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        gate: &mut Gate<S>,
    ) -> Poll<Result<(), Error>> {
        while self.written < self.length {
            let taken = if self.masked.is_empty() {
                ready!(self.poll_write_pieces(cx, &mut gate.inner))
            } else {
                let rest = self.masked.get(self.written..).unwrap_or_default();
                ready!(Pin::new(&mut gate.inner).poll_write(cx, rest))
            };
            let taken = taken.map_err(Error::Io)?;
            if taken == 0 {
                return Poll::Ready(Err(Error::Io(io::ErrorKind::WriteZero.into())));
            }
            self.written += taken;
            gate.written += taken as u64;
        }
        self.masked.clear();
        self.transmit.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_write_pieces<S: AsyncWrite + Unpin>(
        &self,
        cx: &mut Context<'_>,
        inner: &mut S,
    ) -> Poll<io::Result<usize>> {
        let mut skip = self.written;
        let mut slices = [IoSlice::new(&[]); PIECES_MAX];
        let rest =
            std::iter::once(self.header.as_slice()).chain(self.transmit.slices()).filter_map(|piece| {
                let rest = piece.get(skip..);
                skip = skip.saturating_sub(piece.len());
                rest.filter(|rest| !rest.is_empty())
            });
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(rest) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        Pin::new(inner).poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
    }
}

/// Appends `bytes`, masked as RFC 6455 section 5.3 says for the position `offset` of the payload.
fn put_masked(out: &mut BytesMut, bytes: &[u8], mask: [u8; 4], offset: usize) {
    const WORD: usize = 32;
    let mut turned = mask;
    turned.rotate_left(offset % 4);
    let word: [u8; WORD] = std::array::from_fn(|i| turned.get(i % 4).copied().unwrap_or_default());
    for chunk in bytes.chunks(WORD) {
        if let Ok(chunk) = <&[u8; WORD]>::try_from(chunk) {
            let masked: [u8; WORD] = std::array::from_fn(|i| chunk[i] ^ word[i]);
            out.put_slice(&masked);
        } else {
            out.extend(chunk.iter().zip(word).map(|(byte, mask)| byte ^ mask));
        }
    }
}

/// Keeps tungstenite's control frames out of the middle of a data message, and counts.
#[derive(Debug)]
struct Gate<S> {
    inner: S,
    /// A data message is partly written.
    is_shut: bool,
    read: u64,
    written: u64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, out);
        self.read += (out.filled().len() - before) as u64;
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    /// Pending without a wake-up while shut: the driver flushes again once its message is written.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_shut {
            return Poll::Pending;
        }
        let taken = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.written += taken as u64;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_runs_on_across_pieces() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mask = [1, 2, 3, 4];
        let mut out = BytesMut::new();
        let (first, second) = bytes.split_at(37);
        put_masked(&mut out, first, mask, 0);
        put_masked(&mut out, second, mask, 37);
        let plain: Vec<u8> = out.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(plain, bytes);
    }
}
