//! Verdicts remembered between requests: a browser asks the same application for the same things again and again. What is
//! remembered is only what the rules say; who may ask at all, what ended, expired or grew stale is looked at each time.

use crate::{
    alike::Alike,
    decide::answer,
    deny::Deny,
    evaluate::{Verdict, evaluate},
    groups::GroupTree,
    judge::{Evaluated, Stage, judge_with},
    permit::Permit,
    places::Placed,
    request::{Action, Request, Staleness},
    rules::Compiled,
    snapshot::Snapshot,
};
use postern_ids::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

/// Verdicts remembered at once; at the limit all are forgotten, which costs each one evaluation.
const REMEMBERED_MAX: usize = 4_096;
/// Longer methods and paths are evaluated each time: whoever sends them decides how much is remembered.
const ACTION_MAX: usize = 512;
/// The longest that a verdict is remembered, whatever it depends on.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// Decides as [`crate::decide`] does, and remembers for a moment what the rules said.
#[derive(Debug, Default)]
pub struct Verdicts {
    remembered: Mutex<Remembered>,
}

/// The verdicts of one reading of rules and groups. The weak pointers only tell identity.
#[derive(Debug, Default)]
struct Remembered {
    compiled: Weak<Compiled>,
    groups: Weak<GroupTree>,
    verdicts: HashMap<Alike, Lasting>,
}

/// A verdict and when it holds.
#[derive(Debug)]
struct Lasting {
    verdict: Arc<Verdict>,
    from: Timestamp,
    until: Timestamp,
}

impl Verdicts {
    /// Decides whether a request may be made.
    pub fn decide(
        &self,
        request: &Request,
        snapshot: &Snapshot,
        staleness: Staleness,
        now: Timestamp,
    ) -> Result<Permit, Deny> {
        let judged = judge_with(request, snapshot, staleness, Stage::Begins, now, |placed| {
            self.verdict(request, placed, snapshot, now)
        });
        answer(judged, request, snapshot, staleness, now)
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verdict(
        &self,
        request: &Request,
        placed: &Arc<Placed>,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Evaluated {
        let alike = Alike::of(request, placed);
        if let Some(verdict) = self.lock().known(&alike, snapshot, now) {
            return Ok(verdict);
        }
        let evaluated = evaluate(request, placed, &snapshot.compiled, &snapshot.places.groups, now);
        let verdict = Arc::new(evaluated?);
        if is_plain_yes(&verdict) && is_short(&request.action) {
            self.lock().remember(alike, &verdict, snapshot, now);
        }
        Ok(verdict)
    }
}

impl Remembered {
    fn known(&self, alike: &Alike, snapshot: &Snapshot, now: Timestamp) -> Option<Arc<Verdict>> {
        let lasting = self.verdicts.get(alike).filter(|_| self.is_of(snapshot))?;
        (lasting.from <= now && now < lasting.until).then(|| lasting.verdict.clone())
    }

    fn is_of(&self, snapshot: &Snapshot) -> bool {
        std::ptr::eq(self.compiled.as_ptr(), Arc::as_ptr(&snapshot.compiled))
            && std::ptr::eq(self.groups.as_ptr(), Arc::as_ptr(&snapshot.places.groups))
    }

    fn remember(&mut self, alike: Alike, verdict: &Arc<Verdict>, snapshot: &Snapshot, now: Timestamp) {
        if !self.is_of(snapshot) || self.verdicts.len() >= REMEMBERED_MAX {
            *self = Self {
                compiled: Arc::downgrade(&snapshot.compiled),
                groups: Arc::downgrade(&snapshot.places.groups),
                verdicts: HashMap::new(),
            };
        }
        let longest = now.plus(REMEMBERED_FOR);
        let until = verdict.boundary.map_or(longest, |boundary| boundary.min(longest));
        self.verdicts.insert(alike, Lasting { verdict: verdict.clone(), from: now, until });
    }
}

/// A denial is rare and is worked out in full.
fn is_plain_yes(verdict: &Verdict) -> bool {
    !verdict.permits.is_empty() && verdict.forbids.is_empty() && verdict.errors.is_empty()
}

fn is_short(action: &Action) -> bool {
    match action {
        Action::Connect => true,
        Action::Http(http) => http.method.len() + http.path.len() <= ACTION_MAX,
    }
}
