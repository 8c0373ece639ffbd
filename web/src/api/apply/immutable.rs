//! What may not change about an object that exists: by whom a person is vouched for, and by which issuer people are known.

use super::super::world::World;
use crate::problem::Failure;
use postern_api::{Document, ProblemCode, ProviderDocument, UserDocument};
use postern_store::User;

/// Refuses documents that would make a person somebody else.
pub(super) fn check(before: &World, documents: &[Document]) -> Result<(), Failure> {
    let moved: Vec<String> =
        documents.iter().filter_map(|document| moved(before, documents, document)).collect();
    if moved.is_empty() {
        return Ok(());
    }
    let said = "what identifies people cannot be changed, so nothing was changed";
    let next = "make another object, and take this one away";
    Err(Failure::new(ProblemCode::ImmutableField, said, next).with_errors(moved))
}

fn moved(before: &World, documents: &[Document], document: &Document) -> Option<String> {
    match document {
        Document::User(user) if is_moved(before, documents, user) => {
            Some(format!("user {}: provider: a person's identity cannot be moved", user.name))
        }
        Document::Provider(provider) if is_renamed(before, provider) => Some(format!(
            "provider {}: issuer: people are known by it already; once they are removed it can be another one",
            provider.name
        )),
        Document::User(_)
        | Document::Provider(_)
        | Document::Site(_)
        | Document::Resource(_)
        | Document::Group(_)
        | Document::ServiceAccount(_)
        | Document::Grant(_)
        | Document::Policy(_)
        | Document::Window(_)
        | Document::Threshold(_)
        | Document::Absent(_) => None,
    }
}

fn is_moved(before: &World, documents: &[Document], document: &UserDocument) -> bool {
    let Some(user) = before.users.get(&document.name) else { return false };
    let Some(name) = &document.provider else { return user.value.issuer != User::LOCAL };
    match before.providers.get(name) {
        Some(provider) => provider.value.issuer != user.value.issuer,
        // One that does not exist anywhere is another mistake.
        None => documents.iter().any(|other| matches!(other, Document::Provider(p) if p.name == *name)),
    }
}

fn is_renamed(before: &World, document: &ProviderDocument) -> bool {
    let Some(provider) = before.providers.get(&document.name) else { return false };
    let issuer = &provider.value.issuer;
    *issuer != document.issuer && before.users.values().any(|user| user.value.issuer == *issuer)
}
