//! Opening lanes of resumable streams: the process that holds a stream is the only one that can go on with it.

use super::{
    lane::{ATTEMPTS_MAX, Lanes, OPEN_MAX},
    registry::{Home, Way},
    said::{OpenFailed, ended_by_connector, refused_by_connector},
};
use crate::signing::StreamAttempt;
use bytes::Bytes;
use postern_ids::{Ended, Refusal};
use postern_policy::Permit;
use postern_tunnel_io::{Lane, Link, OpenError, Opened};
use std::time::Duration;
use tokio::time::{Instant, error::Elapsed};

/// How long a client waits for the connector that holds its stream: it needs a few attempts to dial in again after an
/// interruption that hit them both.
const REACH_MAX: Duration = Duration::from_secs(5);
/// The same where another gateway may have that connector at once.
const REACH_WITH_SIBLINGS: Duration = Duration::from_secs(1);

/// Why no lane carries a resumable stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOpened {
    /// Nothing was asked, or the connector made nothing of it: a stream that it holds stays as it was.
    Refused(OpenFailed),
    /// No answer came: the connector may hold the stream now, or may not.
    Unanswered(Refusal),
    /// The connector knows an attempt that is as new.
    Superseded,
    /// The stream is over at the connector, or gone with it.
    Over(Ended),
}

impl From<OpenFailed> for NotOpened {
    fn from(failed: OpenFailed) -> Self {
        Self::Refused(failed)
    }
}

impl From<Refusal> for NotOpened {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl Lanes {
    /// Opens the first lane of a resumable stream. `carried_by` hears of the process before it is asked, and may refuse.
    pub async fn open_stream(
        &self,
        permit: &Permit,
        attempt: &StreamAttempt,
        early: Bytes,
        mut carried_by: impl FnMut(Home) -> Result<(), Refusal>,
    ) -> Result<(Lane, Home), NotOpened> {
        let mut tried = Vec::new();
        let mut last = OpenFailed::from(self.no_connector());
        while tried.len() < ATTEMPTS_MAX {
            let Some((place, link)) = self.pick(permit, &tried).await else { break };
            tried.push(place);
            carried_by(place.home())?;
            let open = self.request(permit, place, Some(attempt), early.clone())?;
            match not_opened(tokio::time::timeout(OPEN_MAX, link.open(open)).await) {
                Ok(lane) => return Ok((lane, place.home())),
                // It made nothing of it: another link may.
                Err(NotOpened::Refused(failed)) if is_worth_another(failed.refusal) => last = failed,
                Err(failed) => return Err(failed),
            }
        }
        Err(last.into())
    }

    /// Opens a further lane of a stream to the process that holds it, which is waited for.
    pub async fn open_at(
        &self,
        permit: &Permit,
        attempt: &StreamAttempt,
        home: Home,
        early: Bytes,
    ) -> Result<Lane, NotOpened> {
        let patience = if self.has_siblings { REACH_WITH_SIBLINGS } else { REACH_MAX };
        let until = Instant::now() + patience;
        let mut tried = Vec::new();
        let mut last = NotOpened::from(self.no_connector());
        while tried.len() < ATTEMPTS_MAX {
            let (place, link) = match self.registry.reach(home, &tried, Link::lanes, until).await {
                Way::Link(place, link) => (place, link),
                Way::OtherInstance => return Err(NotOpened::Over(Ended::ConnectorLost)),
                Way::None => break,
            };
            tried.push(place);
            let open = self.request(permit, place, Some(attempt), early.clone())?;
            match not_opened(tokio::time::timeout(OPEN_MAX, link.open(open)).await) {
                Ok(lane) => return Ok(lane),
                Err(NotOpened::Refused(failed)) if is_worth_another(failed.refusal) => last = failed.into(),
                Err(failed) => return Err(failed),
            }
        }
        Err(last)
    }

    /// Whether another process of that connector is here: what the asked one held is gone with it.
    pub fn is_gone(&self, home: Home) -> bool {
        matches!(self.registry.way_to(home, &[], Link::lanes), Way::OtherInstance)
    }
}

/// The answer of a connector to an Open of a resumable stream.
fn not_opened(answer: Result<Result<Opened, OpenError>, Elapsed>) -> Result<Lane, NotOpened> {
    match answer {
        Ok(Ok(opened)) => Ok(opened.lane),
        Ok(Err(OpenError::Refused { code, detail })) => Err(refused(code, &detail)),
        Ok(Err(OpenError::Limit)) => Err(Refusal::Limit.into()),
        Ok(Err(OpenError::LinkLost)) => Err(NotOpened::Unanswered(Refusal::LinkLost)),
        Err(_) => Err(NotOpened::Unanswered(Refusal::Timeout)),
    }
}

fn refused(code: u16, detail: &[u8]) -> NotOpened {
    let (said, failed) = (Refusal::from_code(code), refused_by_connector(code, detail));
    match said {
        Some(Refusal::Superseded) => NotOpened::Superseded,
        Some(Refusal::ResumeUnknown) => NotOpened::Over(Ended::ResumeFailed),
        Some(Refusal::ProofFailed) => Refusal::ProofFailed.into(),
        said if said == Some(failed.refusal) => failed.into(),
        // A stream that is over is refused with its own code.
        _ if Ended::from_code(code).is_some() => NotOpened::Over(ended_by_connector(code)),
        _ => failed.into(),
    }
}

/// Whether a refusal says more about the link than about the stream.
fn is_worth_another(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::Draining | Refusal::Limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t06_a_stream_that_is_over_or_gone_is_told_apart_from_one_that_cannot_be_reached_now() {
        assert_eq!(refused(4409, b""), NotOpened::Superseded);
        assert_eq!(refused(4410, b""), NotOpened::Over(Ended::ResumeFailed));
        assert_eq!(refused(1000, b""), NotOpened::Over(Ended::Finished));
        assert_eq!(refused(4444, b""), NotOpened::Over(Ended::TargetFailed));
        assert_eq!(refused(4429, b""), Refusal::Limit.into());
        assert_eq!(refused(4485, b""), Refusal::Draining.into());
        assert_eq!(refused(4411, b""), Refusal::ProofFailed.into());
        assert_eq!(
            refused(4448, b""),
            NotOpened::Over(Ended::TargetFailed),
            "it cannot speak for an administrator"
        );
        assert_eq!(refused(4412, b""), NotOpened::Over(Ended::TargetFailed), "nor for policy");
        assert_eq!(refused(4401, b""), Refusal::TargetUnreachable.into());
    }
}
