//! The order in which a request is judged: who and with what, then where, then the rules, then time and staleness. `decide`
//! and the live table both come here, so that nothing can be allowed in one and denied in the other.

use crate::{
    evaluate::{Unable, Verdict, evaluate},
    model::{ActionKind, Credential, Outage, PrincipalId, ResourceKind},
    places::Placed,
    reason::DenyReason,
    request::{Asked, Request, Staleness},
    rules::Rule,
    snapshot::Snapshot,
};
use postern_ids::{Ended, Timestamp};
use std::{sync::Arc, time::Duration};

/// Whether a session is to begin or is alive: an outage treats the two differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Begins,
    Lives,
}

/// A yes.
#[derive(Debug)]
pub(crate) struct Yes {
    pub(crate) placed: Arc<Placed>,
    pub(crate) determining: Vec<Arc<Rule>>,
    pub(crate) expires_at: Timestamp,
    pub(crate) recheck_at: Timestamp,
    /// Whether an outage longer than `max_staleness` ends it.
    pub(crate) fails_closed: bool,
}

/// A no.
#[derive(Debug)]
pub(crate) struct No {
    pub(crate) reason: DenyReason,
    pub(crate) placed: Option<Arc<Placed>>,
    pub(crate) determining: Vec<(Arc<Rule>, Option<String>)>,
    /// Why the request could not be evaluated, if it could not.
    pub(crate) fault: Option<String>,
}

impl No {
    pub(crate) fn because(reason: DenyReason) -> Self {
        Self::determined(reason, Vec::new())
    }

    fn determined(reason: DenyReason, determining: Vec<(Arc<Rule>, Option<String>)>) -> Self {
        Self { reason, placed: None, determining, fault: None }
    }

    fn at(self, placed: &Arc<Placed>) -> Self {
        Self { placed: Some(placed.clone()), ..self }
    }
}

/// Where verdicts come from: evaluated, or remembered from an equal request.
pub(crate) type Evaluated = Result<Arc<Verdict>, Unable>;

/// Judges a request by evaluating the rules.
pub(crate) fn judge(
    request: &Request,
    snapshot: &Snapshot,
    staleness: Staleness,
    stage: Stage,
    now: Timestamp,
) -> Result<Yes, No> {
    judge_with(request, snapshot, staleness, stage, now, |placed| {
        evaluate(request, placed, &snapshot.compiled, &snapshot.places.groups, now).map(Arc::new)
    })
}

/// Judges a request with verdicts from `evaluated`.
pub(crate) fn judge_with(
    request: &Request,
    snapshot: &Snapshot,
    staleness: Staleness,
    stage: Stage,
    now: Timestamp,
    evaluated: impl FnOnce(&Arc<Placed>) -> Evaluated,
) -> Result<Yes, No> {
    let ends = standing(request, snapshot, now).map_err(No::because)?;
    let placed = match &request.resource {
        Asked::Id(id) => snapshot.places.placed(*id),
        Asked::Name(name) => snapshot.places.placed_by_name(name),
    };
    let placed = placed.ok_or_else(|| No::because(DenyReason::NoSuchResource))?;
    if request.action.kind() == ActionKind::Http && placed.resource.kind != ResourceKind::Http {
        return Err(No::because(DenyReason::WrongKind).at(placed));
    }
    let verdict = evaluated(placed).map_err(|unable| No {
        fault: Some(unable.to_string()),
        ..No::because(DenyReason::EvaluationFailed).at(placed)
    })?;
    let limit = snapshot.max_staleness();
    let yes = combine(&verdict, staleness, limit, stage, now).map_err(|no| no.at(placed))?;
    let expires_at = ends.min(yes.latest_expiry);
    let boundaries = [verdict.boundary, Some(yes.earliest_expiry), Some(expires_at)];
    Ok(Yes {
        placed: placed.clone(),
        determining: yes.permits,
        expires_at,
        recheck_at: boundaries.into_iter().flatten().min().unwrap_or(expires_at),
        fails_closed: yes.fails_closed,
    })
}

