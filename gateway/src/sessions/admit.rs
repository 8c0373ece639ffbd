//! Admission, in the one order that leaves no gap (D2): decide on the newest snapshot, enter the live table, decide again
//! if a newer one has come, record. From entry on a revocation finds the session.

use super::{
    duty::{Duty, Entry, Told},
    ending::Ending,
    held::HeldSessions,
    limits::{OverLimit, PrincipalLimits},
    refused::Refused,
    session::Session,
    stream::Stream,
};
use crate::{
    policies::{Live, Policies, wall_clock},
    signing::StreamAttempt,
};
use postern_ids::{DecisionId, Refusal, SessionId, Timestamp};
use postern_policy::{
    Action, Asked, Deny, Permit, Request, Verdicts, decide,
    model::{Credential, Principal, PrincipalId},
};
use postern_store::journal::{Journal, NotRecorded, SessionFacts};
use postern_tunnel_io::Cut;
use std::{fmt, net::IpAddr, sync::Arc, time::Instant};

/// Who asks for what.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Who, as last read.
    pub principal: Arc<Principal>,
    /// What proved it.
    pub credential: Credential,
    /// What is asked for.
    pub resource: Asked,
    /// What is to be done there.
    pub action: Action,
    /// From where.
    pub source: IpAddr,
    /// The way in, for the record.
    pub ingress: &'static str,
}

/// What admission needs. There is one per node.
pub struct Door {
    pub(super) policies: Arc<Policies>,
    pub(super) live: Arc<Live>,
    pub(super) journal: Journal,
    pub(super) limits: Arc<PrincipalLimits>,
    pub(super) held: Arc<HeldSessions>,
    pub(super) carried: Arc<()>,
    /// What the rules said to requests of browsers.
    pub(super) verdicts: Verdicts,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

/// A session that was decided and may not stand in the live table.
pub(super) enum NotEntered {
    /// It never entered; an entry that stood there stands there still.
    Denied(Box<Deny>),
    /// Something changed meanwhile; no entry is left.
    Removed(Box<Deny>),
}

impl Door {
    /// The door of a node, which admits sessions and lets held ones go on.
    pub fn new(
        policies: Arc<Policies>,
        held: Arc<HeldSessions>,
        journal: Journal,
        limits: Arc<PrincipalLimits>,
    ) -> Arc<Self> {
        let live = Arc::clone(held.live());
        let (carried, verdicts) = (Arc::default(), Verdicts::default());
        Arc::new(Self { policies, live, journal, limits, held, carried, verdicts })
    }

    /// The resumable sessions.
    pub fn held(&self) -> &Arc<HeldSessions> {
        &self.held
    }

    /// How many sessions are in somebody's hands: carried, or on their way there or to their record.
    pub fn carried(&self) -> usize {
        Arc::strong_count(&self.carried) - 1
    }

    /// Admits a session, or says why not. An admitted session is in the live table and durably recorded. With an attempt
    /// it is resumable.
    pub async fn admit(&self, asking: Asking, attempt: Option<StreamAttempt>) -> Result<Session, Refused> {
        let (ingress, principal) = (asking.ingress, asking.principal.id);
        let place =
            self.limits.enter(principal, Instant::now()).map_err(|over| over_limit(principal, over))?;
        let now = wall_clock();
        let request = new_request(&asking, now);
        let cut = Cut::new();
        let permit = match self.decide_and_enter(&request, &cut, now) {
            Ok(permit) => permit,
            Err(NotEntered::Denied(deny) | NotEntered::Removed(deny)) => return Err(self.denied(&deny)),
        };
        let entry = Entry::new(Arc::clone(&self.live), permit.session());
        let (decision, now) = (permit.decision(), wall_clock());
        let generation = attempt.map_or(0, |attempt| attempt.generation());
        let facts = SessionFacts { ingress, connector: None, generation, at: now };
        let admitted = match self.journal.record(permit, facts).await {
            Ok(admitted) => admitted,
            Err(error) => return Err(not_recorded(decision, error)),
        };
        let mut duty =
            Duty::new(admitted.permit().session(), generation, self.journal.clone(), told(&admitted));
        (duty.entry, duty.place, duty.cut) = (Some(entry), Some(place), cut.clone());
        let ending = Ending::new(duty, None, Arc::clone(&self.carried));
        if let Some(ended) = cut.ended() {
            ending.end(ended, 0, 0);
            return Err(Refused::decided(Refusal::Denied, decision, ended.sentence()));
        }
        metrics::counter!("postern_sessions_admitted_total").increment(1);
        let stream = attempt.map(|attempt| Stream::new(attempt, Arc::clone(&self.held)));
        Ok(Session::new(admitted, ending, stream))
    }

    /// Decides, and enters the session with its cut.
    pub(super) fn decide_and_enter(
        &self,
        request: &Request,
        cut: &Cut,
        now: Timestamp,
    ) -> Result<Permit, NotEntered> {
        let principal = request.principal.id;
        let (snapshot, staleness) = self.policies.current();
        let permit =
            decide(request, &snapshot, staleness, now).map_err(|deny| NotEntered::Denied(Box::new(deny)))?;
        // What is current is read after the entry: a revision that lands between the two looks finds the session.
        self.live
            .enter(permit, cut.clone(), || self.policies.current_for(principal), now)
            .map_err(|deny| NotEntered::Removed(Box::new(deny)))
    }

    pub(super) fn denied(&self, deny: &Deny) -> Refused {
        let reason = deny.reason();
        self.journal.denied(deny);
        metrics::counter!("postern_sessions_refused_total", "reason" => reason.label()).increment(1);
        log_denied(deny);
        Refused::decided(reason.as_refusal(), deny.decision(), reason.sentence())
    }
}

pub(super) fn new_request(asking: &Asking, now: Timestamp) -> Request {
    Request {
        decision: DecisionId::mint(now, rand::random()),
        session: SessionId::mint(now, rand::random()),
        started_at: now,
        principal: Arc::clone(&asking.principal),
        credential: asking.credential.clone(),
        resource: asking.resource.clone(),
        action: asking.action.clone(),
        source: asking.source,
    }
}

pub(super) fn told(admitted: &postern_store::journal::Admitted) -> Told {
    let permit = admitted.permit();
    Told {
        principal: permit.principal().id.to_string(),
        resource: permit.resource().name.to_string(),
        started_at: permit.started_at(),
    }
}

pub(super) fn log_denied(deny: &Deny) {
    let (reason, request) = (deny.reason(), deny.request());
    tracing::info!(
        decision.id = %deny.decision(),
        principal.id = %request.principal.id,
        resource = %request.resource,
        reason = reason.label(),
        policy.revision = deny.revision(),
        "session denied: {}", reason.label()
    );
}

pub(super) fn over_limit(principal: PrincipalId, over: OverLimit) -> Refused {
    metrics::counter!("postern_sessions_refused_total", "reason" => "limit").increment(1);
    tracing::debug!(principal.id = %principal, limit = over.label(), "limit.hit: a session was refused");
    Refused { message: over.sentence().into(), ..Refused::early(Refusal::Limit) }
}

pub(super) fn not_recorded(decision: DecisionId, error: NotRecorded) -> Refused {
    metrics::counter!("postern_sessions_refused_total", "reason" => "not_recorded").increment(1);
    tracing::error!(decision.id = %decision, error = %error, "a session could not be recorded, so it was not opened");
    let refusal = Refusal::NotRecorded;
    Refused::decided(refusal, decision, refusal.sentence())
}
