//! One file of the journal: a header that says where in the chain it begins, then frames.

use super::disk::Disk;
use crate::chain::Head;
use postern_ids::NodeId;
use std::{
    io,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"PSTNJRN1";
const EXTENSION: &str = "journal";
pub(crate) const HEADER_LEN: usize = 8 + 16 + 8 + 8 + 32 + 4;

/// Whose records a segment holds, and after which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) node: NodeId,
    /// Random, made with the first segment: tells this journal from one that was lost.
    pub(crate) birth: [u8; 8],
    /// The chain before the first record.
    pub(crate) start: Head,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.node.to_bytes());
        out.extend_from_slice(&self.birth);
        out.extend_from_slice(&self.start.sequence.to_le_bytes());
        out.extend_from_slice(&self.start.hash);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` for a header that was not written whole.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, _) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let rest = content.strip_prefix(MAGIC)?;
        let (node, rest) = rest.split_first_chunk::<16>()?;
        let (birth, rest) = rest.split_first_chunk::<8>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let hash = rest.try_into().ok()?;
        let start = Head { sequence: u64::from_le_bytes(*sequence), hash };
        Some(Self { node: NodeId::from_bytes(*node), birth: *birth, start })
    }
}

/// A segment as the shipper and the limits see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) index: u64,
    pub(crate) path: PathBuf,
    pub(crate) start: Head,
    /// The last record in it, once nothing is appended any more.
    pub(crate) end: Option<u64>,
    /// Header and synced frames.
    pub(crate) bytes: u64,
}

pub(crate) fn path(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("{index:010}.{EXTENSION}"))
}

/// The segment files of a directory, in order.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let index = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(index), Some(EXTENSION)) = (index, path.extension().and_then(|e| e.to_str())) {
            found.push((index, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Makes a segment whose header, and whose name in the directory, survive a crash.
pub(crate) fn create(
    disk: &dyn Disk,
    dir: &Path,
    index: u64,
    header: &Header,
) -> io::Result<(Segment, Box<dyn super::disk::Append>)> {
    let path = path(dir, index);
    let mut file = disk.create(&path)?;
    file.append(&header.encode())?;
    file.sync()?;
    disk.sync_dir(dir)?;
    let segment = Segment { index, path, start: header.start, end: None, bytes: HEADER_LEN as u64 };
    Ok((segment, file))
}
