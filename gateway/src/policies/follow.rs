//! Follows the store's change feed: a new revision becomes a snapshot, changed principals are read again, and every live
//! session is decided anew. It reacts to the state, not to the event: whatever was missed is found at the next turn.

use super::{
    Live, Policies,
    cutting::{Scope, cut_what_must_end, end_sessions},
    wall_clock,
};
use postern_ids::Ended;
use postern_policy::{
    Snapshot, SnapshotSource,
    live::Filter,
    model::{Principal, PrincipalId},
};
use postern_store::{ChangeFeed, Changed, Changes, Kind, News, SnapshotLoader, journal::Journal};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval};

/// How often the clock is looked at: a window that closes or an access that expires is noticed within it, a wall clock
/// that was set included.
const TICK: Duration = Duration::from_millis(250);
/// After a failed load. The feed itself waits out an absent store; this is for one that answers halfway.
const RETRY: Duration = Duration::from_secs(1);

/// Called after each reconciliation with the snapshot that was reconciled with: links of what is no longer allowed to
/// have one are closed there.
pub type Reconciled = Box<dyn Fn(&Snapshot) + Send + Sync>;

/// Called after each look at the live sessions: what was cut and waits for its client is ended there.
pub type Looked = Box<dyn Fn() + Send + Sync>;

/// The one task that changes what decides.
pub struct Follower {
    /// What it changes.
    pub policies: Arc<Policies>,
    /// What it cuts.
    pub live: Arc<Live>,
    /// Where it records cuts.
    pub journal: Journal,
    /// What it loads from.
    pub loader: SnapshotLoader,
    /// What it follows.
    pub feed: ChangeFeed,
    /// What else depends on the snapshot.
    pub reconciled: Reconciled,
    /// What else depends on the cuts.
    pub looked: Looked,
    /// Principals that changed and could not be read again yet.
    pub unread: BTreeSet<PrincipalId>,
    /// A revision that could not be loaded yet.
    pub owed: Option<u64>,
}

impl Follower {
    /// Follows for ever.
    pub async fn run(mut self) -> Infallible {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_stale = false;
        loop {
            tokio::select! {
                news = self.feed.next() => self.on_news(news).await,
                _ = tick.tick() => self.on_tick(&mut was_stale).await,
                _ = retry.tick() => self.on_retry().await,
            }
        }
    }

    async fn on_news(&mut self, news: News) {
        match news {
            News::Moved { revision, changes } => {
                self.note_changes(changes, revision);
                self.owed = Some(revision);
                self.catch_up().await;
            }
            News::Regressed { seen, found } => tracing::error!(
                policy.seen = seen,
                policy.found = found,
                "policy.epoch_regressed: the store holds an older revision than was seen; the newer stays in force"
            ),
        }
    }

    fn note_changes(&mut self, changes: Changes, revision: u64) {
        let principals = &self.policies.principals;
        let changed = match changes {
            Changes::Listed(changed) => principals.changed(changed.iter().filter_map(principal_of), revision),
            Changes::Gap => principals.all_changed(revision),
        };
        self.unread.extend(changed);
    }

    async fn on_retry(&mut self) {
        if self.owed.is_some() || !self.unread.is_empty() {
            self.catch_up().await;
        }
    }

    async fn on_tick(&mut self, was_stale: &mut bool) {
        let (snapshot, staleness) = self.policies.current();
        metrics::gauge!("postern_policy_staleness_seconds").set(staleness.0.as_secs_f64());
        let is_stale = staleness.as_secs() > u64::from(snapshot.settings().max_staleness_s);
        let now = wall_clock();
        if is_stale != *was_stale {
            *was_stale = is_stale;
            tracing::warn!(
                policy.stale = is_stale,
                "policy is {}",
                if is_stale { "stale" } else { "fresh again" }
            );
            self.cut(Scope::All).await;
        } else if self.live.next_boundary(staleness, now).is_some_and(|at| at <= now) {
            self.cut(Scope::Due).await;
        }
    }

