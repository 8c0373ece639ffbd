//! One look at the live sessions, in slices, so that nobody waits for the whole of it.

use super::{
    cut::Cut,
    entry::{Entry, Version},
    memo::Memo,
    shards::Shards,
};
use crate::{
    deny::Deny,
    judge::{No, Stage, Yes, judge_with, standing},
    reason::DenyReason,
    request::{Request, Staleness},
    snapshot::Snapshot,
};
use postern_ids::{ConnectorId, SessionId, Timestamp};
use std::sync::Arc;

/// A pass over the table that has been begun and not finished. Sessions that enter meanwhile are not in it: they were
/// decided on what is current.
#[derive(Debug)]
pub struct Pass<'a, H> {
    shards: &'a Shards<H>,
    snapshot: Arc<Snapshot>,
    staleness: Staleness,
    now: Timestamp,
    waiting: Vec<SessionId>,
    memo: Memo,
}

/// What was read of a session under its lock, to be judged without it.
struct Seen {
    request: Request,
    connector: Option<ConnectorId>,
    version: Version,
    stands: bool,
}

impl<'a, H> Pass<'a, H> {
    pub(super) fn new(
        shards: &'a Shards<H>,
        waiting: Vec<SessionId>,
        snapshot: Arc<Snapshot>,
        staleness: Staleness,
        now: Timestamp,
    ) -> Self {
        Self { shards, snapshot, staleness, now, waiting, memo: Memo::default() }
    }

    /// Looks at up to `entries` sessions and gives those that must end. A session costs about 50 µs where its answer
    /// must be worked out, so 64 of them stay below 5 ms.
    pub fn step(&mut self, entries: usize) -> Vec<Cut<H>> {
        let from = self.waiting.len().saturating_sub(entries);
        let slice = self.waiting.split_off(from);
        slice.into_iter().filter_map(|session| self.look(session)).collect()
    }

    /// Whether every session was looked at.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many sessions are still to be looked at.
    pub fn remaining(&self) -> usize {
        self.waiting.len()
    }

    fn look(&mut self, session: SessionId) -> Option<Cut<H>> {
        loop {
            let seen = self.see(session)?;
            let answer = self.judge(&seen);
            let mut shard = self.shards.shard(session);
            // Changed meanwhile: the answer is about something else.
            if shard.get(session)?.version != seen.version {
                continue;
            }
            match answer {
                Ok(None) => {
                    shard.change(session, |entry| entry.revision = self.snapshot.revision());
                    return None;
                }
                Ok(Some(yes)) => {
                    shard.change(session, |entry| entry.confirm(&yes, &self.snapshot));
                    return None;
                }
                Err(no) => {
                    let entry = shard.remove(session)?;
                    return Some(self.cut(entry, no));
                }
            }
        }
    }

    /// Reads a session, unless a newer snapshot than this pass has answered for it (D6).
    fn see(&self, session: SessionId) -> Option<Seen> {
        let shard = self.shards.shard(session);
        let entry = shard.get(session).filter(|entry| entry.revision <= self.snapshot.revision())?;
        Some(Seen {
            request: entry.request.clone(),
            connector: entry.connector,
            version: entry.version,
            stands: entry.stands(&self.snapshot, self.staleness, self.now),
        })
    }

    /// Nothing where the last answer stands; the new answer otherwise.
    fn judge(&mut self, seen: &Seen) -> Result<Option<Yes>, No> {
        if let Some(connector) = seen.connector {
            let resource = self.snapshot.asked(&seen.request.resource);
            if resource.is_some_and(|resource| !self.snapshot.may_serve(connector, resource.id)) {
                return Err(No::because(DenyReason::ConnectorRevoked));
            }
        }
        if seen.stands {
            standing(&seen.request, &self.snapshot, self.now).map_err(No::because)?;
            return Ok(None);
        }
        let (memo, snapshot, now) = (&mut self.memo, &self.snapshot, self.now);
        judge_with(&seen.request, snapshot, self.staleness, Stage::Lives, now, |placed| {
            memo.verdict(&seen.request, placed, snapshot, now)
        })
        .map(Some)
    }

    fn cut(&self, entry: Entry<H>, no: No) -> Cut<H> {
        let ended = no.reason.as_ended();
        let deny = Deny::new(entry.request, no, &self.snapshot, self.staleness, self.now);
        Cut { session: deny.session(), ended, deny: Some(deny), handle: entry.handle }
    }
}
