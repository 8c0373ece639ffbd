//! A lane that came for a resumable stream: the Attach at its start, before anything is decided.

use super::Attach;
use crate::IncomingLane;
use bytes::Bytes;
use postern_tunnel_proto::stream::Intake;

/// The Attach that the early data of a lane begin with, and what follows it. `None` when it is not there whole: it is
/// shorter than early data may be, so the client has no reason to send less.
pub fn read_attach(early: &Bytes) -> Option<(Attach, Bytes)> {
    let mut rest = early.clone();
    let attach = Intake::new().read(&mut rest).ok()??;
    Some((attach, rest))
}

/// A lane that waits for its answer, with its Attach.
#[derive(Debug)]
pub struct Arrival {
    /// The lane; its early data were taken out.
    pub lane: IncomingLane,
    /// What the client wants. Key, session and proof are for the caller to check.
    pub attach: Attach,
    /// What followed the Attach.
    pub(super) rest: Bytes,
}

impl Arrival {
    /// Reads the Attach of a lane; gives the lane back as it was when there is none.
    pub fn read(mut lane: IncomingLane) -> Result<Self, IncomingLane> {
        match read_attach(&lane.early) {
            Some((attach, rest)) => {
                lane.early = Bytes::new();
                Ok(Self { lane, attach, rest })
            }
            None => Err(lane),
        }
    }
}

/// A lane that its stream does not take: refuse it with this code.
#[derive(Debug)]
pub struct Rejected {
    /// The lane, still without an answer.
    pub lane: IncomingLane,
    /// 4409, 4410, or the code that the stream ended with.
    pub code: u16,
}
