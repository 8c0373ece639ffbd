//! A client's attempt to have a resumable stream carried, proven.

use postern_ids::StreamId;
use postern_tunnel_io::stream::{Attach, verify_proof};

/// An attempt whose client proved to hold the stream's key. There is no other way to have one: nothing that was not proven
/// is admitted again (D12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAttempt {
    stream: StreamId,
    key: [u8; 32],
    generation: u32,
}

/// The proof of an Attach was not made with the key that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof of the attempt does not verify")]
pub struct NotProven;

impl StreamAttempt {
    /// The attempt that an Attach describes, if its proof verifies. Whose key that is, is for the caller to compare.
    pub fn prove(attach: &Attach) -> Result<Self, NotProven> {
        if !verify_proof(attach) {
            return Err(NotProven);
        }
        Ok(Self { stream: attach.stream, key: attach.key, generation: attach.generation })
    }

    /// The stream; the client chose it.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// The key that the client proved to hold.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// Greater than in every earlier attempt.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}
