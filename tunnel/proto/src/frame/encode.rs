//! Puts a message together from frames, as pieces that copy no payload.

use super::{Header, Hello, Kind, LaneId, ResetClass};
use bytes::Bytes;
use postern_ids::SessionId;

/// Payloads up to this length are copied beside their header: cheaper than one more piece of a vectored write.
const INLINE_MAX: usize = 1024;

/// A message to send: frame headers and small payloads inline, large payloads as the `Bytes` they came in.
/// The shell keeps one and hands it to `poll_transmit` again and again; nothing is allocated per message.
#[derive(Debug, Default)]
pub struct Transmit {
    inline: Vec<u8>,
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

    /// The message as one allocation; a copy, for tests and small messages.
    pub fn to_bytes(&self) -> Bytes {
        let mut all = Vec::with_capacity(self.len);
        self.slices().for_each(|slice| all.extend_from_slice(slice));
        all.into()
    }

    /// Forgets the content, keeps the memory for the next message.
    pub fn clear(&mut self) {
        self.inline.clear();
        self.pieces.clear();
        self.len = 0;
    }

    /// Starts a frame whose payload of `len` bytes follows with `put` or `put_bytes`.
    pub(crate) fn header(&mut self, kind: Kind, flags: u8, lane: LaneId, len: usize) {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        self.put(&Header { kind, flags, len, lane }.to_bytes());
    }

    /// Appends bytes by copying them.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.inline.extend_from_slice(bytes);
        self.len = self.len.saturating_add(bytes.len());
        let end = self.inline.len();
        match self.pieces.last_mut() {
            Some(Piece::InlineTo(to)) => *to = end,
            Some(Piece::Payload(_)) | None => self.pieces.push(Piece::InlineTo(end)),
        }
    }

    /// Appends bytes without copying them, unless they are few.
    pub(crate) fn put_bytes(&mut self, bytes: Bytes) {
        if bytes.len() <= INLINE_MAX {
            self.put(&bytes);
            return;
        }
        self.len = self.len.saturating_add(bytes.len());
        self.pieces.push(Piece::Payload(bytes));
    }

    pub(crate) fn hello(&mut self, hello: Hello) {
        let payload = hello.to_bytes();
        self.header(Kind::Hello, 0, LaneId::LINK, payload.len());
        self.put(&payload);
    }

    pub(crate) fn open(&mut self, lane: LaneId, flow: u64, metadata: Bytes, early: Bytes) {
        let fixed = size_of::<u64>().saturating_add(size_of::<u16>());
        let len = fixed.saturating_add(metadata.len()).saturating_add(early.len());
        self.header(Kind::Open, 0, lane, len);
        self.put(&flow.to_be_bytes());
        self.put(&u16::try_from(metadata.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.put_bytes(metadata);
        self.put_bytes(early);
    }

    /// A frame whose payload is opaque.
    pub(crate) fn opaque(&mut self, kind: Kind, flags: u8, lane: LaneId, payload: Bytes) {
        self.header(kind, flags, lane, payload.len());
        self.put_bytes(payload);
    }

    /// A frame whose payload is a code and a text.
    pub(crate) fn coded(&mut self, kind: Kind, lane: LaneId, code: u16, text: &[u8]) {
        self.header(kind, 0, lane, size_of::<u16>().saturating_add(text.len()));
        self.put(&code.to_be_bytes());
        self.put(text);
    }

    pub(crate) fn credit(&mut self, lane: LaneId, bytes: u32) {
        self.header(Kind::Credit, 0, lane, size_of::<u32>());
        self.put(&bytes.to_be_bytes());
    }

    pub(crate) fn fin(&mut self, lane: LaneId) {
        self.header(Kind::Fin, 0, lane, 0);
    }

    pub(crate) fn reset(&mut self, lane: LaneId, code: u16, class: ResetClass) {
        let flags = match class {
            ResetClass::End => 0,
            ResetClass::Detach => 1,
        };
        self.header(Kind::Reset, flags, lane, size_of::<u16>());
        self.put(&code.to_be_bytes());
    }

    /// Ping or Pong.
    pub(crate) fn token(&mut self, kind: Kind, token: u64) {
        self.header(kind, 0, LaneId::LINK, size_of::<u64>());
        self.put(&token.to_be_bytes());
    }

    pub(crate) fn kill(&mut self, session: SessionId, code: u16) {
        let session = session.to_bytes();
        self.header(Kind::Kill, 0, LaneId::LINK, size_of::<u16>().saturating_add(session.len()));
        self.put(&session);
        self.put(&code.to_be_bytes());
    }
}
