//! One outgoing WebSocket binary message, as pieces that copy no payload.

use bytes::{Bytes, BytesMut};

/// A message to send: frame headers and small payloads inline, large payloads as the `Bytes` they came in.
/// The shell keeps one and hands it to `poll_transmit` again and again; nothing is allocated per message.
#[derive(Debug, Default)]
pub struct Transmit {
    inline: BytesMut,
    pieces: Vec<Piece>,
    len: usize,
}

#[derive(Debug)]
enum Piece {
    /// Bytes of `inline` up to this position.
    InlineTo(usize),
    Payload(Bytes),
}

impl Transmit {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of the message.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The message in order, as slices that can be written with one vectored write or copied once.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        self.pieces.iter().map(move |piece| match piece {
            Piece::InlineTo(to) => {
                let slice = self.inline.get(from..*to).unwrap_or_default();
                from = *to;
                slice
            }
            Piece::Payload(bytes) => bytes,
        })
    }

    /// Forgets the content, keeps the memory for the next message.
    pub fn clear(&mut self) {
        self.inline.clear();
        self.pieces.clear();
        self.len = 0;
    }
}
