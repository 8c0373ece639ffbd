//! What can stand in a condition, in Cedar's JSON form.

use super::schema::NAMED_SETS;
use serde_json::Value;

/// The name of a variable, if this is one.
pub(super) fn variable(expression: Option<&Value>) -> Option<&str> {
    expression?.get("Var")?.as_str()
}

/// The text of a string, if this is one.
pub(super) fn literal(expression: &Value) -> Option<String> {
    expression.get("Value")?.as_str().map(str::to_owned)
}

/// The attribute of `context` that holds names, if this expression is one.
pub(super) fn named_set(expression: Option<&Value>) -> Option<&str> {
    let access = expression?.get(".")?;
    let name = access.get("attr")?.as_str()?;
    let named = variable(access.get("left")) == Some("context") && NAMED_SETS.contains(&name);
    named.then_some(name)
}
