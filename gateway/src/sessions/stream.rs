//! Opening lanes of resumable sessions. What the connector may have made of a request decides whether the session waits or
//! ends.

use super::{
    ending::Ending,
    held::{HeldOf, HeldSessions},
    refused::Refused,
};
use crate::{
    connectors::{Home, Lanes, NotOpened, OpenFailed},
    signing::StreamAttempt,
};
use bytes::Bytes;
use postern_ids::{Ended, Refusal};
use postern_policy::Permit;
use postern_tunnel_io::{Detach, Lane};
use std::{borrow::Cow, fmt, sync::Arc};

/// A client's attempt to have the stream of an admitted session carried.
pub struct Stream {
    attempt: StreamAttempt,
    held: Arc<HeldSessions>,
    /// The order to let the session go.
    order: Detach,
    way: Way,
}

/// A lane of a resumable session.
pub(super) struct Opened {
    pub(super) target: Lane,
    pub(super) ending: Ending,
    pub(super) stream: Stream,
    pub(super) home: Home,
}

/// Where the stream is.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Nowhere yet: the session is new.
    New,
    /// At this process. `before` is the newest attempt that was known here; none if the session was not.
    At { home: Home, before: Option<u32> },
}

/// Why there is no lane.
enum Stopped {
    Cut(Ended),
    Ordered(u16),
    NotOpened(NotOpened),
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("attempt", &self.attempt)
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// The first attempt of a new session.
    pub(super) fn new(attempt: StreamAttempt, held: Arc<HeldSessions>) -> Self {
        Self { attempt, held, order: Detach::new(), way: Way::New }
    }

    /// An attempt on a session that a process holds, which was claimed with `order`.
    pub(super) fn again(
        attempt: StreamAttempt,
        held: Arc<HeldSessions>,
        order: Detach,
        (home, before): (Home, Option<u32>),
    ) -> Self {
        Self { attempt, held, order, way: Way::At { home, before } }
    }

    /// The attempt.
    pub fn attempt(&self) -> &StreamAttempt {
        &self.attempt
    }

    pub(super) fn into_order(self) -> Detach {
        self.order
    }

    pub(super) async fn open(
        self,
        permit: &Permit,
        mut ending: Ending,
        lanes: &Lanes,
        early: Bytes,
    ) -> Result<Opened, Refused> {
        let cut = ending.cut().clone();
        let opened = tokio::select! {
            biased;
            ended = cut.wait() => Err(Stopped::Cut(ended)),
            code = self.order.wait() => Err(Stopped::Ordered(code)),
            opened = self.ask(permit, &mut ending, lanes, early) => opened.map_err(Stopped::NotOpened),
        };
        match opened {
            Ok((target, home)) => Ok(Opened { target, ending, stream: self, home }),
            Err(stopped) => Err(self.stop(permit, ending, stopped)),
        }
    }

    async fn ask(
        &self,
        permit: &Permit,
        ending: &mut Ending,
        lanes: &Lanes,
        early: Bytes,
    ) -> Result<(Lane, Home), NotOpened> {
        match self.way {
            Way::At { home, .. } => Ok((lanes.open_at(permit, &self.attempt, home, early).await?, home)),
            Way::New => {
                // Held from before the connector is asked: it may have the stream although its answer is lost.
                let carried_by = |home| self.enter(permit, home, ending);
                lanes.open_stream(permit, &self.attempt, early, carried_by).await
            }
        }
    }

    fn enter(&self, permit: &Permit, home: Home, ending: &mut Ending) -> Result<(), Refusal> {
        let of = HeldOf {
            session: permit.session(),
            stream: self.attempt.stream(),
            key: self.attempt.key(),
            principal: permit.principal().id,
            resource: permit.resource().id,
            home,
        };
        // The connector is noted before it is asked: if it is revoked meanwhile, so is the session.
        ending.carried_by(home.connector);
        ending.hold_by(self.held.enter(&of, self.attempt.generation(), &self.order)?);
        Ok(())
    }

    /// Ends the session or lets it wait, and says why there is no lane.
    fn stop(&self, permit: &Permit, ending: Ending, stopped: Stopped) -> Refused {
        let decision = permit.decision();
        match stopped {
            Stopped::Cut(ended) => {
                ending.kill(ended);
                ending.end(ended, 0, 0);
                Refused::decided(self.on_cut(), decision, ended.sentence())
            }
            Stopped::Ordered(code) => {
                ending.detach(0, 0);
                let refusal = Refusal::from_code(code).unwrap_or(Refusal::Draining);
                Refused::decided(refusal, decision, refusal.sentence())
            }
            Stopped::NotOpened(NotOpened::Unanswered(refusal)) => {
                ending.detach(0, 0);
                Refused::decided(refusal, decision, refusal.sentence())
            }
            Stopped::NotOpened(NotOpened::Over(ended)) => {
                ending.end(self.on_over(ended), 0, 0);
                Refused { decision: Some(decision), ..Refused::over(ended) }
            }
            Stopped::NotOpened(NotOpened::Superseded) => {
                self.on_superseded(ending);
                Refused::decided(Refusal::Superseded, decision, Refusal::Superseded.sentence())
            }
            Stopped::NotOpened(NotOpened::Refused(OpenFailed { refusal, detail })) => {
                match self.way {
                    Way::New => ending.end(Ended::NotOpened, 0, 0),
                    // Dropped, it waits as before.
                    Way::At { .. } => drop(ending),
                }
                let message = detail.map_or(refusal.sentence().into(), Cow::Owned);
                Refused::decided(refusal, decision, message)
            }
        }
    }

    fn on_cut(&self) -> Refusal {
        match self.way {
            Way::New => Refusal::Denied,
            Way::At { .. } => Refusal::Revoked,
        }
    }

    fn on_over(&self, ended: Ended) -> Ended {
        match self.way {
            Way::New => Ended::NotOpened,
            Way::At { .. } => ended,
        }
    }

    fn on_superseded(&self, ending: Ending) {
        match self.way {
            // The stream is another session's: an admission whose answer was lost, and which the client will find again. Or
            // somebody came sooner with the grant of this one: what is recorded as ended may not go on there.
            Way::New => {
                ending.kill(Ended::NotOpened);
                ending.end(Ended::NotOpened, 0, 0);
            }
            Way::At { before: Some(before), .. } => ending.fall_back(before),
            Way::At { before: None, .. } => ending.forget(),
        }
    }
}
