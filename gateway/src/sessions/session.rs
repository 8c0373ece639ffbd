//! An admitted session, and one whose target is open.

use super::{
    ending::Ending,
    refused::Refused,
    stream::{Opened, Stream},
};
use crate::connectors::{Home, Lanes, ended_by_connector};
use bytes::Bytes;
use postern_ids::{Ended, Refusal};
use postern_policy::Permit;
use postern_store::journal::Admitted;
use postern_tunnel_io::{Detach, ForwardEnd, Forwarded, Lane, Side, forward, forward_resumable};
use std::{borrow::Cow, future::Future};

/// Admitted: decided, in the live table, recorded. It leads to its target or to its end.
#[derive(Debug)]
pub struct Session {
    admitted: Admitted,
    ending: Ending,
    /// What makes it resumable.
    stream: Option<Stream>,
}

/// A session whose lane to the target is open.
#[derive(Debug)]
pub struct OpenSession {
    admitted: Admitted,
    target: Lane,
    ending: Ending,
    stream: Option<Box<(Stream, Home)>>,
}

impl Session {
    pub(super) fn new(admitted: Admitted, ending: Ending, stream: Option<Stream>) -> Self {
        Self { admitted, ending, stream }
    }

    pub(super) fn into_parts(self) -> (Admitted, Ending) {
        (self.admitted, self.ending)
    }

    /// What was allowed.
    pub fn permit(&self) -> &Permit {
        self.admitted.permit()
    }

    /// Opens the lane to the target, unless the cut comes first. `early` is the client's first bytes.
    pub async fn open(self, lanes: &Lanes, early: Bytes) -> Result<OpenSession, Refused> {
        let Self { admitted, ending, stream } = self;
        let opened = match stream {
            Some(stream) => {
                let opened = stream.open(admitted.permit(), ending, lanes, early).await?;
                let Opened { target, ending, stream, home } = opened;
                OpenSession { admitted, target, ending, stream: Some(Box::new((stream, home))) }
            }
            None => open_plain(admitted, ending, lanes, early).await?,
        };
        let permit = opened.permit();
        tracing::info!(
            session.id = %permit.session(),
            decision.id = %permit.decision(),
            principal.id = %permit.principal().id,
            resource = %permit.resource().name,
            policy.revision = permit.revision(),
            "session opened"
        );
        Ok(opened)
    }
}

async fn open_plain(
    admitted: Admitted,
    ending: Ending,
    lanes: &Lanes,
    early: Bytes,
) -> Result<OpenSession, Refused> {
    let permit = admitted.permit();
    let decision = permit.decision();
    let opened = tokio::select! {
        biased;
        ended = ending.cut().wait() => {
            ending.end(ended, 0, 0);
            return Err(Refused::decided(Refusal::Denied, decision, ended.sentence()));
        }
        // The connector is noted before it is asked: if it is revoked meanwhile, so is the session.
        opened = lanes.open(permit, early, |connector| ending.carried_by(connector)) => opened,
    };
    match opened {
        Ok(target) => Ok(OpenSession { admitted, target, ending, stream: None }),
        Err(failed) => {
            ending.end(Ended::NotOpened, 0, 0);
            let message = failed.detail.map_or(failed.refusal.sentence().into(), Cow::Owned);
            Err(Refused::decided(failed.refusal, decision, message))
        }
    }
}

impl OpenSession {
    /// What was allowed.
    pub fn permit(&self) -> &Permit {
        self.admitted.permit()
    }

    /// The attempt of a resumable session, and the process that holds its stream.
    pub fn stream(&self) -> Option<(&Stream, Home)> {
        self.stream.as_deref().map(|(stream, home)| (stream, *home))
    }

    /// Carries bytes between the client and the target until the session ends, and records how it did; a resumable one may
    /// only lose its lanes, and waits.
    pub fn splice(self, client: Lane) -> impl Future<Output = ()> + Send {
        let Self { admitted, target, ending, stream } = self;
        let order = stream.map(|stream| stream.0.into_order());
        splice(admitted, target, ending, order, client)
    }
}

