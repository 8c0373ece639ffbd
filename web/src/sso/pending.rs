//! Sign-ins that are under way, kept by the browser that began them: sealed, for ten minutes, and taken back once.
//!
//! Each has cookies of its own, so that several tabs can sign in at once. They are named by the hash of `state`, and by when
//! they were begun: when a browser carries too many, the oldest goes.

use crate::{
    WebState, cookies,
    pages::{Next, PageFailure},
};
use axum::http::{HeaderMap, HeaderValue};
use postern_identity::oidc::Pending;
use postern_ids::{Timestamp, UserId};
use postern_token::opaque;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

const PREFIX: &str = "__Host-postern-oidc-";
const PURPOSE: &str = "oidc_pending";
const LASTS: Duration = Duration::from_secs(600);

/// Browsers drop a cookie of more than 4096 bytes, its name included.
const PART_MAX_BYTES: usize = 3_900;

/// Parts of one sign-in. A long link into an application needs three.
const PARTS_MAX: usize = 4;

/// What a browser may carry for sign-ins that are under way: with its other headers it has to stay below what the gateway
/// reads.
const CARRIED_MAX_BYTES: usize = 14 * 1024;

/// What waits for the provider's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) pending: Pending,
    next: String,
    /// Who has to come back, where somebody proves again who they are.
    pub(super) who: Option<UserId>,
    /// They have to come back with a second factor.
    pub(super) mfa: bool,
}

impl Waiting {
    pub(super) fn new(pending: Pending, next: &Next, who: Option<UserId>, mfa: bool) -> Self {
        Self { pending, next: next.as_str().to_owned(), who, mfa }
    }

    /// Where the person wanted to go.
    pub(super) fn next(&self) -> Next {
        Next::parse(&self.next)
    }

    /// The `Set-Cookie`s that keep it, and that let go of older ones when there is no room for all.
    pub(super) fn set_cookies(
        &self,
        state: &WebState,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Vec<HeaderValue>, PageFailure> {
        let json = serde_json::to_vec(self).map_err(|_| PageFailure::Internal)?;
        let sealed = state.store().seal_for(PURPOSE, state.issuer(), &json);
        let name = format!("{PREFIX}{:010x}-{}", now.as_secs().max(0), slot(self.pending.state()));
        let mut cookies = make_room(headers, sealed.len());
        let mut rest = sealed.as_str();
        for part in 0..PARTS_MAX {
            let (head, tail) = rest.split_at_checked(PART_MAX_BYTES).unwrap_or((rest, ""));
            cookies.push(cookies::set_text(&part_name(&name, part), head, LASTS));
            rest = tail;
            if rest.is_empty() {
                return Ok(cookies);
            }
        }
        Err(PageFailure::Internal)
    }

    /// The sign-in that this browser began under this `state`, if it did.
    pub(super) fn of(
        state: &WebState,
        headers: &HeaderMap,
        said: Option<&str>,
    ) -> Result<Option<Self>, PageFailure> {
        let Some(said) = said else { return Ok(None) };
        let Some(name) = carried(headers).into_keys().find(|name| name.ends_with(&slot(said))) else {
            return Ok(None);
        };
        let mut sealed = String::new();
        for part in 0..PARTS_MAX {
            let found = cookies::read_text(headers, &part_name(name, part))
                .map_err(|_| PageFailure::CookieAmbiguous)?;
            let Some(found) = found else { break };
            sealed.push_str(found);
        }
        let opened = state.store().open_for(PURPOSE, state.issuer(), &sealed);
        Ok(opened.and_then(|json| serde_json::from_slice(&json).ok()))
    }
}

/// The `Set-Cookie`s that end the sign-in of this `state`, in this browser.
pub(super) fn clear_cookies(headers: &HeaderMap, said: Option<&str>) -> Vec<HeaderValue> {
    let Some(said) = said else { return Vec::new() };
    let slot = slot(said);
    let names = carried(headers).into_keys().filter(|name| name.ends_with(&slot));
    names.flat_map(|name| clear(headers, name)).collect()
}

/// The part of a cookie's name that follows from `state`.
fn slot(state: &str) -> String {
    opaque::hash(state.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn part_name(name: &str, part: usize) -> String {
    if part == 0 { name.to_owned() } else { format!("{name}.{part}") }
}

/// The sign-ins that this browser carries, the oldest first, each with the bytes of its parts.
fn carried(headers: &HeaderMap) -> BTreeMap<&str, usize> {
    let mut carried = BTreeMap::new();
    for (name, value) in cookies::pairs(headers) {
        if name.starts_with(PREFIX) {
            let base = name.split_once('.').map_or(name, |(base, _)| base);
            *carried.entry(base).or_default() += name.len() + value.len() + 3;
        }
    }
    carried
}

fn make_room(headers: &HeaderMap, bytes: usize) -> Vec<HeaderValue> {
    let carried = carried(headers);
    let mut total = bytes + carried.values().sum::<usize>();
    let mut cleared = Vec::new();
    for (name, bytes) in carried {
        if total <= CARRIED_MAX_BYTES {
            break;
        }
        total = total.saturating_sub(bytes);
        cleared.extend(clear(headers, name));
    }
    cleared
}

fn clear(headers: &HeaderMap, base: &str) -> Vec<HeaderValue> {
    let is_part = |name: &str| name.split_once('.').map_or(name, |(base, _)| base) == base;
    cookies::pairs(headers).filter(|(name, _)| is_part(name)).map(|(name, _)| cookies::clear(name)).collect()
}
