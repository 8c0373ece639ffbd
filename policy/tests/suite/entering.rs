//! The two looks of an entering session: nothing that changes between them is missed.

use crate::{table::*, world::*};
use postern_ids::Ended;
use postern_policy::{
    DenyReason, Staleness, decide,
    live::{Current, Filter},
    model::Principal,
};
use std::sync::{Arc, Mutex};

#[test]
fn a_revocation_between_the_decision_and_the_entry_is_found_by_the_second_look() {
    let mut world = world().grant(grant(1));
    let snapshot = world.build();
    let decided = permit(&snapshot, &asks(&ann()));
    world.revision = 2;
    world.rules.grants.clear();
    let next = Arc::new(snapshot.next(world.source()).unwrap());
    let table = Table::default();
    // Reconciled before the session entered: it cannot have been found there.
    assert_eq!(cuts(&table, &next), []);
    let deny = table.enter(decided, "handle", || current(&next, &ann()), NOW).unwrap_err();
    assert_eq!((deny.reason(), deny.revision()), (DenyReason::NoRule, 2));
    assert!(table.is_empty());
}

#[test]
fn a_revocation_after_the_second_look_finds_the_session_in_the_table() {
    let mut world = world().grant(grant(1));
    let snapshot = world.build();
    world.revision = 2;
    world.rules.grants.clear();
    let next = Arc::new(snapshot.next(world.source()).unwrap());
    let table = Table::default();
    let decided = permit(&snapshot, &asks(&ann()));
    // The pass runs while the session is entering, right after it read what is current.
    let mut cut = Vec::new();
    let answer = table.enter(
        decided,
        "handle",
        || {
            let read = current(&snapshot, &ann());
            cut = cuts(&table, &next);
            read
        },
        NOW,
    );
    assert_eq!(cut, [(asks(&ann()).session, Ended::Revoked)]);
    assert!(answer.is_err(), "the session was cut before it began");
}

#[test]
fn a_membership_that_changed_meanwhile_is_found_by_the_second_look() {
    let snapshot = world().grant(grant(1)).build();
    let moved = Arc::new(Principal { groups: vec![], revision: 2, ..(*ann()).clone() });
    let table = Table::default();
    let deny =
        table.enter(permit(&snapshot, &asks(&ann())), "h", || current(&snapshot, &moved), NOW).unwrap_err();
    assert_eq!(deny.reason(), DenyReason::NoRule);
    // Being read again: nobody knows.
    let unknown = || Current { principal: None, ..current(&snapshot, &ann()) };
    let deny = table.enter(permit(&snapshot, &asks(&ann())), "h", unknown, NOW).unwrap_err();
    assert_eq!(deny.reason(), DenyReason::PrincipalChanged);
    // An older reading proves nothing either.
    let ahead = Arc::new(Principal { revision: 9, ..(*ann()).clone() });
    let deny =
        table.enter(permit(&snapshot, &asks(&ahead)), "h", || current(&snapshot, &ann()), NOW).unwrap_err();
    assert_eq!(deny.reason(), DenyReason::PrincipalChanged);
    assert!(table.is_empty());
}

#[test]
fn a_principal_replaced_while_entering_is_not_lost() {
    let snapshot = world().grant(grant(1)).build();
    let moved = Arc::new(Principal { groups: vec![], revision: 2, ..(*ann()).clone() });
    let table = Table::default();
    let read_then_replaced = || {
        let read = current(&snapshot, &ann());
        assert_eq!(table.replace_principals(std::slice::from_ref(&moved)), 1);
        read
    };
    let entered = table.enter(permit(&snapshot, &asks(&ann())), "h", read_then_replaced, NOW);
    // Whichever look finds it: it does not live on.
    assert!(entered.is_err() || cuts(&table, &snapshot).len() == 1);
    assert!(table.is_empty());
}

#[test]
fn an_older_snapshot_never_answers_for_a_newer_one() {
    let mut world = world();
    let old = world.build();
    world.revision = 2;
    world = world.grant(grant(1));
    let new = Arc::new(old.next(world.source()).unwrap());
    let table = Table::default();
    enter(&table, &new, &asks(&ann()));
    assert_eq!(cuts(&table, &old), [], "a late pass on revision 1 says nothing about revision 2");
    let deny = table.enter(permit(&new, &nth(2, &ann())), "h", || current(&old, &ann()), NOW).unwrap_err();
    assert_eq!(deny.reason(), DenyReason::PolicyStale);
}

#[test]
fn replaced_principals_are_decided_again_and_older_readings_ignored() {
    let snapshot = world().grant(grant(1)).build();
    let table = Table::default();
    enter(&table, &snapshot, &nth(1, &ann()));
    enter(&table, &snapshot, &nth(2, &ann()));
    let with = |groups, revision| Arc::new(Principal { groups, revision, ..(*ann()).clone() });
    assert_eq!(table.replace_principals(&[with(vec![DEVS, STAFF], 3)]), 2);
    assert_eq!(table.replace_principals(&[with(vec![], 2)]), 0, "older");
    assert_eq!(cuts(&table, &snapshot), []);
    assert_eq!(table.replace_principals(&[with(vec![], 4)]), 2);
    assert_eq!(cuts(&table, &snapshot).len(), 2);
}

#[test]
fn whatever_the_threads_do_no_session_outlives_its_right() {
    for round in 0..sized(20, 2_000) {
        let mut world =
            world().grant(grant(1)).policy("permit (principal is ServiceAccount, action, resource);");
        let before = world.build();
        world.revision = 2;
        world.rules.grants.clear();
        let after = Arc::new(before.next(world.source()).unwrap());
        let table = Table::default();
        let published = Mutex::new(before.clone());
        std::thread::scope(|scope| {
            for thread in 0..3u16 {
                let (table, published) = (&table, &published);
                scope.spawn(move || {
                    for n in 0..40 {
                        let who = if n % 4 == 0 { robot() } else { ann() };
                        let request = nth(thread * 100 + n, &who);
                        let snapshot = published.lock().unwrap().clone();
                        let Ok(permit) = decide(&request, &snapshot, Staleness::FRESH, NOW) else { continue };
                        let current = || current(&published.lock().unwrap().clone(), &who);
                        let _ = table.enter(permit, "handle", current, NOW);
                    }
                });
            }
            for _ in 0..round % 20 * 50 {
                std::thread::yield_now();
            }
            // Published first, reconciled after: the order that `enter` asks for.
            *published.lock().unwrap() = after.clone();
            cuts(&table, &after);
        });
        let left = table.matching(&Filter::All);
        assert!(left.iter().all(|view| view.principal.id == robot().id), "round {round}");
        assert_eq!(left.len(), 30, "round {round}");
    }
}

#[test]
fn a_session_that_enters_again_stands_there_once() {
    let snapshot = world().grant(grant(1)).build();
    let table = Table::default();
    enter(&table, &snapshot, &asks(&ann()));
    enter(&table, &snapshot, &asks(&ann()));
    assert_eq!(table.len(), 1);
    assert!(table.leave(asks(&ann()).session).is_some());
    assert_eq!(table.next_boundary(Staleness::FRESH, NOW), None);
}
