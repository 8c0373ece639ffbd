//! An admitted session, and one whose target is open.

use super::{admit::Refused, ending::Ending};
use crate::connectors::Lanes;
use bytes::Bytes;
use postern_ids::{Ended, Refusal};
use postern_policy::Permit;
use postern_store::journal::Admitted;
use postern_tunnel_io::{Cut, ForwardEnd, Lane, Side, forward};
use std::borrow::Cow;

/// Admitted: decided, in the live table, recorded. It leads to its target or to its end.
#[derive(Debug)]
pub struct Session {
    admitted: Admitted,
    cut: Cut,
    ending: Ending,
}

/// A session whose lane to the target is open.
#[derive(Debug)]
pub struct OpenSession {
    admitted: Admitted,
    target: Lane,
    cut: Cut,
    ending: Ending,
}

impl Session {
    pub(super) fn new(admitted: Admitted, cut: Cut, ending: Ending) -> Self {
        Self { admitted, cut, ending }
    }

    /// What was allowed.
    pub fn permit(&self) -> &Permit {
        self.admitted.permit()
    }

    /// Opens the lane to the target, unless the cut comes first. `early` is the client's first bytes.
    pub async fn open(self, lanes: &Lanes, early: Bytes) -> Result<OpenSession, Refused> {
        let Self { admitted, cut, ending } = self;
        let permit = admitted.permit();
        let decision = Some(permit.decision());
        let opened = tokio::select! {
            biased;
            ended = cut.wait() => {
                ending.end(ended, 0, 0);
                return Err(Refused { refusal: Refusal::Denied, decision, message: ended.sentence().into() });
            }
            // The connector is noted before it is asked: if it is revoked meanwhile, so is the session.
            opened = lanes.open(permit, early, |connector| ending.live().carried_by(permit.session(), connector)) => opened,
        };
        match opened {
            Ok(target) => {
                tracing::info!(
                    session.id = %permit.session(),
                    decision.id = %permit.decision(),
                    principal.id = %permit.principal().id,
                    resource = %permit.resource().name,
                    policy.revision = permit.revision(),
                    "session opened"
                );
                Ok(OpenSession { admitted, target, cut, ending })
            }
            Err(failed) => {
                ending.end(Ended::NotOpened, 0, 0);
                let message = failed.detail.map_or(failed.refusal.sentence().into(), Cow::Owned);
                Err(Refused { refusal: failed.refusal, decision, message })
            }
        }
    }
}

impl OpenSession {
    /// What was allowed.
    pub fn permit(&self) -> &Permit {
        self.admitted.permit()
    }

    /// Carries bytes between the client and the target until the session ends, and records how it did.
    pub async fn splice(self, client: Lane) -> Ended {
        let Self { admitted, target, cut, ending } = self;
        splice(admitted, target, cut, ending, client).await
    }
}

/// The only place where bytes of a client and a target meet. It takes the proof that this was decided and recorded, and
/// the duty to end it, by value: neither can serve a second time.
async fn splice(admitted: Admitted, target: Lane, cut: Cut, ending: Ending, client: Lane) -> Ended {
    // The permit has done its work; a session at rest does not keep it in memory.
    drop(admitted);
    let forwarded = forward(client, target, cut).await;
    let ended = ended_of(forwarded.end);
    ending.end(ended, forwarded.up, forwarded.down);
    ended
}

fn ended_of(end: ForwardEnd) -> Ended {
    match end {
        ForwardEnd::Finished => Ended::Finished,
        ForwardEnd::Cut(ended) => ended,
        ForwardEnd::Reset { by: Side::A, .. } | ForwardEnd::LinkLost { by: Side::A } => Ended::ClientLost,
        ForwardEnd::Reset { by: Side::B, code, .. } => reset_by_connector(code),
        ForwardEnd::LinkLost { by: Side::B } => Ended::ConnectorLost,
        ForwardEnd::Tcp(_) => Ended::TargetFailed,
        // Only resumable sessions are let go by order.
        ForwardEnd::Detached(_) => Ended::GatewayStopped,
    }
}

/// What a connector may say about the end of a session; it cannot speak for policy or for the client.
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
            let told = ended_of(ForwardEnd::Reset { by: Side::B, code: ended.code(), detach: false });
            assert!(matches!(told, Ended::TargetFailed | Ended::Limit), "{told:?}");
        }
    }
}
