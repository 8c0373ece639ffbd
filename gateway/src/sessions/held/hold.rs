//! A held session in somebody's hands: it is parked, ended, let go or forgotten, and whoever waits for it hears that.

use super::{HeldSessions, put::Put, table::Was};
use crate::{connectors::Home, sessions::duty::Duty};
use postern_ids::{Ended, SessionId};
use std::{sync::Arc, time::Instant};

/// Why a session leaves a gateway that lives on.
pub(in crate::sessions) const MOVED: &str = "a newer lane carries it";

/// A held session in somebody's hands.
pub(in crate::sessions) struct Hold {
    pub(super) held: Arc<HeldSessions>,
    pub(super) session: SessionId,
    pub(super) home: Home,
}

/// A claimed session.
pub(in crate::sessions) struct Claimed {
    pub(in crate::sessions) hold: Hold,
    /// None: nobody here knew of it.
    pub(in crate::sessions) was: Option<Known>,
}

/// What was known of a claimed session.
pub(in crate::sessions) struct Known {
    pub(in crate::sessions) duty: Duty,
    /// The newest attempt before this one.
    pub(in crate::sessions) before: u32,
}

impl From<Was<Duty>> for Known {
    fn from(Was { generation, mut duty }: Was<Duty>) -> Self {
        duty.generation = duty.generation.max(generation);
        Self { duty, before: generation }
    }
}

impl Hold {
    /// The session waits for its client from now on.
    pub(in crate::sessions) fn park(self, duty: Duty) {
        let put = self.held.lock().park(self.session, duty, Instant::now());
        self.put(put, "the gateway stops");
    }

    /// Its connector is to destroy what it holds of it.
    pub(in crate::sessions) fn kill(&self, ended: Ended) {
        self.held.kill(self.home, self.session, ended);
    }

    /// Its lanes are gone as of now.
    pub(in crate::sessions) fn touch(&self) {
        self.held.lock().touch(self.session, Instant::now());
    }

    /// It ended.
    pub(in crate::sessions) fn ended(self, ended: Ended) {
        self.held.lock().end(self.session, ended, Instant::now());
        self.held.freed.notify_waiters();
    }

    /// It goes on elsewhere, unless it waits at its connector again.
    pub(in crate::sessions) fn let_go(self, duty: Duty) {
        let put = self.held.lock().let_go(self.session, duty, Instant::now());
        self.put(put, MOVED);
    }

    fn put(&self, put: Put<Duty>, why_out: &'static str) {
        self.held.freed.notify_waiters();
        match put {
            Put::Waits => {}
            Put::Over(ended, duty) => duty.end(ended),
            Put::Out(duty) => duty.leave(why_out),
        }
    }

    /// Nothing came of it, and nothing was known of the session before.
    pub(in crate::sessions) fn forget(self) {
        self.held.lock().remove(self.session);
        self.held.freed.notify_waiters();
    }

    /// The connector knows a newer attempt: the one before this counts again, so that its news are understood.
    pub(in crate::sessions) fn fall_back(&self, before: u32) {
        self.held.lock().fall_back(self.session, before);
    }
}
