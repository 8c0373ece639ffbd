//! One live session.

use super::filter::{Filter, LiveView};
use crate::{
    groups::GroupTree,
    judge::Yes,
    model::{Credential, PrincipalId, Resource},
    permit::Permit,
    request::{Asked, Request, Staleness},
    rules::Compiled,
    snapshot::Snapshot,
};
use postern_ids::{ConnectorId, SessionId, SignInId, Timestamp};
use std::sync::{Arc, Weak};

/// What an answer was based on. While all of it is the same, and no boundary has come, the answer is the same too.
/// The weak pointers only tell identity: they keep no old rules alive.
#[derive(Debug, Clone)]
struct Basis {
    compiled: Weak<Compiled>,
    groups: Weak<GroupTree>,
    resource: Arc<Resource>,
}

/// Tells apart what stood in a place of the table at two moments, so that an answer worked out without the lock is not
/// applied to something else: neither to a session that changed nor to one that was entered anew by a resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    entered: u32,
    changes: u32,
}

impl Version {
    /// The first of the table's `entered`th entry.
    pub(super) fn first(entered: u32) -> Self {
        Self { entered, changes: 0 }
    }

    pub(super) fn next(self) -> Self {
        Self { changes: self.changes.wrapping_add(1), ..self }
    }
}

/// One live session as the table keeps it.
#[derive(Debug)]
pub(super) struct Entry<H> {
    pub(super) request: Request,
    basis: Basis,
    pub(super) connector: Option<ConnectorId>,
    pub(super) revision: u64,
    expires_at: Timestamp,
    pub(super) recheck_at: Timestamp,
    pub(super) fails_closed: bool,
    /// Whether the principal changed since the last answer.
    dirty: bool,
    pub(super) version: Version,
    pub(super) handle: H,
}

impl<H> Entry<H> {
    pub(super) fn new(permit: &Permit, handle: H, entered: u32) -> Self {
        let ruling = permit.ruling();
        // By its id from here on: a name that is given to another resource takes no session with it.
        let request = Request { resource: Asked::Id(permit.resource().id), ..permit.request().clone() };
        Self {
            request,
            basis: Basis {
                compiled: Arc::downgrade(&ruling.compiled),
                groups: Arc::downgrade(&ruling.groups),
                resource: permit.resource().clone(),
            },
            connector: None,
            revision: permit.revision(),
            expires_at: permit.expires_at(),
            recheck_at: permit.recheck_at(),
            fails_closed: permit.fails_closed(),
            dirty: false,
            version: Version::first(entered),
            handle,
        }
    }

    /// Whether the last answer still stands as far as rules, places, the principal and time go.
    pub(super) fn stands(&self, snapshot: &Snapshot, staleness: Staleness, now: Timestamp) -> bool {
        let Some(resource) = snapshot.resource(self.basis.resource.id) else { return false };
        !self.dirty
            && now < self.recheck_at
            && !(self.fails_closed && staleness > snapshot.max_staleness())
            && Arc::ptr_eq(resource, &self.basis.resource)
            && Weak::as_ptr(&self.basis.compiled) == Arc::as_ptr(&snapshot.compiled)
            && Weak::as_ptr(&self.basis.groups) == Arc::as_ptr(&snapshot.places.groups)
    }

    /// Takes over a new answer if it is about what stands here; an answer on a newer snapshot stays.
    pub(super) fn accept(&mut self, version: Version, yes: &Yes, snapshot: &Snapshot) -> bool {
        if self.version != version {
            return false;
        }
        if self.revision <= snapshot.revision() {
            self.confirm(yes, snapshot);
        }
        true
    }

    /// Takes over a new answer.
    pub(super) fn confirm(&mut self, yes: &Yes, snapshot: &Snapshot) {
        self.basis = Basis {
            compiled: Arc::downgrade(&snapshot.compiled),
            groups: Arc::downgrade(&snapshot.places.groups),
            resource: yes.placed.resource.clone(),
        };
        self.revision = snapshot.revision();
        self.expires_at = yes.expires_at;
        self.recheck_at = yes.recheck_at;
        self.fails_closed = yes.fails_closed;
        self.dirty = false;
    }

    /// Takes over a principal that was read again; gives whether that can change the answer.
    pub(super) fn replace_principal(&mut self, principal: &Arc<crate::model::Principal>) -> bool {
        let mine = &self.request.principal;
        if mine.revision > principal.revision || Arc::ptr_eq(mine, principal) {
            return false;
        }
        let differs = mine.groups != principal.groups;
        self.request.principal = principal.clone();
        self.dirty |= differs;
        self.version = self.version.next();
        differs
    }

    pub(super) fn is_selected(&self, filter: &Filter) -> bool {
        match *filter {
            Filter::All => true,
            Filter::Session(id) => self.request.session == id,
            Filter::User(id) => self.request.principal.id == PrincipalId::User(id),
            Filter::SignIn(id) => self.sign_in() == Some(id),
            Filter::Resource(id) => self.basis.resource.id == id,
            Filter::Connector(id) => self.connector == Some(id),
        }
    }

    pub(super) fn session(&self) -> SessionId {
        self.request.session
    }

    pub(super) fn view(&self) -> LiveView {
        LiveView {
            session: self.request.session,
            principal: self.request.principal.clone(),
            sign_in: self.sign_in(),
            resource: self.basis.resource.clone(),
            action: self.request.action.clone(),
            source: self.request.source,
            connector: self.connector,
            started_at: self.request.started_at,
            expires_at: self.expires_at,
            revision: self.revision,
        }
    }

    fn sign_in(&self) -> Option<SignInId> {
        match &self.request.credential {
            Credential::SignIn(sign_in) => Some(sign_in.id),
            Credential::Token(_) | Credential::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_an_entry_is_none_about_the_one_that_replaced_it() {
        let (older, newer) = (Version::first(1), Version::first(2));
        assert_ne!(older, newer);
        assert_ne!(older.next(), newer);
        assert_ne!(older.next(), older);
    }

    #[test]
    fn an_entry_stays_small() {
        assert!(size_of::<Entry<Arc<()>>>() <= 300, "{}", size_of::<Entry<Arc<()>>>());
    }
}
