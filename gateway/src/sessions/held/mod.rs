//! The resumable sessions of this node: those that it carries, and those that wait at their connector for their client.
//!
//! A session that waits is as live as one that is carried: it stands in the live table, a revocation finds it, and its end
//! is an order to the connector before it is a record. What follows from a cut is found by looking ([`HeldSessions::sweep`]),
//! never by being told, so that nothing can be missed.

mod hold;
mod news;
mod past;
mod put;
mod table;
#[cfg(test)]
mod tests;

pub(super) use hold::{Claimed, Hold, Known, MOVED};
pub use table::HeldOf;

use super::{
    duty::{Duty, Told as DutyTold},
    refused::Refused,
};
use crate::{
    connectors::{Holdings, Home, Registry, Told},
    policies::Live,
    signing::Stated,
};
use news::Follows;
use postern_ids::{Ended, Refusal, SessionId, StreamId};
use postern_store::journal::Journal;
use postern_tunnel_io::{Detach, Link};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use table::{Attempt, Claim, Table, Was};
use tokio::{sync::Notify, time::timeout_at};

/// Held sessions of a node, at 1 KiB each 64 MiB. Beyond it a new session cannot be resumable, and one that comes back to
/// this gateway from elsewhere is ended: a session that nobody can watch may not wait.
const SESSIONS_MAX: usize = 65_536;
/// How long an attempt waits for an older one to let go, which is at most recording its own decision.
const LET_GO_MAX: Duration = Duration::from_secs(5);
/// How long a session waits whose connector cannot be heard: the window of a connector by default, and what news may take.
const SILENT_MAX: Duration = Duration::from_secs(120 + 15);
/// How long one waits whose connector is here: that one knows its window, which may be an hour, and says when it is over.
const HEARD_MAX: Duration = Duration::from_secs(3_600 + 15);

/// The held sessions.
pub struct HeldSessions {
    table: Mutex<Table<Duty>>,
    /// Rung whenever a session is let go.
    freed: Notify,
    /// Rung when there is a session to be decided.
    pub(super) undecided: Notify,
    registry: Arc<Registry<Link>>,
    live: Arc<Live>,
    journal: Journal,
}

impl fmt::Debug for HeldSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldSessions")
    }
}

impl HeldSessions {
    /// None yet.
    pub fn new(registry: Arc<Registry<Link>>, live: Arc<Live>, journal: Journal) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::new(Table::new(SESSIONS_MAX)),
            freed: Notify::new(),
            undecided: Notify::new(),
            registry,
            live,
            journal,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Table<Duty>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of this stream whose client holds this key.
    pub fn find(&self, stream: StreamId, key: [u8; 32]) -> Option<HeldOf> {
        self.lock().find(stream, key)
    }

    /// Whether this session is carried or waits here.
    pub fn knows(&self, session: SessionId) -> bool {
        self.lock().knows(session)
    }

    /// How many sessions wait for their client.
    pub fn waiting(&self) -> usize {
        self.lock().waiting(|_| Some(())).len()
    }

    /// Enters a new session before its first lane is asked for.
    pub(super) fn enter(
        self: &Arc<Self>,
        of: &HeldOf,
        generation: u32,
        order: &Detach,
    ) -> Result<Hold, Refusal> {
        let attempt = Attempt { generation, order, now: Instant::now() };
        match self.lock().enter(of, &attempt) {
            Claim::Fresh => Ok(self.hold(of.session, of.home)),
            Claim::Full => {
                tracing::warn!(limit = SESSIONS_MAX, "limit.hit: no more sessions can be held");
                Err(Refusal::Limit)
            }
            Claim::Closed => Err(Refusal::Draining),
            Claim::Superseded | Claim::Taken(_) | Claim::Busy | Claim::Ended(_) | Claim::Unknown => {
                Err(Refusal::Superseded)
            }
        }
    }

    /// Takes a session for an attempt, from whoever has it. Between two attempts the greater one gets it, in whichever order
    /// they come.
    pub(super) async fn claim(
        self: &Arc<Self>,
        of: &HeldOf,
        generation: u32,
        order: &Detach,
    ) -> Result<Claimed, Refused> {
        let until = tokio::time::Instant::now() + LET_GO_MAX;
        loop {
            // Registered before the look: a session that is let go between the two must wake this waiter.
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let attempt = Attempt { generation, order, now: Instant::now() };
            let claim = self.lock().claim(of, &attempt, Refusal::Superseded.code());
            let hold = || self.hold(of.session, of.home);
            let refusal = match claim {
                Claim::Fresh => return Ok(Claimed { hold: hold(), was: None }),
                Claim::Taken(was) => return Ok(Claimed { hold: hold(), was: Some(was.into()) }),
                Claim::Busy => match timeout_at(until, freed).await {
                    Ok(()) => continue,
                    Err(_) => Refusal::Timeout,
                },
                Claim::Ended(ended) => return Err(Refused::over(ended)),
                Claim::Superseded => Refusal::Superseded,
                Claim::Unknown => Refusal::ResumeUnknown,
                Claim::Full => Refusal::Limit,
                Claim::Closed => Refusal::Draining,
            };
            return Err(Refused::early(refusal));
        }
    }

