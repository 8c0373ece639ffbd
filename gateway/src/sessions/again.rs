//! Deciding a held session again: on its own facts when a connector names it, on those of its client when it comes back.

use super::{
    admit::{Door, NotEntered, log_denied},
    duty::{Duty, Entry},
    held::HeldOf,
};
use crate::{policies::wall_clock, signing::Facts};
use postern_ids::{DecisionId, Ended};
use postern_policy::{
    Asked, Deny, DenyReason, Permit, Request,
    model::{Credential, Principal},
};
use std::{net::IpAddr, sync::Arc};

/// What a held session is decided on.
pub(super) struct Grounds {
    pub(super) principal: Arc<Principal>,
    pub(super) credential: Credential,
    pub(super) source: IpAddr,
}

/// A held session that may not go on.
pub(super) enum No {
    /// Not at this moment. It waits as it did, or to be decided.
    Later(Box<Deny>),
    /// Whoever asked may not, which says nothing about the session.
    Asker(Box<Deny>),
    /// It is over.
    Over(Box<Deny>, Ended),
    /// It is over, for its connector no longer serves its resource.
    NotServed,
}

impl Door {
    /// Decides, and enters the session with its own cut. On a no its duty says how it stands in the live table.
    pub(super) fn decide_again(&self, of: &HeldOf, duty: &mut Duty, grounds: Grounds) -> Result<Permit, No> {
        let now = wall_clock();
        let request = Request {
            decision: DecisionId::mint(now, rand::random()),
            session: of.session,
            started_at: duty.told.started_at,
            principal: grounds.principal,
            credential: grounds.credential,
            // By what it was admitted to: a name could have come to mean something else.
            resource: Asked::Id(of.resource),
            action: postern_policy::Action::Connect,
            source: grounds.source,
        };
        match self.decide_and_enter(&request, &duty.cut, now) {
            Ok(permit) => {
                duty.undecided = None;
                duty.entry.get_or_insert_with(|| Entry::new(Arc::clone(&self.live), of.session));
                self.served(of, permit)
            }
            Err(NotEntered::Denied(deny)) => Err(no(deny)),
            Err(NotEntered::Removed(deny)) => {
                // Nothing finds it in the live table: it waits to be decided, and nobody may carry it until then.
                duty.entry = None;
                duty.undecided = Some(Box::new(facts_of(&request, duty.generation)));
                Err(no(deny))
            }
        }
    }

    /// The connector that holds the stream is the one that carries the session, if it still may (D11).
    fn served(&self, of: &HeldOf, permit: Permit) -> Result<Permit, No> {
        self.live.carried_by(of.session, of.home.connector);
        // Read after the connector was noted: a change that lands between the two finds the session.
        let may_serve = self.policies.snapshot().may_serve(of.home.connector, of.resource);
        if may_serve { Ok(permit) } else { Err(No::NotServed) }
    }

    /// Records a no.
    pub(super) fn record_no(&self, deny: &Deny) {
        self.journal.denied(deny);
        log_denied(deny);
    }
}

fn facts_of(request: &Request, generation: u32) -> Facts {
    Facts {
        principal: request.principal.id,
        credential: request.credential.clone(),
        action: request.action.clone(),
        source: request.source,
        started_at: request.started_at,
        // Worked out by the decision.
        expires_at: postern_ids::Timestamp::MAX,
        generation,
    }
}

/// What a denial means for a session that lives.
fn no(deny: Box<Deny>) -> No {
    let reason = deny.reason();
    match reason {
        DenyReason::PolicyStale | DenyReason::PrincipalChanged => No::Later(deny),
        DenyReason::CredentialEnded | DenyReason::CredentialExpired | DenyReason::CredentialMissing => {
            No::Asker(deny)
        }
        DenyReason::NoRule
        | DenyReason::GrantExpired
        | DenyReason::Forbidden
        | DenyReason::RuleError
        | DenyReason::EvaluationFailed
        | DenyReason::NoSuchResource
        | DenyReason::WrongKind
        | DenyReason::PrincipalDisabled
        | DenyReason::SessionTooOld
        | DenyReason::ConnectorRevoked
        | DenyReason::EndedByAdmin
        | DenyReason::EndedByPrincipal => No::Over(deny, reason.as_ended()),
    }
}
