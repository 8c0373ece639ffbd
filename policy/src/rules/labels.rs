//! The labels that a rule demands of its resource before anything in it could fail. Where the resource lacks one of them,
//! Cedar would find the rule not satisfied, without an error: it need not be asked.

use super::expression::{literal, named_set, variable};
use serde_json::Value;

/// Key and value of each such label, from a policy in Cedar's JSON form.
pub(crate) fn demanded(policy: &Value) -> Vec<(String, String)> {
    let conditions = policy.get("conditions").and_then(Value::as_array);
    let first = conditions.and_then(|conditions| conditions.first());
    let Some(first) = first.filter(|first| first.get("kind").and_then(Value::as_str) == Some("when")) else {
        return Vec::new();
    };
    let mut parts = Vec::new();
    flatten(first.get("body").unwrap_or(&Value::Null), &mut parts);
    let (mut labels, mut rest) = (Vec::new(), parts.as_slice());
    // What follows a part that may fail is not reached in every case, and a forbid that fails denies.
    while let [part, after @ ..] = rest {
        match (guarded(part), after) {
            (Some(guarded), [next, after @ ..]) => match label(next) {
                Some((key, value)) if key == guarded => {
                    labels.push((key, value));
                    rest = after;
                }
                _ => break,
            },
            _ if asks_named_set(part) => rest = after,
            _ => break,
        }
    }
    labels
}

/// The parts of a conjunction, in the order in which they are looked at.
fn flatten<'a>(body: &'a Value, into: &mut Vec<&'a Value>) {
    match body.get("&&") {
        Some(both) => {
            flatten(both.get("left").unwrap_or(&Value::Null), into);
            flatten(both.get("right").unwrap_or(&Value::Null), into);
        }
        None => into.push(body),
    }
}

/// The key in `resource.hasTag("key")`.
fn guarded(part: &Value) -> Option<String> {
    tag(part.get("hasTag")?)
}

/// Key and value in `resource.getTag("key") == "value"`.
fn label(part: &Value) -> Option<(String, String)> {
    let equal = part.get("==")?;
    Some((tag(equal.get("left")?.get("getTag")?)?, literal(equal.get("right")?)?))
}

fn tag(operands: &Value) -> Option<String> {
    (variable(operands.get("left")) == Some("resource")).then(|| literal(operands.get("right")?))?
}

/// Whether this is `context.windows.contains("name")` or its like: these sets are in every request.
fn asks_named_set(part: &Value) -> bool {
    let asked = ["contains", "containsAll", "containsAny"].into_iter().find_map(|verb| part.get(verb));
    asked.is_some_and(|asked| named_set(asked.get("left")).is_some())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use cedar_policy::{Policy, PolicyId};

    fn demanded(conditions: &str) -> Vec<(String, String)> {
        let text = format!("forbid (principal, action, resource) {conditions};");
        let policy = Policy::parse(Some(PolicyId::new("rule")), text).unwrap();
        super::demanded(&policy.to_json().unwrap())
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    const ENV: &str = r#"resource.hasTag("env") && resource.getTag("env") == "prod""#;

    #[test]
    fn every_label_before_the_first_part_that_may_fail_is_demanded() {
        let team = r#"resource.hasTag("team") && resource.getTag("team") == "red""#;
        let night = r#"context.windows.contains("night")"#;
        assert_eq!(demanded(&format!("when {{ {ENV} }}")), pairs(&[("env", "prod")]));
        assert_eq!(
            demanded(&format!("when {{ {ENV} && {night} && {team} && context.idp == \"x\" }}")),
            pairs(&[("env", "prod"), ("team", "red")])
        );
    }

    #[test]
    fn a_label_is_not_demanded_where_the_rule_may_fail_first_or_hold_without_it() {
        for conditions in [
            format!("when {{ context.idp == \"x\" && {ENV} }}"),
            format!("unless {{ {ENV} }}"),
            format!("when {{ {ENV} || context.windows.contains(\"night\") }}"),
            format!("when {{ !({ENV}) }}"),
            format!("when {{ context.idp == \"x\" }} when {{ {ENV} }}"),
            r#"when { resource.getTag("env") == "prod" }"#.to_owned(),
            r#"when { resource.hasTag("team") && resource.getTag("env") == "prod" }"#.to_owned(),
            r#"when { resource.hasTag("env") && resource.getTag("env") != "prod" }"#.to_owned(),
        ] {
            assert_eq!(demanded(&conditions), [], "{conditions}");
        }
    }
}
