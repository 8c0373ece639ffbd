//! The record that ties a lane to a stream, and what its proof signs.

use crate::frame::Cursor;
use bytes::Bytes;
use postern_ids::StreamId;

/// The only version of the stream protocol so far.
pub const VERSION: u16 = 1;
/// Bytes of the payload.
pub(super) const ATTACH_LEN: usize = 145;
const SIGNED_LEN: usize = 81;
const CONTEXT: [u8; 24] = *b"postern stream attach v1";
/// Bytes that the proof signs.
pub const PROOF_MESSAGE_LEN: usize = 105;
const RESUME_ONLY: u8 = 1;

/// A client's wish to carry a stream on this lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// The oldest version of the stream protocol that the client speaks.
    pub version_min: u16,
    /// The newest.
    pub version_max: u16,
    /// Never make a new stream.
    pub resume_only: bool,
    /// The stream; the client chose it.
    pub stream: StreamId,
    /// The client's Ed25519 public key for this stream.
    pub key: [u8; 32],
    /// Greater than in every earlier attempt.
    pub generation: u32,
    /// What the client accepted of the connector's direction.
    pub received: u64,
    /// The connector instance that holds the stream; zero before the first Welcome.
    pub instance: [u8; 16],
    /// Ed25519 over [`Attach::proof_message`].
    pub proof: [u8; 64],
}

impl Attach {
    /// The bytes that the proof signs: a context, then every field before the proof.
    pub fn proof_message(&self) -> [u8; PROOF_MESSAGE_LEN] {
        let mut message = [0; PROOF_MESSAGE_LEN];
        let fields = self.signed();
        let bytes = CONTEXT.iter().chain(&fields);
        message.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        message
    }

    fn signed(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIGNED_LEN);
        bytes.extend(self.version_min.to_be_bytes());
        bytes.extend(self.version_max.to_be_bytes());
        bytes.push(if self.resume_only { RESUME_ONLY } else { 0 });
        bytes.extend(self.stream.to_bytes());
        bytes.extend(self.key);
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.received.to_be_bytes());
        bytes.extend(self.instance);
        bytes
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        let mut bytes = self.signed();
        bytes.extend(self.proof);
        bytes
    }

    pub(super) fn parse(payload: Bytes) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let (version_min, version_max) = (cursor.u16()?, cursor.u16()?);
        let [flags] = cursor.array()?;
        let attach = Self {
            version_min,
            version_max,
            resume_only: flags == RESUME_ONLY,
            stream: StreamId::from_bytes(cursor.array()?),
            key: cursor.array()?,
            generation: cursor.u32()?,
            received: cursor.u64()?,
            instance: cursor.array()?,
            proof: cursor.array()?,
        };
        let good = flags <= RESUME_ONLY && version_min <= version_max && attach.generation > 0;
        (good && cursor.is_empty()).then_some(attach)
    }

    /// Whether this implementation speaks a version of the client's range.
    pub fn has_our_version(&self) -> bool {
        (self.version_min..=self.version_max).contains(&VERSION)
    }
}
