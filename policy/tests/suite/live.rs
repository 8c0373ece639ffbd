//! Live sessions: found by every change, cut with the right word, and never let through between two looks.

use crate::{table::*, world::*};
use postern_ids::{ConnectorId, Ended, SignInId};
use postern_policy::{
    Asked, Request, Staleness, decide,
    live::Filter,
    model::{Connector, ConnectorState, Credential, Principal, Resource, SignIn},
};
use proptest::prelude::*;
use std::sync::Arc;

#[test]
fn each_change_that_ends_a_right_cuts_with_its_own_word() {
    type Change = fn(&mut World);
    let changes: [(&str, Change, Ended); 11] = [
        ("grant deleted", |w| w.rules.grants.clear(), Ended::Revoked),
        ("forbid added", |w| *w = w.clone().policy("forbid (principal, action, resource);"), Ended::Revoked),
        ("resource removed", |w| w.places.resources.clear(), Ended::Revoked),
        ("user disabled", |w| w.revoked.disabled_users.extend([ANN]), Ended::UserDisabled),
        ("sign-in ended", |w| w.revoked.ended_sign_ins.extend([SIGN_IN]), Ended::SignedOut),
        (
            "session ended by an administrator",
            |w| {
                w.revoked.ended_sessions.insert(asks(&ann()).session, Ended::EndedByAdmin);
            },
            Ended::EndedByAdmin,
        ),
        (
            "session ended by its owner",
            |w| {
                w.revoked.ended_sessions.insert(asks(&ann()).session, Ended::EndedByPrincipal);
            },
            Ended::EndedByPrincipal,
        ),
        ("grant expired", |w| w.rules.grants[0].expires_at = Some(NOW), Ended::Expired),
        ("group moved", |w| w.places.groups.retain(|g| g.id != DEVS), Ended::Revoked),
        ("label changed", |w| Arc::make_mut(&mut w.places.resources[0]).labels.clear(), Ended::Revoked),
        (
            "forbid breaks",
            |w| {
                *w = w
                    .clone()
                    .policy("forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };");
            },
            Ended::Revoked,
        ),
    ];
    for (what, change, ended) in changes {
        let mut labelled = grant(1);
        labelled.resources = labels(&[("env", "prod")]);
        let mut world = world().grant(labelled);
        let snapshot = world.build();
        let table = Table::default();
        enter(&table, &snapshot, &asks(&ann()));
        change(&mut world);
        world.revision = 2;
        let next = Arc::new(snapshot.next(world.source()).unwrap());
        assert_eq!(cuts(&table, &next), [(asks(&ann()).session, ended)], "{what}");
        assert!(table.is_empty(), "{what}");
    }
}

#[test]
fn an_unrelated_change_cuts_nothing_and_moves_the_revision() {
    let mut world = world().grant(grant(1));
    let snapshot = world.build();
    let table = Table::default();
    enter(&table, &snapshot, &asks(&ann()));
    world.revision = 2;
    world.revoked.disabled_users.insert(BOB);
    world = world.grant(grant(2));
    let next = Arc::new(snapshot.next(world.source()).unwrap());
    assert_eq!(cuts(&table, &next), []);
    assert_eq!(table.matching(&Filter::All)[0].revision, 2);
}

#[test]
fn a_session_that_loses_one_of_two_grants_lives_on() {
    let mut world = world().grant(grant(1)).grant(grant(2));
    let snapshot = world.build();
    let table = Table::default();
    enter(&table, &snapshot, &asks(&ann()));
    world.rules.grants.remove(0);
    world.revision = 2;
    assert_eq!(cuts(&table, &Arc::new(snapshot.next(world.source()).unwrap())), []);
}

#[test]
fn time_alone_cuts_at_the_boundary_and_not_before() {
    let mut short = grant(1);
    short.expires_at = Some(NOW.plus(minutes(5)));
    let snapshot = world().grant(short).build();
    let table = Table::default();
    assert_eq!(table.next_boundary(Staleness::FRESH, NOW), None);
    enter(&table, &snapshot, &asks(&ann()));
    let boundary = table.next_boundary(Staleness::FRESH, NOW).unwrap();
    assert_eq!(boundary, NOW.plus(minutes(5)));
    let before = boundary.minus(std::time::Duration::from_micros(1));
    assert!(table.due(snapshot.clone(), Staleness::FRESH, before).is_done());
    let cut = table.due(snapshot, Staleness::FRESH, boundary).step(10);
    assert_eq!((cut.len(), cut[0].ended, cut[0].handle), (1, Ended::Expired, "handle"));
    assert_eq!(cut[0].deny.as_ref().unwrap().record().near[0].failed, ["it has expired"]);
}

