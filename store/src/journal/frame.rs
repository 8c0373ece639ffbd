//! One record on disk: `length | CRC-32 | sequence | time | kind | hash | body`, numbers little-endian.
//!
//! The checksum tells a torn write from a whole one; the hash chains the records, so that an altered one is told as well.

use super::record::RecordKind;
use crate::chain::{Hash, Head};
use postern_ids::Timestamp;

/// Length and checksum.
const PREFIX_LEN: usize = 8;
/// Sequence, time, kind, hash.
const FIXED_LEN: usize = 8 + 8 + 1 + 32;
/// The longest body: a decision quotes the rules that determined it, and those have limits of their own.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;
/// The longest frame.
pub(crate) const FRAME_BYTES_MAX: usize = PREFIX_LEN + FIXED_LEN + BODY_BYTES_MAX;

/// A whole frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: RecordKind,
    pub(crate) hash: Hash,
    pub(crate) body: &'a [u8],
}

/// Appends the next record of the chain to `out`.
pub(crate) fn encode(head: Head, at: Timestamp, kind: RecordKind, body: &[u8], out: &mut Vec<u8>) -> Head {
    debug_assert!(body.len() <= BODY_BYTES_MAX);
    let next = head.after(at, kind.label(), body);
    let start = out.len();
    let len = u32::try_from(FIXED_LEN + body.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&next.sequence.to_le_bytes());
    out.extend_from_slice(&at.as_micros().to_le_bytes());
    out.push(kind.code());
    out.extend_from_slice(&next.hash);
    out.extend_from_slice(body);
    let crc = crc32fast::hash(out.get(start + PREFIX_LEN..).unwrap_or_default());
    if let Some(place) = out.get_mut(start + 4..start + PREFIX_LEN) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
    next
}

/// The frame at the start of `bytes` and its length; `None` when there is no whole one.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    if !(FIXED_LEN..=FIXED_LEN + BODY_BYTES_MAX).contains(&len) {
        return None;
    }
    let content = rest.get(..len)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (sequence, content) = content.split_first_chunk::<8>()?;
    let (at, content) = content.split_first_chunk::<8>()?;
    let (kind, content) = content.split_first()?;
    let (hash, body) = content.split_first_chunk::<32>()?;
    let frame = Frame {
        sequence: u64::from_le_bytes(*sequence),
        at: Timestamp::from_micros(i64::from_le_bytes(*at)),
        kind: RecordKind::from_code(*kind)?,
        hash: *hash,
        body,
    };
    Some((frame, PREFIX_LEN + len))
}

/// The frame at the start of `bytes`, if it is whole and the next record after `head`; with the chain's new head.
pub(crate) fn decode_next(bytes: &[u8], head: Head) -> Option<(Frame<'_>, usize, Head)> {
    let (frame, len) = decode(bytes)?;
    let next = head.after(frame.at, frame.kind.label(), frame.body);
    (frame.sequence == next.sequence && frame.hash == next.hash).then_some((frame, len, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> (Head, Vec<u8>) {
        let mut out = Vec::new();
        let head = encode(Head::start("c"), Timestamp::from_secs(7), RecordKind::Ended, b"body", &mut out);
        (head, out)
    }

    #[test]
    fn a_frame_survives_its_bytes() {
        let (head, bytes) = one();
        let decoded = decode_next(&bytes, Head::start("c"));
        assert_eq!(
            decoded.as_ref().map(|(frame, len, next)| (frame.body, *len, *next)),
            Some((b"body".as_slice(), bytes.len(), head))
        );
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let (_, bytes) = one();
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len]), None, "length {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_next(&bad, Head::start("c")).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_asks_for_no_memory() {
        let mut bytes = one().1;
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode(&bytes), None);
    }
}
