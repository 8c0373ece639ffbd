//! What a person could prove anew so that a denial would be a permit.

use crate::{
    evaluate::acr_asked,
    judge::{Stage, judge},
    model::{Credential, SignIn},
    request::{Asked, Request, Staleness},
    snapshot::Snapshot,
};
use postern_ids::Timestamp;
use std::{collections::BTreeSet, sync::Arc};

/// Words of providers that are tried for one denial: each costs two evaluations.
const WORDS_MAX: usize = 8;

/// What a person may prove anew: who they are, and perhaps more than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresher {
    /// Whether a second factor is needed.
    pub second_factor: bool,
    /// What their provider has to say of the sign-in (`acr`).
    pub acr: Option<String>,
}

/// What would turn a denial of this request, the least first; none if nothing of that kind helps, or nobody is signed in.
pub fn would_help(
    request: &Request,
    snapshot: &Snapshot,
    staleness: Staleness,
    now: Timestamp,
) -> Option<Fresher> {
    let Credential::SignIn(facts) = &request.credential else { return None };
    let helps = |fresher: &Fresher| {
        let fresh = SignIn {
            at: now,
            mfa_at: if fresher.second_factor { Some(now) } else { facts.mfa_at },
            acr: fresher.acr.as_deref().map(Arc::from).or_else(|| facts.acr.clone()),
            ..SignIn::clone(facts)
        };
        let request = Request { credential: Credential::SignIn(Arc::new(fresh)), ..request.clone() };
        judge(&request, snapshot, staleness, Stage::Begins, now).is_ok()
    };
    let words = asked(request, snapshot, now).into_iter().take(WORDS_MAX).map(Some);
    let with =
        |acr: Option<String>| [false, true].map(|second_factor| Fresher { second_factor, acr: acr.clone() });
    std::iter::once(None).chain(words).flat_map(with).find(helps)
}

/// The words of providers that rules name which can apply to a request.
fn asked(request: &Request, snapshot: &Snapshot, now: Timestamp) -> BTreeSet<String> {
    let placed = match &request.resource {
        Asked::Id(id) => snapshot.places.placed(*id),
        Asked::Name(name) => snapshot.places.placed_by_name(name),
    };
    let asked = placed
        .and_then(|placed| acr_asked(request, placed, &snapshot.compiled, &snapshot.places.groups, now).ok());
    asked.unwrap_or_default()
}