/// The only place where bytes of a client and a target meet. It takes the proof that this was decided and recorded, and
/// the duty to end it, by value: neither can serve a second time.
async fn splice(admitted: Admitted, target: Lane, ending: Ending, order: Option<Detach>, client: Lane) {
    // The permit has done its work; a session at rest does not keep it in memory.
    drop(admitted);
    let cut = ending.cut().clone();
    let (Forwarded { up, down, end }, after) = match order {
        Some(order) => {
            let forwarded = forward_resumable(client, target, cut, order).await;
            (forwarded, after_stream(forwarded.end))
        }
        None => {
            let forwarded = forward(client, target, cut).await;
            (forwarded, After::Over(after_plain(forwarded.end)))
        }
    };
    match after {
        After::Over(ended) => {
            // A client that is coming back over a newer lane has made this one powerless.
            if matches!(end, ForwardEnd::Cut(_)) {
                ending.kill(ended);
            }
            ending.end(ended, up, down);
        }
        After::Waits => {
            tracing::info!(session.id = %ending.session(), by = ?end, "session.detached: it waits for its client");
            ending.detach(up, down);
        }
        After::Moved => ending.leave(up, down),
    }
}

/// What becomes of a session whose lanes are gone.
#[derive(Debug, PartialEq, Eq)]
enum After {
    Over(Ended),
    /// It waits at its connector.
    Waits,
    /// A newer lane carries it, through another gateway.
    Moved,
}

fn after_stream(end: ForwardEnd) -> After {
    match end {
        ForwardEnd::Finished => After::Over(Ended::Finished),
        ForwardEnd::Cut(ended) => After::Over(ended),
        ForwardEnd::Tcp(_) => After::Over(Ended::TargetFailed),
        ForwardEnd::Reset { by: Side::A, detach: false, .. } => After::Over(Ended::ClientLost),
        ForwardEnd::Reset { by: Side::B, detach: false, code } => After::Over(ended_by_connector(code)),
        ForwardEnd::Reset { by: Side::B, detach: true, code } if code == Refusal::Superseded.code() => {
            After::Moved
        }
        ForwardEnd::Reset { detach: true, .. } | ForwardEnd::LinkLost { .. } | ForwardEnd::Detached(_) => {
            After::Waits
        }
    }
}

fn after_plain(end: ForwardEnd) -> Ended {
    match end {
        ForwardEnd::Finished => Ended::Finished,
        ForwardEnd::Cut(ended) => ended,
        ForwardEnd::Reset { by: Side::A, .. } | ForwardEnd::LinkLost { by: Side::A } => Ended::ClientLost,
        ForwardEnd::Reset { by: Side::B, code, .. } => reset_by_connector(code),
        ForwardEnd::LinkLost { by: Side::B } => Ended::ConnectorLost,
        // Only orders to sessions that can wait lead to the first.
        ForwardEnd::Detached(_) => Ended::GatewayStopped,
        ForwardEnd::Tcp(_) => Ended::TargetFailed,
    }
}

/// What a connector may say about the end of a plain session; it cannot speak for policy or for the client.
fn reset_by_connector(code: u16) -> Ended {
    match Ended::from_code(code) {
        Some(ended @ (Ended::Limit | Ended::TargetFailed)) => ended,
        _ => Ended::TargetFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t15_a_connector_cannot_make_a_session_look_revoked() {
        for &ended in Ended::ALL {
            let reset = |detach| ForwardEnd::Reset { by: Side::B, code: ended.code(), detach };
            let told = after_plain(reset(false));
            assert!(matches!(told, Ended::TargetFailed | Ended::Limit), "{told:?}");
            assert_ne!(after_stream(reset(false)), After::Over(Ended::Revoked));
        }
    }

    #[test]
    fn a_resumable_session_outlives_every_loss_of_a_lane_and_nothing_else() {
        let reset = |by, code, detach| after_stream(ForwardEnd::Reset { by, code, detach });
        for lost in [
            ForwardEnd::LinkLost { by: Side::A },
            ForwardEnd::LinkLost { by: Side::B },
            ForwardEnd::Detached(Ended::GatewayStopped.code()),
        ] {
            assert_eq!(after_stream(lost), After::Waits);
        }
        assert_eq!(reset(Side::A, 4442, true), After::Waits);
        assert_eq!(reset(Side::B, 4443, true), After::Waits);
        assert_eq!(reset(Side::B, 4409, true), After::Moved);
        assert_eq!(reset(Side::A, 4409, true), After::Waits, "only the connector knows who carries it");
        assert_eq!(reset(Side::A, 4442, false), After::Over(Ended::ClientLost));
        assert_eq!(reset(Side::B, 4444, false), After::Over(Ended::TargetFailed));
        assert_eq!(after_stream(ForwardEnd::Cut(Ended::Revoked)), After::Over(Ended::Revoked));
    }
}
