//! Entering, leaving and finding live sessions.

use super::{
    cut::Cut,
    entry::Entry,
    filter::{Filter, LiveView},
    pass::Pass,
    shard::Shard,
    shards::Shards,
};
use crate::{
    deny::Deny,
    judge::{No, Stage, judge, standing},
    model::Principal,
    permit::Permit,
    reason::DenyReason,
    request::{Request, Staleness},
    snapshot::Snapshot,
};
use postern_ids::{ConnectorId, Ended, SessionId, Timestamp};
use std::{
    collections::HashMap,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// What holds at this moment, read *after* a session entered the table.
#[derive(Debug, Clone)]
pub struct Current {
    /// The newest snapshot.
    pub snapshot: Arc<Snapshot>,
    /// How stale it is.
    pub staleness: Staleness,
    /// The principal as cached; none while it is being read again.
    pub principal: Option<Arc<Principal>>,
}

/// Every live session of this node. `H` is what ends a session: it comes in with it and goes out with its cut, so that a
/// session can be cut from the moment it entered.
#[derive(Debug)]
pub struct LiveTable<H> {
    shards: Shards<H>,
    /// `max_staleness` of the newest snapshot seen, in seconds.
    max_staleness_s: AtomicU32,
    /// How many sessions entered.
    entered: AtomicU32,
}

impl<H> Default for LiveTable<H> {
    fn default() -> Self {
        Self {
            shards: Shards::default(),
            max_staleness_s: AtomicU32::new(u32::MAX),
            entered: AtomicU32::new(0),
        }
    }
}

impl<H> LiveTable<H> {
    /// Enters the session, reads what is current and decides again if that is newer than what the permit was made on
    /// (D2). On a denial the session is out of the table again.
    ///
    /// `current` is called after the session entered. Publish a snapshot before reconciling with it, and put a principal
    /// into the cache before [`Self::replace_principals`]: then no change can fall between the two looks. A session that
    /// stands in the table already (a resume) is replaced, and its earlier handle dropped.
    pub fn enter(
        &self,
        permit: Permit,
        handle: H,
        current: impl FnOnce() -> Current,
        now: Timestamp,
    ) -> Result<Permit, Deny> {
        let session = permit.session();
        let entered = self.entered.fetch_add(1, Ordering::Relaxed);
        let earlier = self.shards.shard(session).insert(Entry::new(&permit, handle, entered));
        drop(earlier);
        let current = current();
        self.note(&current.snapshot);
        let answer = self.confirm(permit, &current, now);
        if answer.is_err() {
            self.leave(session);
        }
        answer.map(Permit::entered)
    }

    /// Takes a session out because it ended; none if it was cut or never entered.
    pub fn leave(&self, session: SessionId) -> Option<H> {
        self.shards.shard(session).remove(session).map(|entry| entry.handle)
    }

    /// Notes which connector carries a session; a revoked or moved connector cuts it.
    pub fn carried_by(&self, session: SessionId, connector: ConnectorId) {
        self.shards.shard(session).change(session, |entry| {
            entry.connector = Some(connector);
            entry.version = entry.version.next();
        });
    }

    /// How many sessions are live.
    pub fn len(&self) -> usize {
        self.shards.locked().map(|shard| shard.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins to decide every session again: on a new snapshot, or after [`Self::replace_principals`]. Where nothing that
    /// an answer depends on has changed, it is not worked out again.
    pub fn reconcile(&self, snapshot: Arc<Snapshot>, staleness: Staleness, now: Timestamp) -> Pass<'_, H> {
        self.note(&snapshot);
        let all = self
            .shards
            .locked()
            .flat_map(|shard| shard.iter().map(Entry::session).collect::<Vec<_>>())
            .collect();
        Pass::new(&self.shards, all, snapshot, staleness, now)
    }

    /// Begins to decide those sessions again whose boundary has come.
    pub fn due(&self, snapshot: Arc<Snapshot>, staleness: Staleness, now: Timestamp) -> Pass<'_, H> {
        self.note(&snapshot);
        let too_stale = staleness > snapshot.max_staleness();
        let mut due = Vec::new();
        for shard in self.shards.locked() {
            due.extend(shard.due(now));
            if too_stale && shard.fails_closed() {
                due.extend(shard.iter().filter(|entry| entry.fails_closed).map(Entry::session));
            }
        }
        Pass::new(&self.shards, due, snapshot, staleness, now)
    }

    /// Replaces principals that were read again, unless a newer reading stands there. Gives the number of sessions whose
    /// answer may have changed; reconcile when it is not zero.
    pub fn replace_principals(&self, principals: &[Arc<Principal>]) -> usize {
        let by_id: HashMap<_, _> = principals.iter().map(|principal| (principal.id, principal)).collect();
        let mut changed = 0;
        for mut shard in self.shards.locked() {
            for entry in shard.iter_mut() {
                if let Some(principal) = by_id.get(&entry.request.principal.id) {
                    changed += usize::from(entry.replace_principal(principal));
                }
            }
        }
        changed
    }

    /// When time alone may next change an answer: call [`Self::due`] then. `staleness` is that of this moment.
    pub fn next_boundary(&self, staleness: Staleness, now: Timestamp) -> Option<Timestamp> {
        let limit = Duration::from_secs(self.max_staleness_s.load(Ordering::Relaxed).into());
        // The limit itself still admits; the instant after it does not.
        let stale_at = now.plus(limit.saturating_sub(staleness.0)).plus(Duration::from_micros(1));
        let of_shard = |shard: MutexGuard<'_, Shard<H>>| {
            let stale = shard.fails_closed().then_some(stale_at);
            [shard.next_timer(), stale].into_iter().flatten().min()
        };
        self.shards.locked().filter_map(of_shard).min()
    }

    /// The sessions that a filter selects.
    pub fn matching(&self, filter: &Filter) -> Vec<LiveView> {
        if let Filter::Session(session) = *filter {
            return self.shards.shard(session).get(session).map(Entry::view).into_iter().collect();
        }
        let views = |shard: MutexGuard<'_, Shard<H>>| {
            shard.iter().filter(|entry| entry.is_selected(filter)).map(Entry::view).collect::<Vec<_>>()
        };
        self.shards.locked().flat_map(views).collect()
    }

    /// Takes out the sessions that a filter selects, to be ended.
    pub fn end(&self, filter: &Filter, ended: Ended) -> Vec<Cut<H>> {
        let sessions: Vec<SessionId> = self.matching(filter).into_iter().map(|view| view.session).collect();
        let taken = sessions.into_iter().filter_map(|session| {
            let handle = self.leave(session)?;
            Some(Cut { session, ended, deny: None, handle })
        });
        taken.collect()
    }

    fn note(&self, snapshot: &Snapshot) {
        self.max_staleness_s.store(snapshot.settings().max_staleness_s, Ordering::Relaxed);
    }

    /// The second look of D2.
    fn confirm(&self, permit: Permit, current: &Current, now: Timestamp) -> Result<Permit, Deny> {
        let session = permit.session();
        let Current { snapshot, staleness, principal } = current;
        let deny = |request: Request, reason| {
            Err(Deny::new(request, No::because(reason), snapshot, *staleness, now))
        };
        let request = permit.request().clone();
        if snapshot.revision() < permit.revision() {
            return deny(request, DenyReason::PolicyStale);
        }
        let newest = principal.as_ref().filter(|principal| principal.id == request.principal.id);
        let Some(newest) = newest.filter(|newest| newest.revision >= request.principal.revision) else {
            return deny(request, DenyReason::PrincipalChanged);
        };
        loop {
            let seen = self.shards.shard(session).change(session, |entry| {
                entry.replace_principal(newest);
                let stands = entry.stands(snapshot, *staleness, now);
                (entry.version, stands, entry.request.principal.clone())
            });
            // Cut, or ended by an administrator, before it began.
            let Some((version, stands, principal)) = seen else {
                return deny(request, DenyReason::PrincipalChanged);
            };
            // The entry's principal, which may be newer still than the one that was read.
            let request = Request { principal, ..request.clone() };
            if stands {
                return match standing(&request, snapshot, now) {
                    Ok(_) => Ok(permit),
                    Err(reason) => deny(request, reason),
                };
            }
            let yes = match judge(&request, snapshot, *staleness, Stage::Begins, now) {
                Ok(yes) => yes,
                Err(no) => return Err(Deny::new(request, no, snapshot, *staleness, now)),
            };
            let applied =
                self.shards.shard(session).change(session, |entry| entry.accept(version, &yes, snapshot));
            if applied == Some(true) {
                return Ok(Permit::new(request, &yes, snapshot, *staleness, now));
            }
        }
    }
}
