//! The plan: the world as it is, the world as the documents want it, and what differs.

use super::{super::world::World, diff, place, resolve::Mistake, secrets::Secrets};
use crate::problem::Failure;
use postern_api::{Change, ChangeKind, Document, FieldDiff, ObjectKind, Plan};
use postern_ids::{Name, Timestamp};
use std::collections::{BTreeSet, HashMap};

/// A plan that can be shown or written.
pub(super) struct Planned {
    pub(super) before: World,
    pub(super) after: World,
    pub(super) secrets: Secrets,
    /// In the order in which they are made.
    pub(super) changes: Vec<Change>,
    pub(super) unchanged: u32,
}

impl Planned {
    /// The plan in the words of the API.
    pub(super) fn shown(&self, applied: bool) -> Plan {
        Plan {
            applied,
            revision: self.before.revision,
            changes: self.changes.clone(),
            unchanged: self.unchanged,
        }
    }
}

/// Plans; every mistake is reported at once.
pub(super) fn plan(
    before: World,
    documents: &[Document],
    secrets: Secrets,
    now: Timestamp,
) -> Result<Planned, Failure> {
    let mut mistakes = twice(documents);
    let mut after = before.clone();
    place::announce(&mut after, documents, now);
    for document in in_order(documents) {
        if let Err(mistake) = place::document(&mut after, document, now) {
            mistakes.push(format!("{} {}: {mistake}", document.kind(), document.name()));
        }
    }
    if !mistakes.is_empty() {
        return Err(
            Failure::invalid("the documents have mistakes, so nothing was changed").with_errors(mistakes)
        );
    }
    let changes = changes(&before, &after, documents, &secrets);
    let unchanged = u32::try_from(documents.len().saturating_sub(changes.len())).unwrap_or(u32::MAX);
    Ok(Planned { before, after, secrets, changes, unchanged })
}

fn twice(documents: &[Document]) -> Vec<Mistake> {
    let mut seen = BTreeSet::new();
    let again = documents.iter().filter(|document| !seen.insert((document.kind(), document.name())));
    again.map(|document| format!("{} {} is named twice", document.kind(), document.name())).collect()
}

/// What others refer to comes first; what disappears goes last, in the opposite order.
fn in_order(documents: &[Document]) -> Vec<&Document> {
    let mut ordered: Vec<&Document> = documents.iter().collect();
    ordered.sort_by_key(|document| {
        let place = ObjectKind::ALL.iter().position(|kind| *kind == document.kind()).unwrap_or(0);
        let gone = matches!(document, Document::Absent(_));
        (gone, if gone { ObjectKind::ALL.len() - place } else { place })
    });
    ordered
}

fn changes(before: &World, after: &World, documents: &[Document], secrets: &Secrets) -> Vec<Change> {
    let mut tables = HashMap::new();
    let mut changes = Vec::new();
    for document in in_order(documents) {
        let (kind, name) = (document.kind(), document.name());
        let (old, new) = tables.entry(kind).or_insert_with(|| (by_name(before, kind), by_name(after, kind)));
        let (old, new) = (old.get(name), new.get(name));
        let mut fields = diff::fields(old, new);
        if let Some(field) = secrets.changed(kind, name) {
            let after = "(changed)".into();
            fields.push(FieldDiff { field: field.to_owned(), before: serde_json::Value::Null, after });
        }
        let change = match (old, new) {
            (None, None) => continue,
            (None, Some(_)) => ChangeKind::Create,
            (Some(_), None) => ChangeKind::Delete,
            (Some(_), Some(_)) if fields.is_empty() => continue,
            (Some(_), Some(_)) => ChangeKind::Update,
        };
        changes.push(Change { change, object: kind, name: name.clone(), fields });
    }
    changes
}

fn by_name(world: &World, kind: ObjectKind) -> HashMap<Name, Document> {
    let documents = world.documents(kind).into_iter();
    documents.map(|(_, _, document)| (document.name().clone(), document)).collect()
}
