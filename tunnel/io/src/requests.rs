//! What the peer asked for and nobody fetched yet: bounded by number and by bytes. At a bound the driver stops reading, so that
//! the peer waits.

use bytes::Bytes;
use postern_ids::SessionId;
use postern_tunnel_proto::LaneId;
use std::collections::VecDeque;

/// Requests that may wait.
const COUNT_MAX: usize = 4096;
/// Bytes that they may hold: a peer that sends lists or keys faster than they are checked must not fill the process.
const BYTES_MAX: usize = 1024 * 1024;

/// A request of the peer as it waits.
#[derive(Debug)]
pub(crate) enum Request {
    Open { lane: LaneId, flow: u64, metadata: Bytes, early: Bytes },
    GoAway { code: u16, hint: String },
    Inventory { entries: Bytes, last: bool },
    Keys(Bytes),
    Kill { session: SessionId, code: u16 },
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Self::Open { metadata, early, .. } => metadata.len() + early.len(),
            Self::GoAway { hint, .. } => hint.len(),
            Self::Inventory { entries: bytes, .. } | Self::Keys(bytes) => bytes.len(),
            Self::Kill { .. } => 0,
        }
    }
}

/// The requests in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: VecDeque<Request>,
    bytes: usize,
}

impl Requests {
    /// Whether the peer has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= COUNT_MAX || self.bytes >= BYTES_MAX
    }

    pub(crate) fn push(&mut self, request: Request) {
        self.bytes += request.bytes();
        self.waiting.push_back(request);
    }

    pub(crate) fn pop(&mut self) -> Option<Request> {
        let request = self.waiting.pop_front()?;
        self.bytes -= request.bytes();
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t15_the_queue_is_full_by_number_or_by_bytes_and_has_room_again() {
        let mut requests = Requests::default();
        for _ in 0..COUNT_MAX {
            assert!(!requests.is_full());
            requests.push(Request::Kill { session: SessionId::from_bytes([0; 16]), code: 1 });
        }
        assert!(requests.is_full() && requests.pop().is_some() && !requests.is_full());
        let mut requests = Requests::default();
        while !requests.is_full() {
            requests.push(Request::Keys(Bytes::from(vec![0; 65_536])));
        }
        assert_eq!((requests.waiting.len(), requests.bytes), (16, BYTES_MAX));
        assert!(requests.pop().is_some() && !requests.is_full());
    }
}
