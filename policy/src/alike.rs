//! What makes two requests one question to the rules.

use crate::{
    model::{Credential, Principal},
    places::Placed,
    request::{Action, Request},
};
use std::{
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

/// Everything that a verdict depends on besides the rules, the groups and the time. It holds what it compares, so an
/// address cannot come to mean something else while it is remembered.
#[derive(Debug)]
pub(crate) struct Alike {
    principal: Arc<Principal>,
    credential: Credential,
    placed: Arc<Placed>,
    action: Action,
    source: IpAddr,
}

impl Alike {
    pub(crate) fn of(request: &Request, placed: &Arc<Placed>) -> Self {
        Self {
            principal: request.principal.clone(),
            credential: request.credential.clone(),
            placed: placed.clone(),
            action: request.action.clone(),
            source: request.source,
        }
    }
}

impl PartialEq for Alike {
    fn eq(&self, other: &Self) -> bool {
        let same_principal =
            Arc::ptr_eq(&self.principal, &other.principal) || self.principal == other.principal;
        same_principal
            && Arc::ptr_eq(&self.placed, &other.placed)
            && (&self.credential, &self.action, self.source)
                == (&other.credential, &other.action, other.source)
    }
}

impl Eq for Alike {}

impl Hash for Alike {
    fn hash<S: Hasher>(&self, state: &mut S) {
        (self.principal.id, self.placed.resource.id, &self.action, self.source).hash(state);
    }
}
