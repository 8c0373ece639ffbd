//! Grants as Cedar. The text is what is evaluated, so what a person reads is what holds.

use crate::model::{ActionKind, Conditions, Grant, Selector, Subject};
use std::{collections::BTreeSet, fmt::Write};

/// Cedar's spelling of a string: nothing inside it can end it.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_ascii_graphic() || c == ' ' => out.push(c),
            c => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

impl Grant {
    /// The Cedar text of this grant: one policy per subject, each of which stands alone.
    pub fn to_cedar(&self) -> String {
        self.cedar_parts().join("\n")
    }

    /// The policies of [`Self::to_cedar`], one by one. A grant without subjects, resources or actions permits nothing
    /// and has none.
    pub(crate) fn cedar_parts(&self) -> Vec<String> {
        let subjects: BTreeSet<Subject> = self.subjects.iter().copied().collect();
        let actions: BTreeSet<ActionKind> = self.actions.iter().copied().collect();
        let nothing = match &self.resources {
            Selector::Ids(ids) => ids.is_empty(),
            Selector::Labels(labels) => labels.is_empty(),
            Selector::All | Selector::Site(_) => false,
        };
        if actions.is_empty() || nothing {
            return Vec::new();
        }
        subjects.into_iter().map(|subject| self.one(subject, &actions)).collect()
    }

    fn one(&self, subject: Subject, actions: &BTreeSet<ActionKind>) -> String {
        let (resource, mut conditions) = scope_of(&self.resources);
        conditions.extend(self.conditions.to_cedar());
        let mut text = format!("@grant({})\n", quoted(self.name.as_str()));
        if let Some(at) = self.expires_at {
            let _ = writeln!(text, "@expires({})", quoted(&crate::calendar::rfc3339(at)));
        }
        let _ = write!(
            text,
            "permit (\n  {},\n  {},\n  {resource}\n)",
            subject_scope(subject),
            action_scope(actions)
        );
        if !conditions.is_empty() {
            let _ = write!(text, "\nwhen {{\n  {}\n}}", conditions.join(" &&\n  "));
        }
        text.push_str(";\n");
        text
    }
}

fn subject_scope(subject: Subject) -> String {
    match subject {
        Subject::User(id) => format!("principal == User::{}", quoted(&id.to_string())),
        Subject::Group(id) => format!("principal in Group::{}", quoted(&id.to_string())),
        Subject::ServiceAccount(id) => format!("principal == ServiceAccount::{}", quoted(&id.to_string())),
        Subject::Everyone => "principal is User".to_owned(),
    }
}

fn action_scope(actions: &BTreeSet<ActionKind>) -> String {
    let names: Vec<String> = actions.iter().map(|kind| format!("Action::{}", quoted(kind.label()))).collect();
    match names.as_slice() {
        [one] => format!("action == {one}"),
        many => format!("action in [{}]", many.join(", ")),
    }
}

fn scope_of(selector: &Selector) -> (String, Vec<String>) {
    match selector {
        Selector::All => ("resource".to_owned(), Vec::new()),
        Selector::Site(id) => (format!("resource in Site::{}", quoted(&id.to_string())), Vec::new()),
        Selector::Ids(ids) => {
            let ids: BTreeSet<String> =
                ids.iter().map(|id| format!("Resource::{}", quoted(&id.to_string()))).collect();
            let ids: Vec<String> = ids.into_iter().collect();
            match ids.as_slice() {
                [one] => (format!("resource == {one}"), Vec::new()),
                many => ("resource".to_owned(), vec![format!("[{}].contains(resource)", many.join(", "))]),
            }
        }
        Selector::Labels(labels) => {
            let conditions = labels.iter().map(|(key, value)| {
                let (key, value) = (quoted(key.as_str()), quoted(value.as_str()));
                format!("resource.hasTag({key}) && resource.getTag({key}) == {value}")
            });
            ("resource".to_owned(), conditions.collect())
        }
    }
}

impl Conditions {
    fn to_cedar(&self) -> Vec<String> {
        let mut all = Vec::new();
        match self.windows.as_slice() {
            [] => {}
            [one] => all.push(format!("context.windows.contains({})", quoted(one.as_str()))),
            many => {
                let names: Vec<String> = many.iter().map(|name| quoted(name.as_str())).collect();
                all.push(format!("context.windows.containsAny([{}])", names.join(", ")));
            }
        }
        let networks: Vec<String> = self
            .source_cidrs
            .iter()
            .map(|network| format!("context.source.isInRange(ip({}))", quoted(&network.trunc().to_string())))
            .collect();
        match networks.as_slice() {
            [] => {}
            [one] => all.push(one.clone()),
            many => all.push(format!("({})", many.join(" || "))),
        }
        for (attribute, threshold) in
            [("sign_in_within", &self.sign_in_within), ("mfa_within", &self.mfa_within)]
        {
            if let Some(name) = threshold {
                all.push(format!("context.{attribute}.contains({})", quoted(name.as_str())));
            }
        }
        let words: Vec<String> = self.acr.iter().map(|word| quoted(word)).collect();
        match words.as_slice() {
            [] => {}
            [one] => all.push(format!("context.acr.contains({one})")),
            many => all.push(format!("context.acr.containsAny([{}])", many.join(", "))),
        }
        all
    }
}
