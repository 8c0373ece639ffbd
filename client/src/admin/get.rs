//! `postern get`: objects as a table, as YAML to edit and apply again, or as JSON.

use crate::{
    cli::{Get, Output},
    failure::Failure,
    gateway::{Api, segment},
    show::{self, Form},
};
use postern_api::{Document, List, Object};
use serde_json::Value;

/// Prints one object or all of a kind.
pub async fn run(api: &Api<'_>, command: &Get, form: Form) -> Result<(), Failure> {
    let kind = command.kind.path();
    let objects = match &command.name {
        Some(name) => vec![api.get::<Object>(&format!("{kind}/{}", segment(name)?)).await?],
        None => api.get::<List<Object>>(kind).await?.items,
    };
    match (command.output, form) {
        (Some(Output::Yaml), _) => print_yaml(&objects),
        (Some(Output::Json), _) | (None, Form::Json) if command.name.is_some() => {
            show::json(&objects.first())
        }
        (Some(Output::Json), _) | (None, Form::Json) => show::json(&objects),
        (None, Form::Text) => show::list(form, &objects, &["name", "id", "about"], |object| {
            vec![object.document.name().to_string(), object.id.clone(), about(&object.document)]
        }),
    }
}

fn print_yaml(objects: &[Object]) -> Result<(), Failure> {
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            println!("---");
        }
        let text =
            serde_saphyr::to_string(&object.document).map_err(|e| Failure::unavailable(e.to_string()))?;
        print!("{text}");
    }
    Ok(())
}

/// Every field of a document besides its kind and name, in one line.
fn about(document: &Document) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(document) else { return String::new() };
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
    let text: Vec<String> = fields
        .iter()
        .filter(said)
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={}", text.lines().next().unwrap_or_default()),
            None => format!("{name}={value}"),
        })
        .collect();
    text.join(" ")
}
