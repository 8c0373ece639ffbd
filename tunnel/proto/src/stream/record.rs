//! The records that a resumable stream is made of on its lane, read from chunks that are cut anywhere.

use super::attach::{ATTACH_LEN, Attach};
use crate::frame::Cursor;
use bytes::{Buf, Bytes};

/// Bytes of the stream in one Data record.
pub(super) const DATA_MAX: usize = 64 * 1024;
const HEADER_LEN: usize = 4;
const OFFSET_LEN: usize = 8;
const ACK_LEN: usize = 16;
/// What a Data record costs beside its bytes.
pub const DATA_OVERHEAD: usize = HEADER_LEN + OFFSET_LEN;
const WELCOME_LEN: usize = 30;

const ATTACH: u8 = 0x01;
const WELCOME: u8 = 0x02;
const REJECT: u8 = 0x03;
const DATA: u8 = 0x04;
const ACK: u8 = 0x05;
const FIN: u8 = 0x06;
const END: u8 = 0x07;

/// One record; the bytes of a Data record may come in several parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Attach(Box<Attach>),
    Welcome(Welcome),
    Reject(u16),
    Data { offset: u64, bytes: Bytes },
    Ack(Ack),
    Fin(u64),
    End(u16),
}

/// What a side accepted of the other's direction, and how far that one may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) received: u64,
    /// The offset that the peer must not send beyond.
    pub(super) limit: u64,
}

/// The connector's answer to an Attach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Welcome {
    pub(super) version: u16,
    pub(super) generation: u32,
    pub(super) received: u64,
    pub(super) instance: [u8; 16],
}

/// Bytes that are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lane carries something that is no record of a stream")]
pub struct RecordError;

fn record(kind: u8, payload: &[u8]) -> Bytes {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = Vec::with_capacity(HEADER_LEN.saturating_add(payload.len()));
    bytes.extend_from_slice(&[kind, a, b, c]);
    bytes.extend_from_slice(payload);
    bytes.into()
}

/// What stands in front of `len` bytes of a Data record, with room for `inline` of them.
pub(super) fn data_header(offset: u64, len: usize, inline: usize) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(len.saturating_add(OFFSET_LEN)).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = Vec::with_capacity(DATA_OVERHEAD.saturating_add(inline));
    bytes.extend_from_slice(&[DATA, a, b, c]);
    bytes.extend_from_slice(&offset.to_be_bytes());
    bytes
}

impl Record {
    /// A record other than Data, as it goes over the lane.
    pub(super) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Attach(attach) => record(ATTACH, &attach.payload()),
            Self::Welcome(welcome) => {
                let mut payload = Vec::with_capacity(WELCOME_LEN);
                payload.extend(welcome.version.to_be_bytes());
                payload.extend(welcome.generation.to_be_bytes());
                payload.extend(welcome.received.to_be_bytes());
                payload.extend(welcome.instance);
                record(WELCOME, &payload)
            }
            Self::Reject(code) => record(REJECT, &code.to_be_bytes()),
            Self::Data { offset, bytes } => {
                let mut all = data_header(*offset, bytes.len(), bytes.len());
                all.extend_from_slice(bytes);
                all.into()
            }
            Self::Ack(Ack { received, limit }) => {
                record(ACK, &[received.to_be_bytes(), limit.to_be_bytes()].concat())
            }
            Self::Fin(length) => record(FIN, &length.to_be_bytes()),
            Self::End(code) => record(END, &code.to_be_bytes()),
        }
    }

    fn parse(kind: u8, payload: Bytes) -> Option<Self> {
        if kind == ATTACH {
            return Attach::parse(payload).map(|attach| Self::Attach(Box::new(attach)));
        }
        let mut cursor = Cursor::new(payload);
        let record = match kind {
            WELCOME => Self::Welcome(Welcome {
                version: cursor.u16()?,
                generation: cursor.u32()?,
                received: cursor.u64()?,
                instance: cursor.array()?,
            }),
            REJECT => Self::Reject(cursor.u16()?),
            ACK => Self::Ack(Ack { received: cursor.u64()?, limit: cursor.u64()? }),
            FIN => Self::Fin(cursor.u64()?),
            END => Self::End(cursor.u16()?),
            _ => return None,
        };
        cursor.is_empty().then_some(record)
    }
}

/// Puts records together from the chunks of a lane.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The bytes of a header or of a short record that came so far; empty between records.
    partial: Vec<u8>,
    body: Option<Body>,
}

