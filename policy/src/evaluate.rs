//! Asking Cedar: a small slice of entities, only the rules that can apply, and our own rule for errors — a forbid that
//! cannot be evaluated counts as satisfied, a permit that cannot counts as absent.

use crate::{
    groups::GroupTree,
    limits::{EVALUATED_MAX, GROUPS_MAX},
    model::{Credential, SignIn},
    places::Placed,
    request::{Action, Request},
    rules::{
        Compiled, Leaf, Rule,
        schema::{access_uid, principal_type, principal_uid},
    },
};
use cedar_policy::{
    Authorizer, Context, Effect, Entities, Entity, EntityUid, PolicySet, RestrictedExpression,
};
use postern_ids::{Name, Timestamp};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
    time::Duration,
};

static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(Authorizer::new);

/// How far a sign-in may lie in the future and still count as fresh: two nodes' clocks may differ by this much.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// A request that could not be put to the policy engine; always a denial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be evaluated: {0}")]
pub(crate) struct Unable(pub(crate) String);

/// A request in Cedar's terms.
pub(crate) struct Question {
    pub(crate) request: cedar_policy::Request,
    pub(crate) entities: Entities,
    /// The principal and those of its groups that some rule names.
    pub(crate) keys: Vec<EntityUid>,
}

/// What the rules say. Expiry and outage modes are not applied yet.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Satisfied permits.
    pub(crate) permits: Vec<Arc<Rule>>,
    /// Satisfied forbids.
    pub(crate) forbids: Vec<Arc<Rule>>,
    /// Rules of both effects that could not be evaluated, and why.
    pub(crate) errors: Vec<(Arc<Rule>, String)>,
    /// When a window or threshold that some applicable rule names may next change the answer.
    pub(crate) boundary: Option<Timestamp>,
}

/// Which thresholds an age stays under: the names that rules may test.
pub(crate) fn within(compiled: &Compiled, since: Option<Timestamp>, now: Timestamp) -> Vec<Name> {
    let Some(since) = since else { return Vec::new() };
    let young = compiled.source.thresholds.iter().filter(|threshold| {
        since <= now.plus(CLOCK_SKEW) && now < since.plus(Duration::from_secs(threshold.seconds.into()))
    });
    young.map(|threshold| threshold.name.clone()).collect()
}

/// The sign-in behind a credential.
pub(crate) fn sign_in(credential: &Credential) -> Option<&SignIn> {
    match credential {
        Credential::SignIn(sign_in) => Some(sign_in),
        Credential::Token(_) | Credential::None => None,
    }
}

impl Question {
    pub(crate) fn new(
        request: &Request,
        placed: &Placed,
        compiled: &Compiled,
        groups: &GroupTree,
        now: Timestamp,
    ) -> Result<Self, Unable> {
        let inherited = groups.with_inherited(&request.principal.groups);
        if inherited.len() > GROUPS_MAX {
            return Err(Unable(format!("the principal has {} groups", inherited.len())));
        }
        let principal = principal_uid(request.principal.id);
        let groups = inherited.into_iter().filter_map(|id| compiled.index.groups.get(&id).cloned());
        let mut keys = vec![principal.clone()];
        keys.extend(groups);
        let ancestors = keys.iter().skip(1).cloned().collect();
        let who = Entity::new_no_attrs(principal.clone(), ancestors);
        let entities = Entities::from_entities([who, placed.entity.clone()], None).map_err(unable)?;
        let action = access_uid(request.action.kind()).clone();
        let context = context(request, compiled, now)?;
        let request = cedar_policy::Request::new(principal, action, placed.uid.clone(), context, None)
            .map_err(unable)?;
        Ok(Self { request, entities, keys })
    }

    /// Puts the question to a set of rules.
    pub(crate) fn ask(&self, set: &PolicySet) -> cedar_policy::Response {
        AUTHORIZER.is_authorized(&self.request, set, &self.entities)
    }
}

/// What the rules that can apply to a request would have a provider say of the sign-in (`acr`).
pub(crate) fn acr_asked(
    request: &Request,
    placed: &Placed,
    compiled: &Compiled,
    groups: &GroupTree,
    now: Timestamp,
) -> Result<BTreeSet<String>, Unable> {
    let question = Question::new(request, placed, compiled, groups, now)?;
    let kind = principal_type(request.principal.id.kind());
    let places = [&placed.uid, &placed.site];
    let leaves = compiled.index.leaves(question.keys.iter(), kind, &placed.resource, places);
    Ok(leaves.flat_map(|leaf| leaf.acr.iter().cloned()).collect())
}

