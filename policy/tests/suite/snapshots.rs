//! Snapshots: parts, sharing, and never going back.

use crate::world::*;
use postern_ids::{ConnectorId, Name};
use postern_policy::{
    Asked, DenyReason, Revoked, SnapshotError, SnapshotSource, Staleness, decide,
    model::{Connector, ConnectorState, Group, Resource},
};
use std::sync::Arc;

#[test]
fn a_snapshot_never_goes_back() {
    let mut world = world();
    world.revision = 7;
    let snapshot = world.build();
    world.revision = 6;
    assert_eq!(
        snapshot.next(world.source()).unwrap_err(),
        SnapshotError::WentBack { current: 7, offered: 6 }
    );
    world.revision = 7;
    assert_eq!(snapshot.next(world.source()).unwrap().revision(), 7);
}

#[test]
fn a_part_that_did_not_move_is_shared_and_one_that_moved_is_not() {
    let source = world().grant(grant(1)).source();
    let snapshot = postern_policy::Snapshot::build(source.clone()).unwrap();
    let revoked = Arc::new(Revoked { disabled_users: [ANN].into(), ..Revoked::default() });
    let next = snapshot.next(SnapshotSource { revision: 2, revoked, ..source }).unwrap();
    let before = snapshot.resource(DB).unwrap();
    assert!(Arc::ptr_eq(before, next.resource(DB).unwrap()));
    assert_eq!(
        decide(&asks(&ann()), &next, Staleness::FRESH, NOW).unwrap_err().reason(),
        DenyReason::PrincipalDisabled
    );
    assert!(decide(&asks(&ann()), &snapshot, Staleness::FRESH, NOW).is_ok());
}

#[test]
fn the_next_snapshot_answers_like_one_built_from_nothing() {
    let first =
        world().grant(grant(1)).policy(&format!("forbid (principal, action, resource in Site::\"{LAB}\");"));
    let snapshot = first.build();
    let mut second = first.grant(grant(2));
    second.revision = 2;
    second.rules.grants[0].subjects.clear();
    second.rules.policies[0].text =
        "forbid (principal, action, resource) when { context has idp && context.idp == \"evil\" };"
            .to_owned();
    let next = snapshot.next(second.source()).unwrap();
    let fresh = second.build();
    for principal in [ann(), bob(), robot()] {
        for resource in [DB, WIKI] {
            let request = postern_policy::Request { resource: Asked::Id(resource), ..asks(&principal) };
            let of = |snapshot| match decide(&request, snapshot, Staleness::FRESH, NOW) {
                Ok(permit) => permit.record(),
                Err(deny) => deny.record(),
            };
            assert_eq!(of(&next), of(&fresh));
        }
    }
}

#[test]
fn a_refused_source_still_gives_its_revocations() {
    let mut world = world().grant(grant(1));
    let snapshot = world.build();
    world.revision = 2;
    world.rules.policies.clear();
    world = world.policy("nonsense");
    world.revoked.disabled_users.insert(ANN);
    assert!(snapshot.next(world.source()).is_err());
    let safer = snapshot.with_revocations(&world.revoked);
    assert_eq!(safer.revision(), 1);
    assert_eq!(
        decide(&asks(&ann()), &safer, Staleness::FRESH, NOW).unwrap_err().reason(),
        DenyReason::PrincipalDisabled
    );
}

#[test]
fn two_resources_of_one_name_or_id_refuse_the_snapshot() {
    let copy = |change: fn(&mut Resource)| {
        let mut world = world();
        let mut resource = (*world.places.resources[0]).clone();
        change(&mut resource);
        world.places.resources.push(Arc::new(resource));
        world.try_build().unwrap_err().to_string()
    };
    assert!(
        copy(|r| r.id = postern_ids::ResourceId::from_bytes([99; 16]))
            .contains("two resources are called db")
    );
    assert!(copy(|r| r.name = "other".parse().unwrap()).contains("two resources are called res_"));
}

#[test]
fn a_connector_serves_only_its_own_site_and_only_while_active() {
    let mut world = world();
    let snapshot = world.build();
    assert!(snapshot.may_serve(AGENT, DB));
    assert!(!snapshot.may_serve(AGENT, WIKI));
    assert!(!snapshot.may_serve(ConnectorId::from_bytes([77; 16]), DB));
    assert_eq!(snapshot.connectors_of(OFFICE).count(), 1);
    let revoked = Connector { state: ConnectorState::Revoked, ..(*world.places.connectors[0]).clone() };
    world.places.connectors = vec![Arc::new(revoked)];
    let snapshot = world.build();
    assert!(!snapshot.may_serve(AGENT, DB));
    assert_eq!(snapshot.connectors_of(OFFICE).count(), 0);
    assert!(snapshot.connector(AGENT).is_some());
}

#[test]
fn groups_in_a_circle_share_their_rights_and_hurt_nobody() {
    let mut world = world().grant(grant(1));
    let group =
        |id, name: &str, parents| Arc::new(Group { id, name: name.parse::<Name>().unwrap(), parents });
    world.places.groups = vec![group(DEVS, "devs", vec![STAFF, DEVS]), group(STAFF, "staff", vec![DEVS])];
    let mut member = (*ann()).clone();
    member.groups = vec![STAFF];
    assert!(world.decide(&asks(&Arc::new(member))).is_ok());
}

#[test]
fn membership_in_a_deleted_group_is_worth_nothing() {
    let mut world = world().grant(grant(1));
    world.places.groups.retain(|group| group.id != DEVS);
    assert_eq!(world.decide(&asks(&ann())).unwrap_err().reason(), DenyReason::NoRule);
}

#[test]
fn things_are_found_by_id_and_by_name() {
    let snapshot = world().build();
    assert_eq!(snapshot.asked(&Asked::Name("db".parse().unwrap())).unwrap().id, DB);
    assert_eq!(snapshot.resources().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["db", "wiki"]);
    assert_eq!(snapshot.site(OFFICE).unwrap().name.as_str(), "office");
    assert_eq!(snapshot.group(DEVS).unwrap().name.as_str(), "devs");
    assert_eq!((snapshot.sites().count(), snapshot.groups().count()), (2, 2));
}