#[test]
fn a_closing_window_cuts_and_a_surviving_grant_moves_the_boundary() {
    let office =
        "permit (principal is User, action, resource) when { context.windows.contains(\"office-hours\") };";
    let closes = NOW.plus(hours(7));
    let alone = world().policy(office).build();
    let table = Table::default();
    enter(&table, &alone, &asks(&ann()));
    assert_eq!(table.next_boundary(Staleness::FRESH, NOW), Some(closes));
    let cut = table.due(alone, Staleness::FRESH, closes).step(1);
    assert_eq!(cut[0].ended, Ended::Revoked);

    let both = world().policy(office).grant(grant(1)).build();
    let table = Table::default();
    enter(&table, &both, &asks(&ann()));
    assert!(table.due(both, Staleness::FRESH, closes).step(1).is_empty());
    assert_eq!(table.next_boundary(Staleness::FRESH, closes), Some(NOW.plus(hours(8))), "the sign-in");
}

#[test]
fn an_opening_window_that_forbids_is_a_boundary_too() {
    let text = "forbid (principal, action, resource) when { context.windows.contains(\"night\") };";
    let credential = Credential::SignIn(Arc::new(SignIn { expires_at: NOW.plus(hours(100)), ..signed_in() }));
    let snapshot = world().grant(grant(1)).policy(text).build();
    let table = Table::default();
    enter(&table, &snapshot, &Request { credential, ..asks(&ann()) });
    let opens = NOW.plus(hours(12));
    assert_eq!(table.next_boundary(Staleness::FRESH, NOW), Some(opens));
    assert_eq!(table.due(snapshot, Staleness::FRESH, opens).step(1)[0].ended, Ended::Revoked);
}

#[test]
fn a_name_that_moves_to_another_resource_takes_no_session_along() {
    let mut world = world().grant(grant(1));
    let snapshot = world.build();
    let table = Table::default();
    enter(&table, &snapshot, &Request { resource: Asked::Name("db".parse().unwrap()), ..asks(&ann()) });
    let other = Resource {
        id: postern_ids::ResourceId::from_bytes([0x55; 16]),
        ..(*world.places.resources[0]).clone()
    };
    world.places.resources[0] = Arc::new(other);
    world.revision = 2;
    let next = Arc::new(snapshot.next(world.source()).unwrap());
    assert_eq!(cuts(&table, &next).len(), 1);
}

#[test]
fn a_revoked_or_moved_connector_cuts_what_it_carries() {
    let changes: [fn(&mut Connector); 2] = [|c| c.state = ConnectorState::Revoked, |c| c.site = LAB];
    for change in changes {
        let mut world = world().grant(grant(1));
        let snapshot = world.build();
        let table = Table::default();
        enter(&table, &snapshot, &nth(1, &ann()));
        enter(&table, &snapshot, &nth(2, &ann()));
        table.carried_by(session(1), AGENT);
        assert_eq!(cuts(&table, &snapshot), []);
        change(Arc::make_mut(&mut world.places.connectors[0]));
        world.revision = 2;
        let next = Arc::new(snapshot.next(world.source()).unwrap());
        assert_eq!(cuts(&table, &next), [(session(1), Ended::Revoked)]);
        assert_eq!(table.len(), 1);
    }
}

