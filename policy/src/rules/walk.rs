//! The checks that a schema cannot make: Cedar's validator takes `context has typo` for a constant `false`, so a misspelled
//! condition under `unless` would hold for ever. Here every attribute, name and function must be one that exists.

use super::{
    expression::{literal, named_set, variable},
    labels,
    schema::{CONTEXT_ATTRIBUTES, NAMED_SETS, RESOURCE_ATTRIBUTES},
};
use crate::fault::RuleFault;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The names that a rule's conditions depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Uses {
    /// Windows.
    pub(crate) windows: BTreeSet<String>,
    /// Thresholds on the age of the sign-in.
    pub(crate) sign_in: BTreeSet<String>,
    /// Thresholds on the age of the second factor.
    pub(crate) mfa: BTreeSet<String>,
    /// What a provider would have to say of the sign-in (`acr`).
    pub(crate) acr: BTreeSet<String>,
    /// Whether they ask for the path of an HTTP request.
    pub(crate) path: bool,
    /// Labels without which it cannot hold or fail, key and value.
    pub(crate) labels: Vec<(String, String)>,
}

const NO_CLOCK: &str =
    "rules have no clock: name a window and write context.windows.contains(\"…\"), or name a threshold";
const NO_LOGIN: &str = "the SSH login name is not visible to the gateway, so no rule can depend on it";
const NO_HAS_PATH: &str = "whether there is a path cannot be asked: write `action == Action::\"http\"` instead. Where an application's paths are \
     not read, a permit that asks for the path does not count, and a forbid denies";
const TIME_FUNCTIONS: &[&str] = &[
    "datetime",
    "duration",
    "offset",
    "durationSince",
    "toDate",
    "toTime",
    "toMilliseconds",
    "toSeconds",
    "toMinutes",
    "toHours",
    "toDays",
];
const TIME_WORDS: &[&str] = &["time", "now", "date", "hour", "day", "weekday", "timestamp"];
const LOGIN_WORDS: &[&str] =
    &["login", "login_name", "ssh_login", "ssh_user", "ssh_username", "unix_user", "username"];

/// Walks the conditions of a policy in Cedar's JSON form.
pub(crate) fn uses(policy: &Value, text: &str) -> Result<Uses, RuleFault> {
    let uses = Uses { labels: labels::demanded(policy), ..Uses::default() };
    let mut walk = Walk { text, uses };
    for condition in policy.get("conditions").and_then(Value::as_array).into_iter().flatten() {
        walk.expression(condition.get("body").unwrap_or(&Value::Null))?;
    }
    Ok(walk.uses)
}

struct Walk<'a> {
    text: &'a str,
    uses: Uses,
}

impl Walk<'_> {
    fn expression(&mut self, expression: &Value) -> Result<(), RuleFault> {
        let Some((operator, operands)) = expression.as_object().and_then(|map| map.iter().next()) else {
            return Err(RuleFault::whole("a condition has a form that is not supported"));
        };
        match operator.as_str() {
            "Value" | "Var" => Ok(()),
            "Record" => {
                operands.as_object().into_iter().flat_map(Map::values).try_for_each(|v| self.expression(v))
            }
            "Slot" | "Unknown" => Err(RuleFault::whole("templates are not supported")),
            "." | "has" => self.attribute(operator, operands),
            "contains" | "containsAll" | "containsAny" if named_set(operands.get("left")).is_some() => {
                self.names(operands)
            }
            "hasTag" | "getTag" if variable(operands.get("left")) != Some("resource") => {
                Err(self.fault("only resource has tags", operator))
            }
            "in" if variable(operands.get("left")).is_none() => {
                Err(self.fault("only principal, action and resource can stand left of `in`", " in "))
            }
            name if TIME_FUNCTIONS.contains(&name) => Err(self.fault(NO_CLOCK, name)),
            _ => self.operands(operands),
        }
    }

    fn operands(&mut self, operands: &Value) -> Result<(), RuleFault> {
        match operands {
            Value::Array(items) => items.iter().try_for_each(|item| self.expression(item)),
            // `like` carries its pattern and `is` its type beside the operands: only the operands are expressions.
            Value::Object(map) => map
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "pattern" | "entity_type"))
                .try_for_each(|(_, operand)| self.expression(operand)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Err(RuleFault::whole("a condition has a form that is not supported"))
            }
        }
    }

    fn attribute(&mut self, operator: &str, operands: &Value) -> Result<(), RuleFault> {
        let Some(name) = operands.get("attr").and_then(Value::as_str) else {
            return Err(RuleFault::whole("`has` takes one attribute at a time"));
        };
        let owner = variable(operands.get("left"));
        let known = match owner {
            Some("context") => CONTEXT_ATTRIBUTES,
            Some("resource") => RESOURCE_ATTRIBUTES,
            _ => &[],
        };
        if LOGIN_WORDS.contains(&name) {
            return Err(self.fault(NO_LOGIN, name));
        }
        if TIME_WORDS.contains(&name) {
            return Err(self.fault(NO_CLOCK, name));
        }
        if !known.contains(&name) {
            let owner = owner.unwrap_or("this expression");
            return Err(self.fault(&format!("{owner} has no attribute `{name}`"), name));
        }
        if operator == "has" && name == "path" {
            return Err(self.fault(NO_HAS_PATH, name));
        }
        self.uses.path |= name == "path";
        if operator == "." && NAMED_SETS.contains(&name) {
            let message =
                format!("write context.{name}.contains(\"a name\"): nothing else can be asked of it");
            return Err(self.fault(&message, name));
        }
        Ok(())
    }

    fn names(&mut self, operands: &Value) -> Result<(), RuleFault> {
        let set = named_set(operands.get("left")).unwrap_or_default();
        let right = operands.get("right").unwrap_or(&Value::Null);
        let items: Option<Vec<String>> = match right.get("Set").and_then(Value::as_array) {
            Some(items) => items.iter().map(literal).collect(),
            None => literal(right).map(|name| vec![name]),
        };
        let Some(names) = items else {
            return Err(self.fault(&format!("context.{set} can only be asked for names in quotes"), set));
        };
        let into = match set {
            "windows" => &mut self.uses.windows,
            "sign_in_within" => &mut self.uses.sign_in,
            "mfa_within" => &mut self.uses.mfa,
            "acr" => &mut self.uses.acr,
            // Means are the provider's choice: nothing follows from which ones a rule names.
            _ => return Ok(()),
        };
        into.extend(names);
        Ok(())
    }

    fn fault(&self, message: &str, word: &str) -> RuleFault {
        RuleFault::at_word(message, self.text, word)
    }
}
