//! `postern get`: objects as a table, as YAML to edit and apply again, or as JSON.

use crate::{
    cli::{Get, Output},
    failure::Failure,
    gateway::{Api, segment},
    show::{self, Form},
};
use postern_api::{Document, List, Object};
use serde::Deserialize;
use serde_json::Value;

/// Prints one object or all of a kind.
pub(super) async fn run(api: &Api<'_>, command: &Get, form: Form) -> Result<(), Failure> {
    let kind = command.kind.path();
    let objects: Vec<Object<Value>> = match &command.name {
        Some(name) => {
            let found = api.get(&format!("{kind}/{}", segment(name)?)).await;
            vec![found.map_err(|failure: Failure| failure.missing(format!("postern get {kind}")))?]
        }
        None => api.get::<List<_>>(kind).await?.items,
    };
    match (command.output, form) {
        (Some(Output::Yaml), _) => print_yaml(&objects),
        (Some(Output::Json), _) | (None, Form::Json) if command.name.is_some() => {
            show::json(&objects.first())
        }
        (Some(Output::Json), _) | (None, Form::Json) => show::json(&objects),
        (None, Form::Text) => show::list(form, &objects, &["name", "id", "about"], |object| {
            let name = object.document["name"].as_str().unwrap_or_default();
            vec![name.to_owned(), object.id.clone(), about(&object.document)]
        }),
    }
}

fn print_yaml(objects: &[Object<Value>]) -> Result<(), Failure> {
    let documents: Vec<String> =
        objects.iter().map(|object| yaml(&object.document)).collect::<Result<_, _>>()?;
    show::text(&documents.join("---\n"))
}

/// In the order of fields that people write; a document that has unknown ones loses none of them.
fn yaml(document: &Value) -> Result<String, Failure> {
    let text = match Document::deserialize(document) {
        Ok(known) => serde_saphyr::to_string(&known),
        Err(_) => serde_saphyr::to_string(document),
    };
    text.map_err(|e| Failure::unavailable(e.to_string()))
}

/// Every field of a document besides its kind and name, in one line.
fn about(document: &Value) -> String {
    let Some(fields) = document.as_object() else { return String::new() };
    let said = |(name, value): &(&String, &Value)| {
        let is_empty = match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Bool(true) | Value::Number(_) => false,
        };
        !is_empty && !["kind", "name"].contains(&name.as_str())
    };
    let text: Vec<String> =
        fields.iter().filter(said).map(|(name, value)| format!("{name}={}", in_short(value))).collect();
    text.join(" ")
}

/// A value without the marks that a program needs to read it again.
fn in_short(value: &Value) -> String {
    match value {
        Value::String(text) => text.lines().next().unwrap_or_default().to_owned(),
        Value::Array(items) => items.iter().map(in_short).collect::<Vec<_>>().join(","),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name}:{}", in_short(value)));
            members.collect::<Vec<_>>().join(",")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_of_a_newer_gateway_is_shown_with_everything_that_it_says() {
        let known = json!({ "kind": "site", "name": "office" });
        assert_eq!(yaml(&known).unwrap(), "kind: site\nname: office\n");
        let newer = json!({ "kind": "site", "name": "office", "color": "blue" });
        assert!(yaml(&newer).unwrap().contains("color: blue"));
        assert_eq!(about(&newer), "color=blue");
    }

    #[test]
    fn a_grant_reads_in_one_line() {
        let grant = json!({ "kind": "grant", "name": "g", "actions": ["connect", "http"], "off": false,
            "resources": { "site": "office" }, "subjects": [{ "group": "engineers" }, { "user": "bob" }] });
        let told: Vec<_> = about(&grant).split(' ').map(str::to_owned).collect();
        for word in ["actions=connect,http", "resources=site:office", "subjects=group:engineers,user:bob"] {
            assert!(told.iter().any(|told| told == word), "{told:?}");
        }
    }
}