#[test]
fn filters_select_exactly() {
    let snapshot =
        world().grant(grant(1)).policy("permit (principal is ServiceAccount, action, resource);").build();
    let table = Table::default();
    enter(&table, &snapshot, &nth(1, &ann()));
    let other = Credential::SignIn(Arc::new(SignIn { id: SignInId::from_bytes([77; 16]), ..signed_in() }));
    enter(&table, &snapshot, &Request { credential: other, ..nth(2, &ann()) });
    enter(&table, &snapshot, &nth(3, &robot()));
    table.carried_by(session(3), AGENT);
    let selected = |filter| {
        let mut found: Vec<_> = table.matching(&filter).into_iter().map(|view| view.session).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(selected(Filter::All), [session(1), session(2), session(3)]);
    assert_eq!(selected(Filter::User(ANN)), [session(1), session(2)]);
    assert_eq!(selected(Filter::SignIn(SIGN_IN)), [session(1)]);
    assert_eq!(selected(Filter::Session(session(2))), [session(2)]);
    assert_eq!(selected(Filter::Resource(DB)).len(), 3);
    assert_eq!(selected(Filter::Resource(WIKI)), []);
    assert_eq!(selected(Filter::Connector(AGENT)), [session(3)]);
    assert_eq!(selected(Filter::Connector(ConnectorId::from_bytes([1; 16]))), []);
    let ended = table.end(&Filter::User(ANN), Ended::EndedByAdmin);
    assert!(
        ended.len() == 2 && ended.iter().all(|cut| cut.ended == Ended::EndedByAdmin && cut.deny.is_none())
    );
    assert_eq!(selected(Filter::All), [session(3)]);
}

#[test]
fn who_left_is_not_cut_and_who_was_cut_cannot_leave() {
    let mut world = world().grant(grant(1));
    let snapshot = world.build();
    let table = Table::default();
    enter(&table, &snapshot, &nth(1, &ann()));
    enter(&table, &snapshot, &nth(2, &ann()));
    assert_eq!(table.leave(session(1)), Some("handle"));
    assert_eq!(table.leave(session(1)), None);
    world.rules.grants.clear();
    world.revision = 2;
    let next = Arc::new(snapshot.next(world.source()).unwrap());
    assert_eq!(cuts(&table, &next), [(session(2), Ended::Revoked)]);
    assert_eq!(table.leave(session(2)), None);
    assert_eq!(table.next_boundary(Staleness::FRESH, NOW), None, "no timer is left behind");
}

#[test]
fn t07_a_session_that_was_ended_is_cut_alone_and_cannot_be_decided_again() {
    let mut world = world().grant(grant(1));
    let snapshot = world.build();
    let table = Table::default();
    enter(&table, &snapshot, &nth(1, &ann()));
    enter(&table, &snapshot, &nth(2, &ann()));
    world.revision = 2;
    world.revoked.ended_sessions.insert(session(1), Ended::EndedByAdmin);
    let next = Arc::new(snapshot.next(world.source()).unwrap());
    assert_eq!(cuts(&table, &next), [(session(1), Ended::EndedByAdmin)]);
    assert_eq!(table.len(), 1);
    let denied = decide(&nth(1, &ann()), &next, Staleness::FRESH, NOW).unwrap_err();
    assert_eq!(denied.reason().as_refusal(), postern_ids::Refusal::Revoked);
    assert!(decide(&nth(3, &ann()), &next, Staleness::FRESH, NOW).is_ok(), "a new session is another one");
    // A snapshot that is refused brings it in all the same.
    let safer = snapshot.with_revocations(&world.revoked);
    assert!(decide(&nth(1, &ann()), &safer, Staleness::FRESH, NOW).is_err());
}

#[test]
fn a_session_cut_by_a_refused_snapshots_revocations_ends() {
    let mut world = world().grant(grant(1));
    let snapshot = world.build();
    let table = Table::default();
    enter(&table, &snapshot, &asks(&ann()));
    world.revoked.disabled_users.insert(ANN);
    let safer = Arc::new(snapshot.with_revocations(&world.revoked));
    assert_eq!(cuts(&table, &safer), [(asks(&ann()).session, Ended::UserDisabled)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(sized(64, 5_000)))]

    /// D5 as a property: after a pass, exactly those sessions live that a fresh decision would allow.
    #[test]
    fn after_a_pass_exactly_the_allowed_live(
        granted in prop::collection::vec(any::<bool>(), 8), kept in prop::collection::vec(any::<bool>(), 8), disabled in any::<bool>(),
    ) {
        let mut world = world();
        world.rules.grants = (0u8..8).map(grant).collect();
        let people: Vec<_> = granted.iter().zip(0u8..).map(|(_, n)| {
            let id = postern_policy::model::PrincipalId::User(postern_ids::UserId::from_bytes([n + 100; 16]));
            Arc::new(Principal { id, ..(*ann()).clone() })
        }).collect();
        for (grant, person) in world.rules.grants.iter_mut().zip(&people) {
            let postern_policy::model::PrincipalId::User(id) = person.id else { continue };
            grant.subjects = vec![postern_policy::model::Subject::User(id)];
        }
        let snapshot = world.build();
        let table = Table::default();
        for ((person, &is_in), n) in people.iter().zip(&granted).zip(0u16..) {
            if is_in {
                enter(&table, &snapshot, &nth(n, person));
            }
        }
        world.revision = 2;
        let mut keep = kept.iter();
        world.rules.grants.retain(|_| *keep.next().unwrap());
        if disabled {
            world.revoked.disabled_users.insert(postern_ids::UserId::from_bytes([100; 16]));
        }
        let next = Arc::new(snapshot.next(world.source()).unwrap());
        cuts(&table, &next);
        for (((person, is_in), is_kept), n) in people.iter().zip(granted).zip(kept).zip(0u16..) {
            let lives = !table.matching(&Filter::Session(session(n))).is_empty();
            let allowed = decide(&nth(n, person), &next, Staleness::FRESH, NOW).is_ok();
            prop_assert_eq!(lives, is_in && allowed);
            prop_assert_eq!(allowed, is_kept && !(disabled && n == 0));
        }
    }
}
