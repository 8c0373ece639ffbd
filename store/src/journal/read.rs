//! Reads durable records back from the segments, in order, for the shipper.

use super::{
    frame,
    record::RecordKind,
    segment::{HEADER_LEN, Segment},
};
use crate::chain::{Hash, Head};
use postern_ids::Timestamp;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

/// Read at once: at least one frame of the greatest length.
const READ_BYTES: usize = 2 * frame::FRAME_BYTES_MAX;

/// One record, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: RecordKind,
    pub(crate) hash: Hash,
    pub(crate) body: String,
}

/// Why records cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} does not hold record {sequence} as it was written", path.display())]
    Damaged { path: PathBuf, sequence: u64 },
    #[error("no segment holds record {sequence}")]
    Missing { sequence: u64 },
}

/// Where reading goes on.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    /// The chain up to here was read.
    pub(crate) head: Head,
    /// The segment that was read last, and up to which byte.
    place: Option<(u64, u64)>,
}

impl Cursor {
    /// Before the first record of a segment.
    pub(crate) fn at_start(segment: &Segment) -> Self {
        Self { head: segment.start, place: None }
    }

    /// The next records up to `durable`, at most `count`; none only when there is none.
    pub(crate) fn read(
        &mut self,
        segments: &[Segment],
        durable: u64,
        count: usize,
    ) -> Result<Vec<Record>, ReadError> {
        if self.head.sequence >= durable {
            return Ok(Vec::new());
        }
        let wanted = self.head.sequence + 1;
        let holds = |s: &&Segment| s.start.sequence < wanted && wanted <= s.end.unwrap_or(durable);
        let segment = segments.iter().rfind(holds).ok_or(ReadError::Missing { sequence: wanted })?;
        let mut offset = match self.place {
            Some((index, offset)) if index == segment.index => offset,
            _ => HEADER_LEN as u64,
        };
        let last = segment.end.unwrap_or(durable).min(durable);
        let bytes = read_at(segment, offset)?;
        let (mut head, mut rest, mut records) = (self.head, bytes.as_slice(), Vec::new());
        while head.sequence < last && records.len() < count {
            let Some((frame, len, next)) = frame::decode_next(rest, head) else { break };
            records.push(owned(&frame).ok_or_else(|| damaged(segment, next))?);
            (head, offset) = (next, offset + len as u64);
            rest = rest.get(len..).unwrap_or_default();
        }
        if records.is_empty() {
            return Err(ReadError::Damaged { path: segment.path.clone(), sequence: wanted });
        }
        self.place = Some((segment.index, offset));
        self.head = head;
        Ok(records)
    }
}

fn owned(frame: &frame::Frame<'_>) -> Option<Record> {
    let body = str::from_utf8(frame.body).ok()?.to_owned();
    Some(Record { sequence: frame.sequence, at: frame.at, kind: frame.kind, hash: frame.hash, body })
}

fn damaged(segment: &Segment, at: Head) -> ReadError {
    ReadError::Damaged { path: segment.path.clone(), sequence: at.sequence }
}

fn read_at(segment: &Segment, offset: u64) -> Result<Vec<u8>, ReadError> {
    let read = || {
        let mut file = File::open(&segment.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(READ_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| ReadError::File { path: segment.path.clone(), source })
}
