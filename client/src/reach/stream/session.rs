//! How a stream of the command gets its lanes: the first, and each one after a loss.

use super::{
    Errand, Verdict,
    lane::{self, NotOpened, Reached},
    progress::Standing,
};
use crate::{
    failure::Failure,
    reach::{ssh::host_keys, way::Kept},
};
use postern_ids::Refusal;
use postern_tunnel_io::{
    Lane,
    stream::{Attempt, Connect, ConnectError, StreamState},
};
use std::{sync::Arc, time::Duration};

/// One stream's session with the gateway.
pub(super) struct Session {
    errand: Arc<Errand>,
    /// What the newest answer gave to go on with.
    ticket: Option<String>,
    /// A gateway may have admitted it: from here on it is worth waiting for.
    is_begun: bool,
    verdict: Verdict,
    standing: Standing,
}

impl Session {
    pub(super) fn new(errand: Arc<Errand>, verdict: Verdict) -> Self {
        let standing = errand.progress.enter();
        Self { errand, ticket: None, is_begun: false, verdict, standing }
    }

    async fn link(&self) -> Result<Kept, Failure> {
        if self.is_begun { self.errand.way.link_again().await } else { self.errand.way.link().await }
    }

    async fn ask(&self, kept: &Kept, attempt: &Attempt) -> Result<Reached, NotOpened> {
        match &self.ticket {
            Some(ticket) if attempt.resumes => lane::resume(&kept.link, ticket, attempt.early.clone()).await,
            Some(_) | None => lane::open(&kept.link, &self.errand.resource, attempt.early.clone()).await,
        }
    }

    fn admitted(&mut self, reached: Reached) -> Result<Lane, ConnectError> {
        let Reached { lane, reply } = reached;
        self.is_begun = true;
        self.verdict.admitted(reply.decision);
        // Before the first byte reaches ssh, which asks for them next.
        if let Err(failure) =
            host_keys::keep(&self.errand.home, reply.resource.name.as_str(), &reply.host_keys)
        {
            return Err(self.give_up(Refusal::BadRequest.code(), failure));
        }
        self.ticket = reply.ticket.or(self.ticket.take());
        Ok(lane)
    }

    /// Another attempt may do better. What was never begun is not waited for.
    fn later(&self, code: u16, failure: Failure) -> ConnectError {
        if !self.is_begun {
            return self.give_up(code, failure);
        }
        self.errand.way.note(failure);
        ConnectError::Retry(Duration::ZERO)
    }

    fn give_up(&self, code: u16, failure: Failure) -> ConnectError {
        self.verdict.tell(failure);
        ConnectError::Final(code)
    }
}

impl Connect for Session {
    async fn connect(&mut self, attempt: Attempt) -> Result<Lane, ConnectError> {
        // A gateway that passes the question on costs no attempt, and one of them may have a link with an old token.
        let mut tries = self.errand.way.addresses() + 1;
        loop {
            tries -= 1;
            let kept = match self.link().await {
                Ok(kept) => kept,
                Err(failure) => return Err(self.give_up(Refusal::LinkLost.code(), failure)),
            };
            let way = &self.errand.way;
            match self.ask(&kept, &attempt).await {
                Ok(reached) => return self.admitted(reached),
                Err(NotOpened::Elsewhere(failure)) => {
                    way.leave(&kept, true);
                    if tries == 0 {
                        return Err(self.later(Refusal::TryNext.code(), failure));
                    }
                }
                Err(NotOpened::Unauthenticated(failure)) => {
                    way.leave(&kept, false);
                    if tries == 0 {
                        return Err(self.give_up(Refusal::Unauthenticated.code(), failure));
                    }
                }
                Err(NotOpened::Unknown(failure)) => {
                    self.is_begun = true;
                    return Err(self.later(Refusal::LinkLost.code(), failure));
                }
                Err(NotOpened::Later(code, failure)) => return Err(self.later(code, failure)),
                Err(NotOpened::Never(code, failure)) => return Err(self.give_up(code, failure)),
            }
        }
    }

    fn changed(&mut self, state: StreamState) {
        let is_detached = matches!(state, StreamState::Detached { .. });
        if !matches!(state, StreamState::Over(_)) {
            self.verdict.set_detached(is_detached);
        }
        self.standing.set_detached(is_detached);
    }
}
