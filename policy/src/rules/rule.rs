//! One rule, ready to be evaluated and to be explained.

use super::{check::Checked, walk::Uses};
use crate::model::Outage;
use cedar_policy::{
    ActionConstraint, Effect, Policy, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint,
};
use postern_ids::{Name, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// One Cedar policy with what surrounds it.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The id of the grant or policy it comes from.
    pub(crate) id: Arc<str>,
    pub(crate) name: Name,
    pub(crate) text: Arc<str>,
    pub(crate) policy: Policy,
    pub(crate) scope: Scope,
    pub(crate) uses: Uses,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) outage: Outage,
    conditions: OnceLock<Conditions>,
}

/// What a rule says before its conditions, taken out of Cedar once.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) effect: Effect,
    pub(crate) principal: PrincipalConstraint,
    pub(crate) action: ActionConstraint,
    pub(crate) resource: ResourceConstraint,
}

/// The parts of a rule's conditions that must each hold, each as a policy of its own.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) set: PolicySet,
    /// The part that each policy of the set is, as Cedar text.
    pub(crate) texts: Vec<String>,
}

impl Rule {
    pub(crate) fn new(id: Arc<str>, name: Name, text: Arc<str>, checked: Checked) -> Self {
        let Checked { policy, uses } = checked;
        let scope = Scope {
            effect: policy.effect(),
            principal: policy.principal_constraint(),
            action: policy.action_constraint(),
            resource: policy.resource_constraint(),
        };
        let (expires_at, outage, conditions) = (None, Outage::Standard, OnceLock::new());
        Self { id, name, text, policy, scope, uses, expires_at, outage, conditions }
    }

    /// Its conditions taken apart; worked out when a denial is first explained with them.
    pub(crate) fn conditions(&self) -> &Conditions {
        self.conditions.get_or_init(|| Conditions::of(&self.policy))
    }
}

impl Conditions {
    fn of(policy: &Policy) -> Self {
        let Ok(json) = policy.to_json() else { return Self::default() };
        let mut parts = Vec::new();
        for condition in json.get("conditions").and_then(Value::as_array).into_iter().flatten() {
            if condition.get("kind").and_then(Value::as_str) == Some("when") {
                split(condition.get("body").unwrap_or(&Value::Null), &mut parts);
            } else {
                parts.push(condition.clone());
            }
        }
        let mut conditions = Self::default();
        for part in &parts {
            let Some(policy) = alone(conditions.texts.len(), part) else { continue };
            let text = condition_text(&policy);
            if conditions.set.add(policy).is_ok() {
                conditions.texts.push(text);
            }
        }
        conditions
    }

    /// Which part a policy of the set is.
    pub(crate) fn number(id: &PolicyId) -> Option<usize> {
        let text: &str = id.as_ref();
        text.parse().ok()
    }
}

/// Splits a `when` clause at its outer `&&`.
fn split(body: &Value, into: &mut Vec<Value>) {
    match body.get("&&") {
        Some(both) => {
            split(both.get("left").unwrap_or(&Value::Null), into);
            split(both.get("right").unwrap_or(&Value::Null), into);
        }
        None => into.push(json!({ "kind": "when", "body": body })),
    }
}

/// One condition as a policy of its own.
fn alone(number: usize, condition: &Value) -> Option<Policy> {
    let policy = json!({
        "effect": "permit",
        "principal": { "op": "All" },
        "action": { "op": "All" },
        "resource": { "op": "All" },
        "conditions": [condition],
    });
    Policy::from_json(Some(PolicyId::new(number.to_string())), policy).ok()
}

fn condition_text(policy: &Policy) -> String {
    let text = policy.to_string();
    let inner = text.find('{').zip(text.rfind('}')).and_then(|(from, to)| text.get(from + 1..to));
    let body = inner.unwrap_or(&text).trim().to_owned();
    if text.contains("unless {") { format!("unless {body}") } else { body }
}
