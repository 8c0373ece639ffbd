//! What holds while the policy store cannot be reached.

use crate::world::*;
use postern_policy::{
    DenyReason, Staleness, decide,
    live::{Current, LiveTable},
    model::Outage,
};
use std::{sync::Arc, time::Duration};

const PERMIT: &str = "permit (principal is User, action, resource);";

fn stale(seconds: u64) -> Staleness {
    Staleness(Duration::from_secs(seconds))
}

fn answer(outage: Outage, staleness: Staleness) -> Option<DenyReason> {
    let snapshot = world().policy_for_outage(PERMIT, outage).build();
    decide(&asks(&ann()), &snapshot, staleness, NOW).err().map(|deny| deny.reason())
}

#[test]
fn beyond_max_staleness_nothing_begins() {
    assert_eq!(answer(Outage::Standard, stale(300)), None);
    assert_eq!(
        answer(Outage::Standard, Staleness(Duration::from_micros(300_000_001))),
        Some(DenyReason::PolicyStale)
    );
    assert_eq!(answer(Outage::FailClosed, stale(300)), None);
    assert_eq!(answer(Outage::FailClosed, stale(301)), Some(DenyReason::PolicyStale));
}

#[test]
fn a_fail_static_permit_admits_for_its_own_time() {
    assert_eq!(answer(Outage::FailStatic { ttl_s: 3_600 }, stale(3_600)), None);
    assert_eq!(answer(Outage::FailStatic { ttl_s: 3_600 }, stale(3_601)), Some(DenyReason::PolicyStale));
    assert_eq!(answer(Outage::FailStatic { ttl_s: 60 }, stale(61)), Some(DenyReason::PolicyStale));
}

#[test]
fn a_stale_snapshot_without_a_rule_says_stale_because_nobody_knows() {
    let deny = decide(&asks(&ann()), &world().build(), stale(301), NOW).unwrap_err();
    assert_eq!(deny.reason(), DenyReason::PolicyStale);
    assert_eq!(deny.record().stale_s, 301);
}

#[test]
fn a_forbid_holds_however_stale() {
    let world = world().policy(PERMIT).policy("forbid (principal, action, resource);");
    let deny = decide(&asks(&ann()), &world.build(), stale(10_000), NOW).unwrap_err();
    assert_eq!(deny.reason(), DenyReason::Forbidden);
}

/// How many sessions of each outage mode an outage cuts.
fn cut(outage: Outage, staleness: Staleness) -> usize {
    let snapshot = world().policy_for_outage(PERMIT, outage).build();
    let table = LiveTable::default();
    let permit = decide(&asks(&ann()), &snapshot, Staleness::FRESH, NOW).unwrap();
    let current =
        || Current { snapshot: Arc::clone(&snapshot), staleness: Staleness::FRESH, principal: Some(ann()) };
    table.enter(permit, (), current, NOW).unwrap();
    let by_pass = table.reconcile(snapshot.clone(), staleness, NOW).step(10);
    assert!(by_pass.iter().all(|cut| cut.ended == postern_ids::Ended::PolicyStale));
    by_pass.len()
}

#[test]
fn an_outage_cuts_live_sessions_only_of_permits_that_fail_closed() {
    assert_eq!(cut(Outage::Standard, stale(100_000)), 0);
    assert_eq!(cut(Outage::FailStatic { ttl_s: 1 }, stale(100_000)), 0);
    assert_eq!(cut(Outage::FailClosed, stale(300)), 0);
    assert_eq!(cut(Outage::FailClosed, stale(301)), 1);
}

#[test]
fn another_permit_keeps_a_session_that_one_fail_closed_permit_gives_up() {
    let world = world().policy_for_outage(PERMIT, Outage::FailClosed).grant(grant(1));
    let snapshot = world.build();
    let table = LiveTable::default();
    let permit = decide(&asks(&ann()), &snapshot, Staleness::FRESH, NOW).unwrap();
    let current =
        || Current { snapshot: Arc::clone(&snapshot), staleness: Staleness::FRESH, principal: Some(ann()) };
    table.enter(permit, (), current, NOW).unwrap();
    assert!(table.reconcile(snapshot.clone(), stale(301), NOW).step(10).is_empty());
}

#[test]
fn the_end_of_an_outage_budget_is_a_boundary() {
    let snapshot = world().policy_for_outage(PERMIT, Outage::FailClosed).build();
    let table = LiveTable::default();
    let permit = decide(&asks(&ann()), &snapshot, Staleness::FRESH, NOW).unwrap();
    let current =
        || Current { snapshot: Arc::clone(&snapshot), staleness: Staleness::FRESH, principal: Some(ann()) };
    table.enter(permit, (), current, NOW).unwrap();
    let boundary = table.next_boundary(stale(100), NOW).unwrap();
    assert_eq!(boundary.since(NOW), Duration::from_micros(200_000_001));
    let then = Staleness(Duration::from_micros(300_000_001));
    assert_eq!(table.due(snapshot, then, boundary).step(10).len(), 1);
    assert!(table.is_empty());
}
