//! The WebSocket under a link. tungstenite reads, checks and answers control frames; data messages are written around
//! it, from the pieces that the machine gives, so that no payload is copied on the accepting side and each is copied
//! once, by masking, on the dialing side.

mod gate;
mod outgoing;

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};
use gate::Gate;
use outgoing::Outgoing;
use postern_tunnel_proto::{Side, Transmit, frame::MESSAGE_MAX};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

/// One TLS record: tungstenite clears this much before each read, and TLS gives no more at once.
const READ_BUFFER: usize = 16 * 1024;
/// Control frames only; data messages do not pass through it.
const CONTROL_BUFFER: usize = 4 * 1024;

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

impl Received {
    /// Bytes of the message.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Control | Self::Close { .. } | Self::Violation { .. } | Self::Ended => 0,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Socket<S> {
    stream: WebSocketStream<Gate<S>>,
    side: Side,
    outgoing: Outgoing,
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
            Some(Ok(Message::Text(_))) => Received::Violation { code: 1002, reason: "frame: text message" },
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