/// Whether the principal may ask at all and the session was not ended, and when the credential or the session's longest
/// life ends.
pub(crate) fn standing(
    request: &Request,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Timestamp, DenyReason> {
    let expires_at = credential_standing(request.principal.id, &request.credential, snapshot, now)?;
    match snapshot.ended_session(request.session) {
        None => {}
        Some(Ended::EndedByPrincipal) => return Err(DenyReason::EndedByPrincipal),
        Some(_) => return Err(DenyReason::EndedByAdmin),
    }
    let longest = snapshot.settings().session_max_s;
    let too_old = longest.map(|longest| request.started_at.plus(Duration::from_secs(longest.into())));
    match too_old {
        Some(at) if at <= now => Err(DenyReason::SessionTooOld),
        Some(at) => Ok(expires_at.min(at)),
        None => Ok(expires_at),
    }
}

/// Whether a principal with this credential may ask at all, and when the credential ends.
pub(crate) fn credential_standing(
    principal: PrincipalId,
    credential: &Credential,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Timestamp, DenyReason> {
    if snapshot.disables(principal) {
        return Err(DenyReason::PrincipalDisabled);
    }
    let expires_at = match (principal, credential) {
        (PrincipalId::User(_), Credential::SignIn(sign_in)) => sign_in.expires_at,
        (PrincipalId::User(_) | PrincipalId::ServiceAccount(_), Credential::Token(token)) => {
            token.expires_at.unwrap_or(Timestamp::MAX)
        }
        (PrincipalId::Anonymous, Credential::None) => Timestamp::MAX,
        (PrincipalId::User(_), Credential::None)
        | (PrincipalId::ServiceAccount(_), Credential::SignIn(_) | Credential::None)
        | (PrincipalId::Anonymous, Credential::SignIn(_) | Credential::Token(_)) => {
            return Err(DenyReason::CredentialMissing);
        }
    };
    if snapshot.ends(credential) {
        return Err(DenyReason::CredentialEnded);
    }
    if expires_at <= now {
        return Err(DenyReason::CredentialExpired);
    }
    Ok(expires_at)
}

struct Combined {
    permits: Vec<Arc<Rule>>,
    earliest_expiry: Timestamp,
    latest_expiry: Timestamp,
    fails_closed: bool,
}

/// A satisfied or errored forbid denies; an errored permit is absent; nothing left denies.
fn combine(
    verdict: &Verdict,
    staleness: Staleness,
    limit: Staleness,
    stage: Stage,
    now: Timestamp,
) -> Result<Combined, No> {
    forbids(verdict)?;
    let lasts = |rule: &Rule| rule.expires_at.unwrap_or(Timestamp::MAX);
    let alive: Vec<&Arc<Rule>> = verdict.permits.iter().filter(|rule| lasts(rule) > now).collect();
    let admits = |rule: &Rule| staleness <= admits_until(rule.outage, limit, stage);
    let permits: Vec<Arc<Rule>> =
        alive.iter().filter(|rule| admits(rule)).map(|rule| (*rule).clone()).collect();
    if permits.is_empty() {
        let stale = !alive.is_empty() || (staleness > limit && stage == Stage::Begins);
        let reason = match (stale, verdict.permits.is_empty()) {
            (true, _) => DenyReason::PolicyStale,
            (false, true) => DenyReason::NoRule,
            (false, false) => DenyReason::GrantExpired,
        };
        let determining = verdict.permits.iter().map(|rule| (rule.clone(), None)).collect();
        return Err(No::determined(reason, determining));
    }
    Ok(Combined {
        earliest_expiry: permits.iter().map(|rule| lasts(rule)).min().unwrap_or(now),
        latest_expiry: permits.iter().map(|rule| lasts(rule)).max().unwrap_or(now),
        fails_closed: permits.iter().all(|rule| rule.outage == Outage::FailClosed),
        permits,
    })
}

fn forbids(verdict: &Verdict) -> Result<(), No> {
    let errored = verdict.errors.iter().filter(|(rule, _)| rule.scope.effect == cedar_policy::Effect::Forbid);
    let errored = errored.map(|(rule, error)| (rule.clone(), Some(error.clone())));
    let satisfied = verdict.forbids.iter().map(|rule| (rule.clone(), None));
    let determining: Vec<_> = satisfied.chain(errored).collect();
    if determining.is_empty() {
        return Ok(());
    }
    let reason = if verdict.forbids.is_empty() { DenyReason::RuleError } else { DenyReason::Forbidden };
    Err(No::determined(reason, determining))
}

/// The staleness up to which a permit with this outage mode admits.
fn admits_until(outage: Outage, limit: Staleness, stage: Stage) -> Staleness {
    match (outage, stage) {
        (Outage::Standard, Stage::Begins) | (Outage::FailClosed, _) => limit,
        (Outage::FailStatic { ttl_s }, Stage::Begins) => Staleness(Duration::from_secs(ttl_s.into())),
        (Outage::Standard | Outage::FailStatic { .. }, Stage::Lives) => Staleness(Duration::MAX),
    }
}
