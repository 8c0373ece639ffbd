//! Why a lane is not served, and what its gateway is told.

use crate::{allow::TargetError, target::DialTargetError};
use postern_ids::{Ended, Refusal};

/// The reason; its text goes to the gateway and to `status`.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotServed {
    #[error("the grant was refused: {0}")]
    Grant(&'static str),
    #[error("a resumable session has to begin with who attaches")]
    NoAttach,
    #[error("the attach was refused: {0}")]
    Proof(&'static str),
    #[error("the client speaks no version of the stream protocol that this connector speaks")]
    Version,
    #[error("the stream belongs to another session of its client")]
    OtherSession,
    #[error("this process holds no such stream")]
    UnknownStream,
    #[error("the stream does not take the lane: {}", label(*.0))]
    Rejected(u16),
    #[error("the target cannot be dialed: {0}")]
    Target(#[from] TargetError),
    #[error(transparent)]
    Dial(#[from] DialTargetError),
    #[error("this connector carries {0} sessions, its limit")]
    Limit(usize),
    #[error("this connector remembers {0} sessions that ended a moment ago, its limit")]
    Remembered(usize),
    #[error("the session ended before it began")]
    Cut(Ended),
}

impl NotServed {
    /// The code for the gateway: of a refusal, or of the end that the stream came to.
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::Grant(_) => Refusal::GrantRefused.code(),
            Self::NoAttach => Refusal::BadRequest.code(),
            Self::Proof(_) => Refusal::ProofFailed.code(),
            Self::OtherSession => Refusal::Superseded.code(),
            Self::Version | Self::UnknownStream => Refusal::ResumeUnknown.code(),
            Self::Rejected(code) => *code,
            Self::Target(_) | Self::Dial(DialTargetError::NotAllowed(_)) => Refusal::TargetNotAllowed.code(),
            Self::Dial(
                DialTargetError::Resolve { .. }
                | DialTargetError::Connect { .. }
                | DialTargetError::Deadline { .. },
            ) => Refusal::TargetUnreachable.code(),
            Self::Limit(_) | Self::Remembered(_) => Refusal::Limit.code(),
            Self::Cut(_) => Refusal::Denied.code(),
        }
    }

    /// The word for the log.
    pub(super) fn label(&self) -> &'static str {
        label(self.code())
    }

    /// A client that comes back twice, or too late, is nothing to look into.
    pub(super) fn is_ordinary(&self) -> bool {
        matches!(self, Self::OtherSession | Self::UnknownStream | Self::Rejected(_))
    }
}

fn label(code: u16) -> &'static str {
    let refusal = Refusal::from_code(code).map(Refusal::label);
    refusal.or_else(|| Ended::from_code(code).map(Ended::label)).unwrap_or("unknown")
}