/// Evaluates the rules that can apply to a request.
pub(crate) fn evaluate(
    request: &Request,
    placed: &Placed,
    compiled: &Compiled,
    groups: &GroupTree,
    now: Timestamp,
) -> Result<Verdict, Unable> {
    let whole = AssertUnwindSafe(|| {
        let question = Question::new(request, placed, compiled, groups, now)?;
        let kind = principal_type(request.principal.id.kind());
        let places = [&placed.uid, &placed.site];
        let leaves: Vec<&Leaf> =
            compiled.index.leaves(question.keys.iter(), kind, &placed.resource, places).collect();
        let count: usize = leaves.iter().map(|leaf| leaf.len).sum();
        if count > EVALUATED_MAX {
            return Err(Unable(format!("{count} rules apply, more than can be evaluated in time")));
        }
        let mut verdict = Verdict::default();
        for leaf in leaves {
            verdict.collect(&question.ask(&leaf.set), compiled)?;
            verdict.note_boundary(leaf, request, compiled, now)?;
        }
        verdict.permits.sort_by(|a, b| (&a.id, &a.text).cmp(&(&b.id, &b.text)));
        Ok(verdict)
    });
    // A panic inside the engine is an answer too: no (D3).
    catch_unwind(whole).unwrap_or_else(|_| Err(Unable("the policy engine panicked".to_owned())))
}

impl Verdict {
    fn collect(&mut self, response: &cedar_policy::Response, compiled: &Compiled) -> Result<(), Unable> {
        let known =
            |id| compiled.index.rule(id).cloned().ok_or_else(|| Unable(format!("no rule is numbered {id}")));
        for id in response.diagnostics().reason() {
            let rule = known(id)?;
            match rule.scope.effect {
                Effect::Permit => self.permits.push(rule),
                Effect::Forbid => self.forbids.push(rule),
            }
        }
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            self.errors.push((known(error.policy_id())?, error.inner().to_string()));
        }
        Ok(())
    }

    fn note_boundary(
        &mut self,
        leaf: &Leaf,
        request: &Request,
        compiled: &Compiled,
        now: Timestamp,
    ) -> Result<(), Unable> {
        for &place in &leaf.windows {
            let moment = compiled.calendar.moment(place, now).ok_or_else(outside)?;
            self.earlier(moment.until);
        }
        let Some(sign_in) = sign_in(&request.credential) else { return Ok(()) };
        let crossings = |since: Timestamp, ages: &[Duration]| {
            ages.iter().map(|&age| since.plus(age)).filter(|&at| at > now).min()
        };
        self.earlier(crossings(sign_in.at, &leaf.sign_in));
        self.earlier(sign_in.mfa_at.and_then(|at| crossings(at, &leaf.mfa)));
        Ok(())
    }

    fn earlier(&mut self, at: Option<Timestamp>) {
        self.boundary = [self.boundary, at].into_iter().flatten().min();
    }
}

fn context(request: &Request, compiled: &Compiled, now: Timestamp) -> Result<Context, Unable> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let set = |names: &[Name]| RestrictedExpression::new_set(names.iter().map(|name| text(name.as_str())));
    let mut open = Vec::new();
    for &place in &compiled.index.windows {
        if compiled.calendar.moment(place, now).ok_or_else(outside)?.open {
            open.extend(compiled.calendar.name(place).cloned());
        }
    }
    let sign_in = sign_in(&request.credential);
    let mut pairs = vec![
        ("source".to_owned(), RestrictedExpression::new_ip(request.source.to_canonical().to_string())),
        ("windows".to_owned(), set(&open)),
        ("sign_in_within".to_owned(), set(&within(compiled, sign_in.map(|s| s.at), now))),
        ("mfa_within".to_owned(), set(&within(compiled, sign_in.and_then(|s| s.mfa_at), now))),
    ];
    let said = |words: &mut dyn Iterator<Item = &Arc<str>>| {
        RestrictedExpression::new_set(words.map(|word| text(word)))
    };
    pairs.push(("acr".to_owned(), said(&mut sign_in.iter().filter_map(|s| s.acr.as_ref()))));
    pairs.push(("amr".to_owned(), said(&mut sign_in.iter().flat_map(|s| &s.amr))));
    if let Some(sign_in) = sign_in {
        pairs.push(("idp".to_owned(), text(&sign_in.idp)));
    }
    if let Action::Http(http) = &request.action {
        pairs.push(("method".to_owned(), text(&http.method)));
        // A path that was not read is missing and not empty: `like "*"` would match that.
        if !http.path.is_empty() {
            pairs.push(("path".to_owned(), text(&http.path)));
        }
    }
    Context::from_pairs(pairs).map_err(unable)
}

fn unable(error: impl std::fmt::Display) -> Unable {
    Unable(error.to_string())
}

fn outside() -> Unable {
    Unable("the time lies outside the calendar".to_owned())
}
