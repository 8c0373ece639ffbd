//! Denials of administrative acts on their way into the audit. Each is recorded, but a flood of them is not a flood of
//! records: beyond a rate they are counted, and the counts are recorded.

use postern_ids::Timestamp;
use postern_policy::model::PrincipalId;
use postern_store::{DeniedAct, Store, SuppressedActs};
use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// Counts are kept and recorded per span of this length.
pub(crate) const SPAN: Duration = Duration::from_secs(10);

/// Full records of one principal in a span: enough to see what it tries.
const RECORDED_PER_PRINCIPAL: u32 = 5;

/// Full records in a span altogether: changes run one after the other, and these must not be in their way.
const RECORDED_PER_SPAN: u32 = 50;

/// Principals counted apart in a span; those beyond are counted together.
const PRINCIPALS_MAX: usize = 1024;

/// What waits to be written, and what was counted.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    span: Mutex<Span>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Span {
    began: Timestamp,
    recorded: u32,
    principals: HashMap<PrincipalId, Counted>,
    others: u64,
    acts: Vec<DeniedAct>,
    suppressed: Vec<SuppressedActs>,
}

#[derive(Debug, Default)]
struct Counted {
    recorded: u32,
    suppressed: u64,
}

impl Denials {
    fn lock(&self) -> MutexGuard<'_, Span> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a denial, or counts it. Never waits.
    pub(crate) fn take(&self, principal: PrincipalId, act: DeniedAct) {
        let mut span = self.lock();
        span.roll(act.at);
        if span.admits(principal) {
            span.acts.push(act);
            self.news.notify_one();
        }
    }

    /// Waits until there is something to write, or a span may be over.
    pub(crate) async fn wait(&self) {
        let _ = tokio::time::timeout(SPAN, self.news.notified()).await;
    }

    /// Writes what waits.
    pub(crate) async fn write(&self, store: &Store, now: Timestamp) {
        let (acts, suppressed) = {
            let mut span = self.lock();
            span.roll(now);
            (mem::take(&mut span.acts), mem::take(&mut span.suppressed))
        };
        if acts.is_empty() && suppressed.is_empty() {
            return;
        }
        if let Err(error) = store.record_denied_acts(&acts, &suppressed, now).await {
            let (acts, error) = (acts.len(), &error as &dyn std::error::Error);
            tracing::warn!(error, acts, "denied administrative acts are in this log only, not in the audit");
        }
    }
}

impl Span {
    /// Begins a new span when this one is over; what it counted is to be written.
    fn roll(&mut self, now: Timestamp) {
        if now.since(self.began) < SPAN && now >= self.began {
            return;
        }
        let counted =
            mem::take(&mut self.principals).into_iter().filter(|(_, counted)| counted.suppressed > 0);
        self.suppressed.extend(
            counted
                .map(|(id, counted)| SuppressedActs { principal: id.to_string(), count: counted.suppressed }),
        );
        let others = mem::take(&mut self.others);
        if others > 0 {
            self.suppressed.push(SuppressedActs { principal: "*".to_owned(), count: others });
        }
        (self.began, self.recorded) = (now, 0);
    }

    fn admits(&mut self, principal: PrincipalId) -> bool {
        if self.principals.len() >= PRINCIPALS_MAX && !self.principals.contains_key(&principal) {
            self.others += 1;
            return false;
        }
        let counted = self.principals.entry(principal).or_default();
        if counted.recorded >= RECORDED_PER_PRINCIPAL || self.recorded >= RECORDED_PER_SPAN {
            counted.suppressed += 1;
            return false;
        }
        counted.recorded += 1;
        self.recorded += 1;
        true
    }
}
