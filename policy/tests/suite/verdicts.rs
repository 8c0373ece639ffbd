//! What is remembered between requests changes no answer.

use crate::world::*;
use postern_ids::Timestamp;
use postern_policy::{
    Asked, DenyReason, Request, Snapshot, Staleness, Verdicts, decide,
    model::{Credential, Principal, SignIn},
};
use std::sync::Arc;

const READS: &str = "permit (principal is User, action == Action::\"http\", resource) when { context.path like \"/pages/*\" };";
const IN_HOURS: &str =
    "permit (principal is User, action, resource) when { context.windows.contains(\"office-hours\") };";

fn get(principal: &Arc<Principal>, path: &str) -> Request {
    Request { resource: Asked::Id(WIKI), action: http("GET", path), ..asks(principal) }
}

/// Asks twice, so that the second answer may be a remembered one, and compares with a fresh one.
fn ask(verdicts: &Verdicts, request: &Request, snapshot: &Snapshot, now: Timestamp) -> Option<DenyReason> {
    let fresh = decide(request, snapshot, Staleness::FRESH, now).map_err(|deny| deny.reason());
    for _ in 0..2 {
        let answer = verdicts.decide(request, snapshot, Staleness::FRESH, now);
        match (&fresh, answer) {
            (Ok(fresh), Ok(permit)) => {
                assert_eq!(
                    (permit.recheck_at(), permit.expires_at(), permit.revision()),
                    (fresh.recheck_at(), fresh.expires_at(), fresh.revision())
                );
                assert!(permit.determining().eq(fresh.determining()));
            }
            (Err(reason), Err(deny)) => assert_eq!(deny.reason(), *reason),
            (fresh, answer) => panic!("{fresh:?}, remembered {answer:?}"),
        }
    }
    fresh.err()
}

#[test]
fn a_remembered_verdict_is_for_the_same_path_method_person_and_address_only() {
    let (verdicts, snapshot) = (Verdicts::default(), world().policy(READS).build());
    assert_eq!(ask(&verdicts, &get(&ann(), "/pages/1"), &snapshot, NOW), None);
    assert_eq!(ask(&verdicts, &get(&ann(), "/admin"), &snapshot, NOW), Some(DenyReason::NoRule));
    assert_eq!(ask(&verdicts, &get(&robot(), "/pages/1"), &snapshot, NOW), Some(DenyReason::NoRule));
    assert_eq!(ask(&verdicts, &get(&ann(), "/pages/1"), &snapshot, NOW), None);
}

#[test]
fn new_rules_answer_at_once() {
    let (verdicts, asked) = (Verdicts::default(), get(&ann(), "/pages/1"));
    assert_eq!(ask(&verdicts, &asked, &world().policy(READS).build(), NOW), None);
    let forbidding = world().policy(READS).policy("forbid (principal, action, resource);").build();
    assert_eq!(ask(&verdicts, &asked, &forbidding, NOW), Some(DenyReason::Forbidden));
    assert_eq!(ask(&verdicts, &asked, &world().build(), NOW), Some(DenyReason::NoRule));
}

#[test]
fn who_is_disabled_or_signed_out_is_denied_whatever_is_remembered() {
    let (verdicts, asked) = (Verdicts::default(), get(&ann(), "/pages/1"));
    let mut world = world().policy(READS);
    let first = world.build();
    assert_eq!(ask(&verdicts, &asked, &first, NOW), None);
    world.revision = 2;
    world.revoked.ended_sign_ins.insert(SIGN_IN);
    let next = first.next(world.source()).unwrap();
    assert_eq!(ask(&verdicts, &asked, &next, NOW), Some(DenyReason::CredentialEnded));
    world.revoked.disabled_users.insert(ANN);
    let next = first.next(world.source()).unwrap();
    assert_eq!(ask(&verdicts, &asked, &next, NOW), Some(DenyReason::PrincipalDisabled));
}

#[test]
fn time_ends_what_is_remembered() {
    let (verdicts, snapshot) = (Verdicts::default(), world().policy(IN_HOURS).build());
    // The window closes at five o'clock.
    let closes = NOW.plus(hours(7));
    let before = closes.minus(std::time::Duration::from_secs(1));
    assert_eq!(ask(&verdicts, &get(&ann(), "/"), &snapshot, before), None);
    assert_eq!(ask(&verdicts, &get(&ann(), "/"), &snapshot, closes), Some(DenyReason::NoRule));
    assert_eq!(ask(&verdicts, &get(&ann(), "/"), &snapshot, before), None);
    let ends = SignIn { expires_at: before, ..signed_in() };
    let asked = Request { credential: Credential::SignIn(Arc::new(ends)), ..get(&ann(), "/") };
    assert_eq!(ask(&verdicts, &asked, &snapshot, NOW), None);
    assert_eq!(ask(&verdicts, &asked, &snapshot, before), Some(DenyReason::CredentialExpired));
}
