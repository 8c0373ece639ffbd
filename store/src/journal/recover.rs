//! Finds out, before anything else happens, what a journal holds: cuts a torn tail, refuses damage.
//!
//! A crash can leave unfinished only what was never answered for: the end of the newest segment. Every other segment must
//! hold each record up to where the next one begins. What lies beyond that in it was written, but its sync failed: the
//! next segment took its numbers, and it counts for nothing.

use super::{
    JournalError, RecoveryReport, frame,
    segment::{self, HEADER_LEN, Header, Segment},
};
use crate::chain::Head;
use postern_ids::NodeId;
use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// What a journal holds.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) header: Header,
    /// Closed segments, in order.
    pub(crate) segments: Vec<Segment>,
    pub(crate) next_index: u64,
    pub(crate) report: RecoveryReport,
}

/// One segment file, read.
struct Read {
    index: u64,
    path: PathBuf,
    bytes: Vec<u8>,
    header: Header,
}

pub(crate) fn recover(dir: &Path, node: NodeId, birth: [u8; 8]) -> Result<Recovered, JournalError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|source| failed(dir, source))?;
    let files = segment::list(dir).map_err(|source| failed(dir, source))?;
    let next_index = files.last().map_or(1, |(index, _)| index + 1);
    let mut report = RecoveryReport::default();
    let read = read_all(files, node, &mut report)?;
    let start = Head::start(&super::record::chain_name(node, birth));
    let mut header = read.last().map_or(Header { node, birth, start }, |last| last.header);
    let mut segments = Vec::with_capacity(read.len());
    for (at, found) in read.iter().enumerate() {
        let next = read.get(at + 1).map(|next| next.header.start);
        let (head, offset) = scan(found, next)?;
        if next.is_none() {
            cut_tail(found, offset, &mut report)?;
        }
        report.records += head.sequence - found.header.start.sequence;
        header.start = head;
        segments.push(Segment {
            index: found.index,
            path: found.path.clone(),
            start: found.header.start,
            end: Some(head.sequence),
            bytes: offset,
        });
    }
    remove_empty(&mut segments)?;
    report.last_sequence = header.start.sequence;
    Ok(Recovered { header, segments, next_index, report })
}

fn failed(path: &Path, source: io::Error) -> JournalError {
    JournalError::File { path: path.to_owned(), source }
}

fn read_all(
    files: Vec<(u64, PathBuf)>,
    node: NodeId,
    report: &mut RecoveryReport,
) -> Result<Vec<Read>, JournalError> {
    let mut all = Vec::with_capacity(files.len());
    for (index, path) in files {
        let bytes = fs::read(&path).map_err(|source| failed(&path, source))?;
        match Header::decode(&bytes) {
            Some(header) if header.node == node => all.push(Read { index, path, bytes, header }),
            Some(_) => return Err(JournalError::OtherNode { path }),
            // The crash, or a failing disk, came while the segment was being made: nothing was ever recorded in it. Were
            // records missing here, the next segment would not continue the one before.
            None if bytes.len() <= HEADER_LEN => {
                fs::remove_file(&path).map_err(|source| failed(&path, source))?;
                report.cut = Some((path, bytes.len() as u64));
            }
            None => return Err(JournalError::Damaged { path, offset: 0 }),
        }
    }
    Ok(all)
}

/// Follows the chain through a segment, up to where the next one begins. Gives the chain's head and the bytes behind it.
fn scan(read: &Read, next: Option<Head>) -> Result<(Head, u64), JournalError> {
    let mut head = read.header.start;
    let mut offset = HEADER_LEN;
    while next.is_none_or(|next| head.sequence < next.sequence) {
        let rest = read.bytes.get(offset..).unwrap_or_default();
        let Some((_, len, after)) = frame::decode_next(rest, head) else { break };
        head = after;
        offset += len;
    }
    if next.is_some_and(|next| head != next) {
        return Err(JournalError::Damaged { path: read.path.clone(), offset: offset as u64 });
    }
    Ok((head, offset as u64))
}

fn cut_tail(read: &Read, offset: u64, report: &mut RecoveryReport) -> Result<(), JournalError> {
    let torn = read.bytes.len() as u64 - offset;
    if torn == 0 {
        return Ok(());
    }
    let cut = OpenOptions::new().write(true).open(&read.path).and_then(|file| {
        file.set_len(offset)?;
        file.sync_all()
    });
    cut.map_err(|source| failed(&read.path, source))?;
    report.cut = Some((read.path.clone(), torn));
    Ok(())
}

/// A start that recorded nothing leaves an empty segment; many starts would leave many.
fn remove_empty(segments: &mut Vec<Segment>) -> Result<(), JournalError> {
    // The newest stays even when empty: it says where the chain stands after everything before it was shipped.
    let newest = segments.last().map(|segment| segment.index);
    let is_empty =
        |segment: &Segment| segment.end == Some(segment.start.sequence) && Some(segment.index) != newest;
    for segment in segments.iter().filter(|segment| is_empty(segment)) {
        fs::remove_file(&segment.path).map_err(|source| failed(&segment.path, source))?;
    }
    segments.retain(|segment| !is_empty(segment));
    Ok(())
}