    /// Takes a session that waits to be decided.
    pub(super) fn take(self: &Arc<Self>, of: &HeldOf) -> Option<(Hold, Duty)> {
        // Nobody listens to this order: deciding takes no time.
        let was = self.lock().take(of.session, &Detach::new())?;
        Some((self.hold(of.session, of.home), Known::from(was).duty))
    }

    fn hold(self: &Arc<Self>, session: SessionId, home: Home) -> Hold {
        Hold { held: Arc::clone(self), session, home }
    }

    /// The sessions that wait to be decided.
    pub(super) fn all_undecided(&self) -> Vec<HeldOf> {
        let undecided = self.lock().waiting(|duty| duty.undecided.is_some().then_some(()));
        undecided.into_iter().map(|(of, ())| of).collect()
    }

    /// Orders a process to destroy what it holds of a session. Each of its links is told, for one of them may be dead; one
    /// that is away is told when it names the session.
    pub(super) fn kill(&self, home: Home, session: SessionId, ended: Ended) {
        for link in self.registry.links_of(home) {
            link.kill(session, ended.code());
        }
    }

    /// Ends what waits and was cut, or waited too long: the connector is told first, then it is recorded.
    pub fn sweep(&self) {
        let now = Instant::now();
        let is_lost = |home, waited| {
            waited > HEARD_MAX || (waited > SILENT_MAX && self.registry.links_of(home).is_empty())
        };
        let cut = self.lock().end_waiting(now, |_, duty, _| duty.cut.ended());
        self.end_all(cut);
        let lost = self.lock().end_waiting(now, |of, _, since| {
            is_lost(of.home, now.saturating_duration_since(since)).then_some(Ended::Lost)
        });
        // No order to the connector: a session that it has not named for so long may live on through another gateway, whose
        // records then outrank this end.
        lost.into_iter().for_each(|(_, ended, was)| Known::from(was).duty.end(ended));
    }

    fn end_all(&self, over: Vec<(HeldOf, Ended, Was<Duty>)>) {
        for (of, ended, was) in over {
            self.kill(of.home, of.session, ended);
            Known::from(was).duty.end(ended);
        }
    }

    /// The end of the node: whoever carries a resumable session lets it go, and nothing is recorded but what was carried.
    pub fn close(&self) {
        let waiting = self.lock().close(Ended::GatewayStopped.code());
        self.freed.notify_waiters();
        waiting.into_iter().for_each(|duty| duty.leave("the gateway stops"));
    }

    fn adopt(&self, of: HeldOf, generation: u32, stated: Stated) {
        let told = DutyTold {
            principal: of.principal.to_string(),
            resource: of.resource.to_string(),
            started_at: stated.facts.started_at,
        };
        let mut duty = Duty::new(of.session, generation, self.journal.clone(), told);
        duty.undecided = Some(Box::new(stated.facts));
        if self.lock().adopt(of, generation, duty, Instant::now()).is_ok() {
            self.undecided.notify_one();
        } else {
            // The stream is another session's, or there is no room.
            self.kill(of.home, of.session, Ended::ResumeFailed);
        }
    }

    /// The table where live sessions stand, these among them.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }
}

impl Holdings for HeldSessions {
    fn knows(&self, session: SessionId) -> bool {
        Self::knows(self, session)
    }

    fn arrived(&self, home: Home) {
        let gone = |of: &HeldOf, _: &Duty, _| {
            let is_other = of.home.connector == home.connector && of.home.instance != home.instance;
            is_other.then_some(Ended::ConnectorLost)
        };
        let over = self.lock().end_waiting(Instant::now(), gone);
        self.end_all(over);
    }

    fn told(&self, told: Told) {
        let (home, session, generation) = (told.home, told.session, told.generation);
        let follows = self.lock().told(told, Instant::now());
        match follows {
            Follows::Nothing => {}
            Follows::Kill(ended) => {
                tracing::info!(
                    connector.id = %home.connector, session.id = %session, ended = ended.label(),
                    "a connector holds a stream that it may not hold"
                );
                self.kill(home, session, ended);
            }
            Follows::Ended(ended, was) => Known::from(was).duty.end(ended),
            Follows::Moved(was) => was.duty.leave(MOVED),
            Follows::Adopt(of, stated) => self.adopt(of, generation, *stated),
        }
    }

    fn listed(&self, home: Home, since: Instant) {
        let unnamed =
            |of: &HeldOf, _: &Duty, heard: Instant| (of.home == home && heard < since).then_some(Ended::Lost);
        let over = self.lock().end_waiting(Instant::now(), unnamed);
        self.end_all(over);
    }
}
