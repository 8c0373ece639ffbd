//! The end of a session: once, whoever brings it about, recorded after the bytes stopped (D14).

use super::{
    duty::Duty,
    held::{Hold, MOVED},
};
use postern_ids::{ConnectorId, Ended, SessionId};
use postern_tunnel_io::Cut;
use std::{fmt, sync::Arc};

/// The duty to end a session, in the hands of the task that carries it. Dropping it is an end too: the node is going down,
/// or the task died. Only a resumable session outlives that: it waits, as it does when its client is away.
pub(super) struct Ending {
    session: SessionId,
    cut: Cut,
    /// Taken by whatever becomes of it. Boxed: it rests as long as the session lives, and is moved many times before.
    duty: Option<Box<Duty>>,
    /// The hold on a resumable session, from before its first lane is asked for.
    hold: Option<Box<Hold>>,
    /// The node's count of sessions that somebody carries.
    _carried: Arc<()>,
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ending").field(&self.session).finish()
    }
}

impl Ending {
    pub(super) fn new(duty: Duty, hold: Option<Hold>, carried: Arc<()>) -> Self {
        let (session, cut) = (duty.session, duty.cut.clone());
        Self { session, cut, duty: Some(Box::new(duty)), hold: hold.map(Box::new), _carried: carried }
    }

    /// The session is resumable from here on: the end of a lane is no longer its own.
    pub(super) fn hold_by(&mut self, hold: Hold) {
        self.hold = Some(Box::new(hold));
    }

    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    pub(super) fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Notes which connector carries the session: if it is revoked, so is the session.
    pub(super) fn carried_by(&self, connector: ConnectorId) {
        if let Some(entry) = self.duty.as_ref().and_then(|duty| duty.entry.as_ref()) {
            entry.live().carried_by(self.session, connector);
        }
    }

    /// Changes what the duty says.
    pub(super) fn note(&mut self, change: impl FnOnce(&mut Duty)) {
        if let Some(duty) = &mut self.duty {
            change(duty);
        }
    }

    /// The connector is to destroy what it holds of a resumable session, whose end follows.
    pub(super) fn kill(&self, ended: Ended) {
        if let Some(hold) = &self.hold {
            hold.kill(ended);
        }
    }

    /// Ends the session.
    pub(super) fn end(mut self, ended: Ended, up: u64, down: u64) {
        let Some(mut duty) = self.duty.take() else { return };
        duty.add(up, down);
        if let Some(hold) = self.hold.take() {
            hold.ended(ended);
        }
        duty.end(ended);
    }

    /// The lanes of a resumable session are gone, or may have been there: it waits for its client from now on.
    pub(super) fn detach(mut self, up: u64, down: u64) {
        self.note(|duty| duty.add(up, down));
        if let Some(hold) = &self.hold {
            hold.touch();
        }
        // Dropped, it waits.
    }

    /// A resumable session goes on without this gateway.
    pub(super) fn leave(mut self, up: u64, down: u64) {
        let Some(mut duty) = self.duty.take() else { return };
        duty.add(up, down);
        match self.hold.take() {
            Some(hold) => hold.let_go(*duty),
            None => duty.leave(MOVED),
        }
    }

    /// Nothing came of an attempt on a session that nobody here knew of.
    pub(super) fn forget(mut self) {
        drop(self.duty.take());
        if let Some(hold) = self.hold.take() {
            hold.forget();
        }
    }

    /// The connector knows an attempt that is as new as the one that was made: `before` counts again.
    pub(super) fn fall_back(self, before: u32) {
        if let Some(hold) = &self.hold {
            hold.fall_back(before);
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Some(duty) = self.duty.take() else { return };
        match self.hold.take() {
            Some(hold) => hold.park(*duty),
            None => duty.end(Ended::GatewayStopped),
        }
    }
}
