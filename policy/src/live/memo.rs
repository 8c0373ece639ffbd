//! Verdicts remembered within one pass: many sessions of one person at one resource are one question.

use crate::{
    evaluate::evaluate,
    judge::Evaluated,
    model::{Credential, Principal},
    places::Placed,
    request::{Action, Request},
    snapshot::Snapshot,
};
use postern_ids::Timestamp;
use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

/// Everything that a verdict depends on besides the snapshot and the time. It holds what it compares, so an address
/// cannot come to mean something else while it is remembered.
#[derive(Debug)]
struct Key {
    principal: Arc<Principal>,
    credential: Credential,
    placed: Arc<Placed>,
    action: Action,
    source: IpAddr,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let same_principal =
            Arc::ptr_eq(&self.principal, &other.principal) || self.principal == other.principal;
        same_principal
            && Arc::ptr_eq(&self.placed, &other.placed)
            && (&self.credential, &self.action, self.source)
                == (&other.credential, &other.action, other.source)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<S: Hasher>(&self, state: &mut S) {
        (self.principal.id, self.placed.resource.id, self.source).hash(state);
    }
}

/// The verdicts of one pass: one snapshot, one instant.
#[derive(Debug, Default)]
pub(super) struct Memo {
    verdicts: HashMap<Key, Evaluated>,
}

impl Memo {
    pub(super) fn verdict(
        &mut self,
        request: &Request,
        placed: &Arc<Placed>,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Evaluated {
        let key = Key {
            principal: request.principal.clone(),
            credential: request.credential.clone(),
            placed: placed.clone(),
            action: request.action.clone(),
            source: request.source,
        };
        let verdict = self.verdicts.entry(key).or_insert_with(|| {
            evaluate(request, placed, &snapshot.compiled, &snapshot.places.groups, now).map(Arc::new)
        });
        verdict.clone()
    }
}
