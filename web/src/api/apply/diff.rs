//! What differs between two documents, field by field.

use postern_api::{Document, FieldDiff};
use serde_json::{Map, Value};

/// The fields that differ; a missing document has none.
pub(super) fn fields(before: Option<&Document>, after: Option<&Document>) -> Vec<FieldDiff> {
    let (before, after) = (object(before), object(after));
    let mut differences = Vec::new();
    compare("", &Value::Object(before), &Value::Object(after), &mut differences);
    differences
}

/// The members of a document without those that say which object it is.
fn object(document: Option<&Document>) -> Map<String, Value> {
    let value = document.and_then(|document| serde_json::to_value(document).ok());
    match value {
        Some(Value::Object(mut members)) => {
            members.retain(|name, _| !matches!(name.as_str(), "kind" | "name" | "password"));
            members
        }
        _ => Map::new(),
    }
}

fn compare(path: &str, before: &Value, after: &Value, differences: &mut Vec<FieldDiff>) {
    if before == after {
        return;
    }
    if let (Value::Object(before), Value::Object(after)) = (before, after) {
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let member = |of: &Map<String, Value>| of.get(name).cloned().unwrap_or(Value::Null);
            compare(&path, &member(before), &member(after), differences);
        }
        return;
    }
    differences.push(FieldDiff { field: path.to_owned(), before: before.clone(), after: after.clone() });
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(value: Value) -> Document {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_fields_that_differ_are_listed_by_their_path() {
        let before = document(json!({"kind":"resource","name":"a","site":"s","type":"ssh","target":"h:22",
            "labels":{"env":"prod","team":"x"}}));
        let after = document(json!({"kind":"resource","name":"a","site":"s","type":"ssh","target":"h:23",
            "labels":{"env":"test"}}));
        let paths: Vec<String> = fields(Some(&before), Some(&after))
            .into_iter()
            .map(|d| format!("{} {} {}", d.field, d.before, d.after))
            .collect();
        assert_eq!(
            paths,
            [r#"labels.env "prod" "test""#, r#"labels.team "x" null"#, r#"target "h:22" "h:23""#]
        );
        assert!(fields(Some(&before), Some(&before)).is_empty());
    }
}
