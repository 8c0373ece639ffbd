//! Admission, in the one order that leaves no gap (D2): decide on the newest snapshot, enter the live table, decide again
//! if a newer one has come, record. From entry on a revocation finds the session.

use super::{
    ending::{Ending, Entry},
    limits::{OverLimit, PrincipalLimits},
    session::Session,
};
use crate::policies::{Live, Policies, wall_clock};
use postern_ids::{DecisionId, Refusal, SessionId};
use postern_policy::{
    Action, Asked, Deny, Permit, Request, decide,
    model::{Credential, Principal},
};
use postern_store::journal::{Journal, NotRecorded, SessionFacts};
use postern_tunnel_io::Cut;
use std::{borrow::Cow, fmt, net::IpAddr, sync::Arc, time::Instant};

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

/// Why there is no session.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The one word for it.
    pub refusal: Refusal,
    /// The decision to show, where there was one.
    pub decision: Option<DecisionId>,
    /// One sentence for a person.
    pub message: Cow<'static, str>,
}

impl Refused {
    /// A refusal before any decision.
    pub const fn early(refusal: Refusal) -> Self {
        Self { refusal, decision: None, message: Cow::Borrowed(refusal.sentence()) }
    }
}

/// What admission needs. There is one per node.
pub struct Door {
    policies: Arc<Policies>,
    live: Arc<Live>,
    journal: Journal,
    limits: Arc<PrincipalLimits>,
    unfinished: Arc<()>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

impl Door {
    /// The door of a node.
    pub fn new(
        policies: Arc<Policies>,
        live: Arc<Live>,
        journal: Journal,
        limits: Arc<PrincipalLimits>,
    ) -> Arc<Self> {
        Arc::new(Self { policies, live, journal, limits, unfinished: Arc::default() })
    }

    /// How many admitted sessions have not recorded their end yet.
    pub fn unfinished(&self) -> usize {
        Arc::strong_count(&self.unfinished) - 1
    }

    /// Admits a session, or says why not. An admitted session is in the live table and durably recorded.
    pub async fn admit(&self, asking: Asking) -> Result<Session, Refused> {
        let ingress = asking.ingress;
        let ticket = self
            .limits
            .enter(asking.principal.id, Instant::now())
            .map_err(|over| over_limit(&asking, over))?;
        let (permit, cut) = self.decide_and_enter(asking).map_err(|deny| self.denied(&deny))?;
        let entry = Entry::new(Arc::clone(&self.live), permit.session());
        let (decision, now) = (permit.decision(), wall_clock());
        let facts = SessionFacts { ingress, connector: None, at: now };
        let admitted = match self.journal.record(permit, facts).await {
            Ok(admitted) => admitted,
            Err(error) => return Err(not_recorded(decision, error)),
        };
        let ending =
            Ending::new(entry, (ticket, Arc::clone(&self.unfinished)), self.journal.clone(), &admitted, now);
        if let Some(ended) = cut.ended() {
            ending.end(ended, 0, 0);
            return Err(Refused {
                refusal: Refusal::Denied,
                decision: Some(decision),
                message: ended.sentence().into(),
            });
        }
        metrics::counter!("postern_sessions_admitted_total").increment(1);
        Ok(Session::new(admitted, cut, ending))
    }

    fn decide_and_enter(&self, asking: Asking) -> Result<(Permit, Cut), Box<Deny>> {
        let now = wall_clock();
        let principal = asking.principal.id;
        let request = Request {
            decision: DecisionId::mint(now, rand::random()),
            session: SessionId::mint(now, rand::random()),
            started_at: now,
            principal: asking.principal,
            credential: asking.credential,
            resource: asking.resource,
            action: asking.action,
            source: asking.source,
        };
        let (snapshot, staleness) = self.policies.current();
        let permit = decide(&request, &snapshot, staleness, now).map_err(Box::new)?;
        let cut = Cut::new();
        // What is current is read after the entry: a revision that lands between the two looks finds the session.
        let permit = self
            .live
            .enter(permit, cut.clone(), || self.policies.current_for(principal), now)
            .map_err(Box::new)?;
        Ok((permit, cut))
    }

    fn denied(&self, deny: &Deny) -> Refused {
        let (reason, request) = (deny.reason(), deny.request());
        self.journal.denied(deny);
        metrics::counter!("postern_sessions_refused_total", "reason" => reason.label()).increment(1);
        tracing::info!(
            decision.id = %deny.decision(),
            principal.id = %request.principal.id,
            resource = %request.resource,
            reason = reason.label(),
            policy.revision = deny.revision(),
            "session denied: {}", reason.label()
        );
        Refused {
            refusal: reason.as_refusal(),
            decision: Some(deny.decision()),
            message: reason.sentence().into(),
        }
    }
}

fn over_limit(asking: &Asking, over: OverLimit) -> Refused {
    metrics::counter!("postern_sessions_refused_total", "reason" => "limit").increment(1);
    tracing::debug!(principal.id = %asking.principal.id, limit = over.label(), "limit.hit: a session was refused");
    Refused { refusal: Refusal::Limit, decision: None, message: over.sentence().into() }
}

fn not_recorded(decision: DecisionId, error: NotRecorded) -> Refused {
    metrics::counter!("postern_sessions_refused_total", "reason" => "not_recorded").increment(1);
    tracing::error!(decision.id = %decision, error = %error, "a session could not be recorded, so it was not opened");
    let refusal = Refusal::NotRecorded;
    Refused { refusal, decision: Some(decision), message: refusal.sentence().into() }
}
