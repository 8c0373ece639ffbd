//! Why not: the permits that came closest to allowing a denied request, and what each of them was missing.

use crate::{
    evaluate::Question,
    record::{NearMiss, RecordedRule},
    rules::{Conditions, Rule, Scope, schema::principal_type},
    ruling::Ruling,
};
use cedar_policy::{ActionConstraint, Effect, EntityUid, PrincipalConstraint, ResourceConstraint};
use std::{collections::BTreeSet, sync::Arc};

/// Near misses in one record: what a person reads.
const SHOWN_MAX: usize = 5;

/// Permits whose conditions are taken apart for one record; the rest are only compared by their scope.
const EXAMINED_MAX: usize = 32;

/// The permits that came closest, nearest first. Nothing to say where the principal or the resource does not exist.
pub(crate) fn misses(ruling: &Ruling) -> Vec<NearMiss> {
    let Some(placed) = &ruling.placed else { return Vec::new() };
    let question = Question::new(&ruling.request, placed, &ruling.compiled, &ruling.groups, ruling.at);
    let Ok(question) = question else { return Vec::new() };
    let scene = Scene { question, site: placed.site.clone(), ruling };
    let permits = ruling.compiled.index.rules().iter().filter(|rule| rule.scope.effect == Effect::Permit);
    let mut candidates: Vec<(Vec<String>, &Arc<Rule>)> = permits
        .map(|rule| (scene.scope_faults(&rule.scope), rule))
        .filter(|(faults, _)| faults.len() <= 1)
        .collect();
    candidates.sort_by_key(|(faults, rule)| (faults.len(), rule.id.clone()));
    candidates.truncate(EXAMINED_MAX);
    let mut misses: Vec<NearMiss> = candidates
        .into_iter()
        .map(|(mut failed, rule)| {
            failed.extend(scene.condition_faults(rule));
            NearMiss { rule: RecordedRule::of(rule, None), failed }
        })
        .filter(|miss| !miss.failed.is_empty())
        .collect();
    misses.sort_by_key(|miss| miss.failed.len());
    misses.truncate(SHOWN_MAX);
    misses
}

struct Scene<'a> {
    question: Question,
    site: EntityUid,
    ruling: &'a Ruling,
}

impl Scene<'_> {
    /// Which parts of a rule's scope do not hold.
    fn scope_faults(&self, scope: &Scope) -> Vec<String> {
        [self.principal_fault(scope), self.action_fault(scope), self.resource_fault(scope)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn principal_fault(&self, scope: &Scope) -> Option<String> {
        let mine = |entity: &EntityUid| self.question.keys.contains(entity);
        let kind = principal_type(self.ruling.request.principal.id.kind());
        match &scope.principal {
            PrincipalConstraint::Any => None,
            PrincipalConstraint::Eq(entity) => {
                (self.question.keys.first() != Some(entity)).then(|| format!("principal == {entity}"))
            }
            PrincipalConstraint::In(entity) => (!mine(entity)).then(|| format!("principal in {entity}")),
            PrincipalConstraint::Is(wanted) => (wanted != kind).then(|| format!("principal is {wanted}")),
            PrincipalConstraint::IsIn(wanted, entity) => {
                (wanted != kind || !mine(entity)).then(|| format!("principal is {wanted} in {entity}"))
            }
        }
    }

    fn action_fault(&self, scope: &Scope) -> Option<String> {
        let asked = self.question.request.action();
        let wrong = match &scope.action {
            ActionConstraint::Any => false,
            ActionConstraint::Eq(action) => asked != Some(action),
            ActionConstraint::In(actions) => !actions.iter().any(|action| asked == Some(action)),
        };
        wrong.then(|| format!("the rule is not about {}", self.ruling.request.action.kind().label()))
    }

    fn resource_fault(&self, scope: &Scope) -> Option<String> {
        let here = self.question.request.resource();
        let within = |entity: &EntityUid| here == Some(entity) || self.site == *entity;
        match &scope.resource {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
            ResourceConstraint::Eq(entity) => (here != Some(entity)).then(|| format!("resource == {entity}")),
            ResourceConstraint::In(entity) | ResourceConstraint::IsIn(_, entity) => {
                (!within(entity)).then(|| format!("resource in {entity}"))
            }
        }
    }

    /// Which of a rule's conditions do not hold, as Cedar text.
    fn condition_faults(&self, rule: &Rule) -> Vec<String> {
        let mut faults = Vec::new();
        if rule.expires_at.is_some_and(|at| at <= self.ruling.at) {
            faults.push("it has expired".to_owned());
        }
        let conditions = rule.conditions();
        let answer = self.question.ask(&conditions.set);
        let held: BTreeSet<usize> = answer.diagnostics().reason().filter_map(Conditions::number).collect();
        let errored: BTreeSet<usize> = answer
            .diagnostics()
            .errors()
            .filter_map(|error| {
                let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
                Conditions::number(error.policy_id())
            })
            .collect();
        let failed = || conditions.texts.iter().enumerate().filter(|(n, _)| !held.contains(n));
        faults.extend(failed().filter(|(n, _)| !errored.contains(n)).map(|(_, text)| text.clone()));
        // An error after a failed guard (`has` before the attribute) is the guard's fault, which is told already.
        if faults.is_empty() {
            faults.extend(failed().map(|(_, text)| text.clone()));
        }
        faults
    }
}
