//! Takes a message apart into frames.

use super::{
    CREDIT_MAX, Cursor, EARLY_MAX, FrameError, Header, Hello, Kind, LaneId, METADATA_MAX, PAYLOAD_MAX,
    ResetClass, TEXT_MAX,
};
use bytes::Bytes;
use postern_ids::SessionId;

/// One frame; its payloads are slices of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the wire's, docs/protocol.md describes each")]
pub enum Frame {
    Hello(Hello),
    Open { lane: LaneId, flow: u64, metadata: Bytes, early: Bytes },
    Opened { lane: LaneId, metadata: Bytes },
    Refused { lane: LaneId, code: u16, detail: Bytes },
    Data { lane: LaneId, payload: Bytes },
    Credit { lane: LaneId, bytes: u32 },
    Fin { lane: LaneId },
    Reset { lane: LaneId, code: u16, class: ResetClass },
    Ping(u64),
    Pong(u64),
    GoAway { code: u16, hint: Bytes },
    Inventory { entries: Bytes, last: bool },
    Kill { session: SessionId, code: u16 },
    Keys(Bytes),
}

/// The frames of a message, in order; stops at the first error. An empty message has no frames and is an error of its own,
/// which the caller finds by asking for the first.
pub fn frames(message: Bytes) -> impl Iterator<Item = Result<Frame, FrameError>> {
    let mut cursor = Some(Cursor::new(message));
    std::iter::from_fn(move || {
        let mut rest = cursor.take()?;
        if rest.is_empty() {
            return None;
        }
        let frame = next(&mut rest);
        if frame.is_ok() {
            cursor = Some(rest);
        }
        Some(frame)
    })
}

fn next(cursor: &mut Cursor) -> Result<Frame, FrameError> {
    let header = Header::parse(cursor.array().ok_or(FrameError::Truncated)?)?;
    let len = usize::try_from(header.len).unwrap_or(usize::MAX);
    let payload = cursor.take(len).ok_or(FrameError::Truncated)?;
    match header.kind {
        Kind::Hello => Hello::parse(payload).map(Frame::Hello),
        Kind::Open => open(header.lane, payload),
        Kind::Opened => {
            bounded(payload, METADATA_MAX).map(|metadata| Frame::Opened { lane: header.lane, metadata })
        }
        Kind::Refused => {
            coded(payload, "refused").map(|(code, detail)| Frame::Refused { lane: header.lane, code, detail })
        }
        Kind::Data => match payload.is_empty() {
            true => Err(FrameError::Malformed("data")),
            false => Ok(Frame::Data { lane: header.lane, payload }),
        },
        Kind::Credit => credit(header.lane, payload),
        Kind::Fin => exact(payload, "fin", |_| Some(Frame::Fin { lane: header.lane })),
        Kind::Reset => exact(payload, "reset", |cursor| {
            let class = if header.flags == 0 { ResetClass::End } else { ResetClass::Detach };
            Some(Frame::Reset { lane: header.lane, code: cursor.u16()?, class })
        }),
        Kind::Ping => exact(payload, "ping", |cursor| cursor.u64().map(Frame::Ping)),
        Kind::Pong => exact(payload, "pong", |cursor| cursor.u64().map(Frame::Pong)),
        Kind::GoAway => coded(payload, "goaway").map(|(code, hint)| Frame::GoAway { code, hint }),
        Kind::Inventory => Ok(Frame::Inventory { entries: payload, last: header.flags != 0 }),
        Kind::Kill => exact(payload, "kill", |cursor| {
            Some(Frame::Kill { session: SessionId::from_bytes(cursor.array()?), code: cursor.u16()? })
        }),
        Kind::Keys => bounded(payload, PAYLOAD_MAX).map(Frame::Keys),
    }
}

fn bounded(payload: Bytes, max: usize) -> Result<Bytes, FrameError> {
    if payload.len() > max { Err(FrameError::TooLong) } else { Ok(payload) }
}

/// A payload that `read` must use up to its last byte.
fn exact(
    payload: Bytes,
    what: &'static str,
    read: impl FnOnce(&mut Cursor) -> Option<Frame>,
) -> Result<Frame, FrameError> {
    let mut cursor = Cursor::new(payload);
    read(&mut cursor).filter(|_| cursor.is_empty()).ok_or(FrameError::Malformed(what))
}

/// A code and a short text.
fn coded(payload: Bytes, what: &'static str) -> Result<(u16, Bytes), FrameError> {
    let mut cursor = Cursor::new(payload);
    let code = cursor.u16().ok_or(FrameError::Malformed(what))?;
    Ok((code, bounded(cursor.rest(), TEXT_MAX)?))
}

fn open(lane: LaneId, payload: Bytes) -> Result<Frame, FrameError> {
    let mut cursor = Cursor::new(payload);
    let (Some(flow), Some(len)) = (cursor.u64(), cursor.u16()) else {
        return Err(FrameError::Malformed("open"));
    };
    let metadata = cursor.take(usize::from(len)).ok_or(FrameError::Malformed("open"))?;
    let metadata = bounded(metadata, METADATA_MAX)?;
    let early = bounded(cursor.rest(), EARLY_MAX)?;
    Ok(Frame::Open { lane, flow, metadata, early })
}

fn credit(lane: LaneId, payload: Bytes) -> Result<Frame, FrameError> {
    exact(payload, "credit", |cursor| {
        let bytes = cursor.u32().filter(|bytes| (1..=CREDIT_MAX).contains(bytes))?;
        Some(Frame::Credit { lane, bytes })
    })
}
