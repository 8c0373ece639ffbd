//! The list of streams that a connector holds, as it goes over a link.

use crate::frame::{Cursor, PAYLOAD_MAX};
use bytes::Bytes;
use postern_ids::{SessionId, StreamId};

/// A grant is a JWT: the limit for all of them.
const GRANT_MAX: usize = 8 * 1024;
/// Bytes of an entry before its grant.
const FIXED_LEN: usize = 41;

/// One held stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stream.
    pub stream: StreamId,
    /// Its session.
    pub session: SessionId,
    /// Its current generation.
    pub generation: u32,
    /// How it stands.
    pub state: State,
    /// The last grant that it was opened or resumed with; empty when it is over.
    pub grant: Bytes,
}

/// How a stream stands at its connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A lane carries it, through some gateway.
    Attached,
    /// No lane carries it.
    Detached,
    /// It ended, with this code of `postern_ids::Ended`.
    Over(u16),
}

const ATTACHED: u8 = 0;
const DETACHED: u8 = 1;
const OVER: u8 = 2;

impl State {
    /// The two fields that it is written as; the code is 0 unless the stream is over.
    const fn fields(self) -> (u8, u16) {
        match self {
            Self::Attached => (ATTACHED, 0),
            Self::Detached => (DETACHED, 0),
            Self::Over(code) => (OVER, code),
        }
    }

    const fn from_fields(state: u8, code: u16) -> Option<Self> {
        match (state, code) {
            (ATTACHED, 0) => Some(Self::Attached),
            (DETACHED, 0) => Some(Self::Detached),
            (OVER, 1..) => Some(Self::Over(code)),
            _ => None,
        }
    }
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
    let state = State::from_fields(state, cursor.u16()?)?;
    let len = usize::from(cursor.u16()?);
    let grant = cursor.take(len).filter(|grant| grant.len() <= GRANT_MAX)?;
    let is_over = matches!(state, State::Over(_));
    (is_over == grant.is_empty()).then_some(Entry { stream, session, generation, state, grant })
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
    let grant: &[u8] = if matches!(entry.state, State::Over(_)) { &[] } else { &entry.grant };
    let len = u16::try_from(grant.len()).ok().filter(|len| usize::from(*len) <= GRANT_MAX);
    let (state, code) = entry.state.fields();
    let mut bytes = Vec::with_capacity(FIXED_LEN.saturating_add(grant.len()));
    bytes.extend(entry.stream.to_bytes());
    bytes.extend(entry.session.to_bytes());
    bytes.extend(entry.generation.to_be_bytes());
    bytes.push(state);
    bytes.extend(code.to_be_bytes());
    bytes.extend(len.ok_or(InventoryError)?.to_be_bytes());
    bytes.extend_from_slice(grant);
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn entry(n: u8) -> Entry {
        let (state, grant) = match n % 3 {
            0 => (State::Attached, vec![n; 1_000]),
            1 => (State::Detached, vec![n; 2_000]),
            _ => (State::Over(4000 + u16::from(n)), vec![]),
        };
        Entry {
            stream: StreamId::from_bytes([n; 16]),
            session: SessionId::from_bytes([n; 16]),
            generation: u32::from(n),
            state,
            grant: grant.into(),
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
        let part = parts([entry(1), entry(3)]).unwrap().remove(0);
        let cut: Vec<_> = entries(part.slice(..part.len() - 1)).collect();
        assert_eq!(cut, [Ok(entry(1)), Err(InventoryError)]);
        // A state that does not exist; a code without an end; an end without a code; an end with a grant.
        for (at, byte) in [(36, 3), (38, 1), (36, 2), (36, 4)] {
            let mut strange = part.to_vec();
            strange.iter_mut().skip(at).take(1).for_each(|field| *field = byte);
            assert_eq!(entries(strange.into()).collect::<Vec<_>>(), [Err(InventoryError)], "{at} {byte}");
        }
        let over = parts([entry(2)]).unwrap().remove(0);
        let mut with_grant = over.to_vec();
        with_grant.iter_mut().skip(40).take(1).for_each(|len| *len = 1);
        with_grant.push(0);
        assert_eq!(entries(with_grant.into()).collect::<Vec<_>>(), [Err(InventoryError)]);
    }
}