    /// Brings the snapshot and the principals to the store's state, then looks at every session.
    async fn catch_up(&mut self) {
        let began = Instant::now();
        if self.owed.is_some() {
            self.load().await;
        }
        self.read_principals().await;
        let cut = self.cut(Scope::All).await;
        (self.reconciled)(&self.policies.snapshot());
        metrics::histogram!("postern_reconcile_seconds").record(began.elapsed().as_secs_f64());
        if cut > 0 {
            tracing::info!(
                sessions = cut,
                policy.revision = self.policies.snapshot().revision(),
                took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                "sessions were cut by a change of policy"
            );
        }
    }

    async fn load(&mut self) {
        let loaded_at = Instant::now();
        match self.loader.load(wall_clock()).await {
            Ok(source) => self.build(source, loaded_at).await,
            Err(error) => tracing::warn!(error = %error, "the policy could not be loaded"),
        }
    }

    async fn build(&mut self, source: SnapshotSource, loaded_at: Instant) {
        let (current, revoked, revision) =
            (self.policies.snapshot(), Arc::clone(&source.revoked), source.revision);
        let base = Arc::clone(&current);
        let built = tokio::task::spawn_blocking(move || base.next(source)).await;
        self.owed = self.owed.filter(|owed| *owed > revision);
        match built {
            Ok(Ok(next)) => {
                self.policies.set_refusing(false);
                self.publish(next, loaded_at);
            }
            Ok(Err(error)) => {
                self.refuse(revision, &error.to_string());
                self.publish(current.with_revocations(&revoked), loaded_at);
            }
            Err(panicked) => self.refuse(revision, &panicked.to_string()),
        }
    }

    fn publish(&self, next: Snapshot, loaded_at: Instant) {
        #[expect(clippy::cast_precision_loss, reason = "a revision does not reach 2^52")]
        metrics::gauge!("postern_policy_revision").set(next.revision() as f64);
        self.policies.publish(next, loaded_at);
    }

    fn refuse(&self, revision: u64, error: &str) {
        self.policies.set_refusing(true);
        metrics::counter!("postern_policy_refused_total").increment(1);
        tracing::error!(
            policy.revision = revision,
            error,
            "policy.refused: the store's policy does not compile, the older one stays"
        );
    }

    /// Reads changed principals again. One that cannot be read stays unread: nobody enters with its old rights.
    async fn read_principals(&mut self) {
        let mut fresh: Vec<Arc<Principal>> = Vec::new();
        for id in std::mem::take(&mut self.unread) {
            match self.policies.principals.read(id).await {
                Ok(Some(principal)) => fresh.push(principal),
                Ok(None) => self.end_sessions_of(id),
                Err(error) => {
                    tracing::warn!(principal.id = %id, error = %error, "a principal could not be read again");
                    self.unread.insert(id);
                }
            }
        }
        self.live.replace_principals(&fresh);
    }

    /// A principal that is gone keeps no session.
    fn end_sessions_of(&self, id: PrincipalId) {
        let filter = match id {
            PrincipalId::User(user) => Filter::User(user),
            // Its tokens are revoked with it, which the snapshot says.
            PrincipalId::ServiceAccount(_) | PrincipalId::Anonymous => return,
        };
        end_sessions(&self.live, &filter, Ended::UserDisabled, &self.journal);
    }

    async fn cut(&self, scope: Scope) -> usize {
        let (live, policies, journal) =
            (Arc::clone(&self.live), Arc::clone(&self.policies), self.journal.clone());
        let pass = move || cut_what_must_end(scope, &live, &policies, &journal, wall_clock());
        let cut = tokio::task::spawn_blocking(pass).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "the live sessions could not be looked at");
            0
        });
        (self.looked)();
        cut
    }
}

fn principal_of(changed: &Changed) -> Option<PrincipalId> {
    if changed.kind == Kind::User {
        return changed.id.parse().ok().map(PrincipalId::User);
    }
    if changed.kind == Kind::ServiceAccount {
        return changed.id.parse().ok().map(PrincipalId::ServiceAccount);
    }
    None
}
