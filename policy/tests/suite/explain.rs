//! Records: complete enough to explain a decision without the snapshot it was made on.

use crate::world::*;
use postern_policy::{
    Asked, DecisionRecord, DenyReason, Outcome, Request, Staleness, decide, explain_hypothetical,
    model::{Conditions, Credential, Principal, Subject},
};
use std::sync::Arc;

fn denied(world: &World, request: &Request) -> DecisionRecord {
    world.decide(request).unwrap_err().record()
}

#[test]
fn a_record_names_the_rules_that_allowed_with_their_text() {
    let grant = grant(1);
    let record = world().grant(grant.clone()).decide(&asks(&ann())).unwrap().record();
    assert_eq!(record.outcome, Outcome::Allowed { expires_at: Some(NOW.plus(hours(8))) });
    let [rule] = record.determining.as_slice() else { panic!("{:?}", record.determining) };
    assert_eq!((&*rule.id, rule.name.as_str()), (grant.id.to_string().as_str(), "grant-1"));
    assert_eq!(&*rule.text, grant.to_cedar());
    assert_eq!(record.windows.iter().map(|w| w.as_str()).collect::<Vec<_>>(), ["office-hours"]);
    assert_eq!(record.sign_in_within.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["8h"]);
    assert_eq!(record.mfa_within.len(), 2);
    let groups: Vec<_> = record.principal.groups.values().flatten().map(|name| name.as_str()).collect();
    assert_eq!(groups, ["devs", "staff"]);
    assert!(record.near.is_empty());
}

#[test]
fn a_record_survives_json() {
    for world in [world(), world().grant(grant(1)), world().policy("forbid (principal, action, resource);")] {
        let record = match world.decide(&asks(&ann())) {
            Ok(permit) => permit.record(),
            Err(deny) => deny.record(),
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<DecisionRecord>(&text).unwrap(), record);
    }
}

#[test]
fn a_denial_names_the_forbid_and_the_error() {
    let world = world()
        .grant(grant(1))
        .policy("forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };");
    let record = denied(&world, &asks(&ann()));
    let [rule] = record.determining.as_slice() else { panic!("{:?}", record.determining) };
    assert_eq!(rule.name.as_str(), "policy-0");
    assert!(rule.error.as_ref().unwrap().contains("overflow"), "{rule:?}");
}

#[test]
fn a_near_miss_names_each_condition_that_failed_and_only_those() {
    let mut near = grant(1);
    near.resources = labels(&[("env", "prod"), ("team", "other")]);
    near.conditions = Conditions {
        windows: vec!["night".parse().unwrap()],
        source_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        ..Conditions::default()
    };
    let record = denied(&world().grant(near), &asks(&ann()));
    let [miss] = record.near.as_slice() else { panic!("{:?}", record.near) };
    assert_eq!(miss.rule.name.as_str(), "grant-1");
    assert_eq!(miss.failed.len(), 2, "{:?}", miss.failed);
    assert!(
        miss.failed[0].contains("resource.getTag(\"team\") == \"other\"") || miss.failed[0].contains("team"),
        "{:?}",
        miss.failed
    );
    assert!(miss.failed[1].contains("night"), "{:?}", miss.failed);
}

#[test]
fn the_nearest_permit_comes_first_and_a_missing_group_is_told() {
    let mut far = grant(1);
    far.conditions.windows = vec!["night".parse().unwrap()];
    far.conditions.source_cidrs = vec!["192.0.2.0/24".parse().unwrap()];
    let record = denied(&world().grant(far).grant(grant(2)), &asks(&bob()));
    assert_eq!(record.near[0].rule.name.as_str(), "grant-2");
    assert_eq!(record.near[0].failed, [format!("principal in Group::\"{DEVS}\"")]);
    assert_eq!(record.near[1].failed.len(), 3, "{:?}", record.near[1].failed);
}

#[test]
fn a_failed_guard_is_told_and_not_the_error_behind_it() {
    let text =
        "permit (principal is User, action, resource) when { context has idp && context.idp == \"corp\" };";
    let world = world().policy(text);
    let record = denied(&world, &asks(&ann()));
    assert_eq!(record.near[0].failed.len(), 1);
    assert!(record.near[0].failed[0].contains("corp"), "{:?}", record.near);
}

#[test]
fn an_unless_that_held_is_told_as_such() {
    let text = "permit (principal is User, action, resource) unless { resource.kind == Kind::\"ssh\" };";
    let record = denied(&world().policy(text), &asks(&ann()));
    assert!(record.near[0].failed[0].starts_with("unless "), "{:?}", record.near);
}

#[test]
fn an_expired_grant_is_told_as_expired() {
    let mut over = grant(1);
    over.expires_at = Some(NOW.minus(hours(1)));
    let record = denied(&world().grant(over), &asks(&ann()));
    assert_eq!(record.outcome, Outcome::Denied { reason: DenyReason::GrantExpired });
    assert_eq!(record.near[0].failed, ["it has expired"]);
    assert_eq!(record.determining[0].expires_at, Some(NOW.minus(hours(1))));
}

#[test]
fn a_hypothetical_user_has_just_signed_in() {
    let text = "permit (principal is User, action, resource) when { context.mfa_within.contains(\"15m\") };";
    let snapshot = world().policy(text).build();
    let request = Request { credential: Credential::None, ..asks(&ann()) };
    let record = explain_hypothetical(&request, &snapshot, Staleness::FRESH, NOW);
    assert_eq!(record.outcome, Outcome::Allowed { expires_at: None });
    assert!(decide(&request, &snapshot, Staleness::FRESH, NOW).is_err());
}

#[test]
fn what_is_reachable_is_what_would_be_allowed() {
    let mut lab = grant(1);
    lab.subjects = vec![Subject::User(BOB)];
    lab.resources = postern_policy::model::Selector::Site(LAB);
    let snapshot = world().grant(lab).grant(grant(2)).build();
    let names = |principal: Arc<Principal>| {
        let template = Request { resource: Asked::Id(DB), ..asks(&principal) };
        let reachable = postern_policy::reachable(&template, &snapshot, Staleness::FRESH, NOW);
        reachable.iter().map(|resource| resource.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(ann()), ["db", "wiki"]);
    assert_eq!(names(bob()), ["wiki"]);
    assert_eq!(names(robot()), Vec::<String>::new());
}