/// The rest of a Data record.
#[derive(Debug, Clone, Copy)]
struct Body {
    offset: u64,
    left: usize,
}

impl Parser {
    /// The next record from the front of `chunk`; `None` when it needs more than the chunk has.
    pub(super) fn next(&mut self, chunk: &mut Bytes) -> Result<Option<Record>, RecordError> {
        if self.body.is_none() {
            let Some(mut head) = self.read_head(chunk)? else { return Ok(None) };
            let header = head.split_to(HEADER_LEN.min(head.len()));
            let (kind, len) = parse_header(&header)?.ok_or(RecordError)?;
            if kind != DATA {
                return Record::parse(kind, head).map(Some).ok_or(RecordError);
            }
            let offset = Cursor::new(head).u64().ok_or(RecordError)?;
            self.body = Some(Body { offset, left: len.saturating_sub(OFFSET_LEN) });
        }
        Ok(self.read_body(chunk))
    }

    fn read_body(&mut self, chunk: &mut Bytes) -> Option<Record> {
        let body = self.body.filter(|_| !chunk.is_empty())?;
        let bytes = chunk.split_to(body.left.min(chunk.len()));
        let left = body.left.saturating_sub(bytes.len());
        let offset = body.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.body = (left > 0).then_some(Body { offset, left });
        Some(Record::Data { offset: body.offset, bytes })
    }

    /// Takes a header with the payload of a short record, or with the offset of a Data record. What lies in one piece is
    /// not copied.
    fn read_head(&mut self, chunk: &mut Bytes) -> Result<Option<Bytes>, RecordError> {
        if self.partial.is_empty()
            && let Some(want) = head_len(chunk)?
            && want <= chunk.len()
        {
            return Ok(Some(chunk.split_to(want)));
        }
        if !self.fill(HEADER_LEN, chunk) {
            return Ok(None);
        }
        let want = head_len(&self.partial)?.ok_or(RecordError)?;
        Ok(self.fill(want, chunk).then(|| Bytes::from(std::mem::take(&mut self.partial))))
    }

    /// Moves bytes from the chunk until `partial` has `want`.
    fn fill(&mut self, want: usize, chunk: &mut Bytes) -> bool {
        let missing = want.saturating_sub(self.partial.len()).min(chunk.len());
        self.partial.extend_from_slice(chunk.get(..missing).unwrap_or_default());
        chunk.advance(missing);
        self.partial.len() >= want
    }
}

/// Type and length of the record that starts here; `None` while its header is not whole.
fn parse_header(bytes: &[u8]) -> Result<Option<(u8, usize)>, RecordError> {
    let &[kind, a, b, c, ..] = bytes else { return Ok(None) };
    let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).map_err(|_| RecordError)?;
    if length_is_legal(kind, len) { Ok(Some((kind, len))) } else { Err(RecordError) }
}

/// Bytes of the record that starts here, but only up to the offset of a Data record.
fn head_len(bytes: &[u8]) -> Result<Option<usize>, RecordError> {
    let header = parse_header(bytes)?;
    Ok(header.map(|(kind, len)| HEADER_LEN.saturating_add(if kind == DATA { OFFSET_LEN } else { len })))
}

fn length_is_legal(kind: u8, len: usize) -> bool {
    match kind {
        ATTACH => len == ATTACH_LEN,
        WELCOME => len == WELCOME_LEN,
        DATA => (OFFSET_LEN + 1..=OFFSET_LEN + DATA_MAX).contains(&len),
        ACK => len == ACK_LEN,
        FIN => len == OFFSET_LEN,
        REJECT | END => len == 2,
        _ => false,
    }
}

/// Reads the Attach at the start of a lane, before it is known which stream it belongs to.
#[derive(Debug, Default)]
pub struct Intake(Parser);

impl Intake {
    /// A reader at the start of a lane.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the front of `chunk` until the Attach is complete; what is left of the chunk belongs to the stream.
    pub fn read(&mut self, chunk: &mut Bytes) -> Result<Option<Attach>, RecordError> {
        match self.0.next(chunk)? {
            Some(Record::Attach(attach)) => Ok(Some(*attach)),
            Some(_) => Err(RecordError),
            None => Ok(None),
        }
    }

    /// The answer to an Attach that is not taken: write it to the lane and finish it.
    pub fn reject(code: u16) -> Bytes {
        Record::Reject(code).to_bytes()
    }
}
