//! The list of streams that a connector holds, as it goes over a link.

use crate::frame::{Cursor, PAYLOAD_MAX};
use bytes::Bytes;
use postern_ids::{SessionId, StreamId};

/// A grant is a JWT: the limit for all of them.
const GRANT_MAX: usize = 8 * 1024;

/// One held stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stream.
    pub stream: StreamId,
    /// Its session.
    pub session: SessionId,
    /// Its current generation.
    pub generation: u32,
    /// No lane carries it at the moment.
    pub detached: bool,
    /// The last grant that it was opened or resumed with.
    pub grant: Bytes,
}

/// Bytes that are no inventory, or a grant that does not fit into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed inventory")]
pub struct InventoryError;

/// The entries of one part; stops at the first error.
pub fn entries(part: Bytes) -> impl Iterator<Item = Result<Entry, InventoryError>> {
    let mut cursor = Some(Cursor::new(part));
    std::iter::from_fn(move || {
        let mut rest = cursor.take()?;
        if rest.is_empty() {
            return None;
        }
        let entry = read(&mut rest).ok_or(InventoryError);
        if entry.is_ok() {
            cursor = Some(rest);
        }
        Some(entry)
    })
}

fn read(cursor: &mut Cursor) -> Option<Entry> {
    let stream = StreamId::from_bytes(cursor.array()?);
    let session = SessionId::from_bytes(cursor.array()?);
    let generation = cursor.u32()?;
    let [state] = cursor.array()?;
    let len = usize::from(cursor.u16()?);
    let grant = cursor.take(len).filter(|grant| grant.len() <= GRANT_MAX)?;
    (state <= 1).then_some(Entry { stream, session, generation, detached: state == 1, grant })
}

/// Packs entries into parts that each fit into one frame; always at least one part, so that an empty inventory is said too.
pub fn parts(entries: impl IntoIterator<Item = Entry>) -> Result<Vec<Bytes>, InventoryError> {
    let mut parts = vec![];
    let mut part = Vec::new();
    for entry in entries {
        let bytes = write(&entry)?;
        if part.len().saturating_add(bytes.len()) > PAYLOAD_MAX {
            parts.push(Bytes::from(std::mem::take(&mut part)));
        }
        part.extend_from_slice(&bytes);
    }
    parts.push(part.into());
    Ok(parts)
}

fn write(entry: &Entry) -> Result<Vec<u8>, InventoryError> {
    let len = u16::try_from(entry.grant.len()).ok().filter(|len| usize::from(*len) <= GRANT_MAX);
    let mut bytes = Vec::with_capacity(64);
    bytes.extend(entry.stream.to_bytes());
    bytes.extend(entry.session.to_bytes());
    bytes.extend(entry.generation.to_be_bytes());
    bytes.push(u8::from(entry.detached));
    bytes.extend(len.ok_or(InventoryError)?.to_be_bytes());
    bytes.extend_from_slice(&entry.grant);
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn entry(n: u8) -> Entry {
        Entry {
            stream: StreamId::from_bytes([n; 16]),
            session: SessionId::from_bytes([n; 16]),
            generation: u32::from(n),
            detached: n % 2 == 1,
            grant: vec![n; 1_000].into(),
        }
    }

    #[test]
    fn an_inventory_survives_its_parts() {
        let all: Vec<Entry> = (0..200).map(entry).collect();
        let parts = parts(all.clone()).unwrap();
        assert!(parts.len() > 1 && parts.iter().all(|part| part.len() <= PAYLOAD_MAX));
        let back: Vec<Entry> = parts.into_iter().flat_map(entries).map(Result::unwrap).collect();
        assert_eq!(back, all);
    }

    #[test]
    fn a_cut_or_strange_entry_is_an_error_and_the_last() {
        let part = parts([entry(1), entry(2)]).unwrap().remove(0);
        let cut: Vec<_> = entries(part.slice(..part.len() - 1)).collect();
        assert_eq!(cut, [Ok(entry(1)), Err(InventoryError)]);
        let mut strange = part.to_vec();
        strange.iter_mut().skip(36).take(1).for_each(|state| *state = 2);
        assert_eq!(entries(strange.into()).collect::<Vec<_>>(), [Err(InventoryError)]);
    }
}
