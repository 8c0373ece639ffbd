//! The index and the slices change nothing: a full scan over all entities and all rules gives the same answer.

use crate::{
    generate::{any_request, any_world, labelled, policy_text},
    world::*,
};
use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, Entity, EntityUid, Policy, PolicyId as CedarId,
    PolicySet, RestrictedExpression, Schema,
};
use postern_ids::{GroupId, PolicyId};
use postern_policy::{
    Action, Asked, Request, SCHEMA,
    dataset::Dataset,
    model::{Group, Outage, PolicyText, PrincipalId, ResourceKind},
};
use proptest::prelude::*;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

fn uid(text: &str) -> EntityUid {
    text.parse().unwrap()
}

/// Everything above a set of groups, by walking until nothing is added.
fn above(groups: &[GroupId], all: &[Arc<Group>]) -> BTreeSet<GroupId> {
    let mut found: BTreeSet<GroupId> =
        groups.iter().copied().filter(|id| all.iter().any(|g| g.id == *id)).collect();
    loop {
        let more: BTreeSet<GroupId> = all
            .iter()
            .filter(|group| found.contains(&group.id))
            .flat_map(|group| group.parents.clone())
            .collect();
        let before = found.len();
        found.extend(more.into_iter().filter(|id| all.iter().any(|g| g.id == *id)));
        if found.len() == before {
            return found;
        }
    }
}

fn all_entities(world: &World, request: &Request, schema: &Schema) -> Entities {
    let group_uids = |ids: BTreeSet<GroupId>| {
        ids.into_iter().map(|id| uid(&format!("Group::\"{id}\""))).collect::<HashSet<_>>()
    };
    let mut entities = vec![Entity::new_no_attrs(
        principal_uid(request),
        group_uids(above(&request.principal.groups, &world.places.groups)),
    )];
    // The principal's entity has the closure already; groups stand alone, because Cedar refuses cycles.
    entities
        .extend(world.places.groups.iter().map(|g| Entity::with_uid(uid(&format!("Group::\"{}\"", g.id)))));
    entities.extend(
        world.places.sites.iter().map(|site| Entity::with_uid(uid(&format!("Site::\"{}\"", site.id)))),
    );
    for resource in &world.places.resources {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let kind = RestrictedExpression::new_entity_uid(uid(&format!("Kind::\"{}\"", resource.kind.label())));
        let tags = resource.labels.iter().map(|(k, v)| (k.to_string(), text(v.as_str())));
        let site = uid(&format!("Site::\"{}\"", resource.site));
        let own = uid(&format!("Resource::\"{}\"", resource.id));
        entities.push(Entity::new_with_tags(own, [("kind".to_owned(), kind)], [site], tags).unwrap());
    }
    Entities::from_entities(entities, Some(schema)).unwrap()
}

fn principal_uid(request: &Request) -> EntityUid {
    let kind = if matches!(request.principal.id, PrincipalId::User(_)) { "User" } else { "ServiceAccount" };
    uid(&format!("{kind}::\"{}\"", request.principal.id))
}

/// Whether a full scan allows it, and which permits it finds satisfied.
fn full_scan(world: &World, request: &Request) -> (bool, BTreeSet<String>) {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let entities = all_entities(world, request, &schema);
    let Asked::Id(resource) = request.resource else { panic!("asked by id") };
    let mut context = serde_json::json!({
        "source": { "__extn": { "fn": "ip", "arg": request.source.to_string() } },
        "windows": ["office-hours"],
        "sign_in_within": [],
        "mfa_within": [],
        "acr": [],
        "amr": [],
    });
    if matches!(request.principal.id, PrincipalId::User(_)) {
        context["sign_in_within"] = serde_json::json!(["8h"]);
        context["mfa_within"] = serde_json::json!(["8h", "15m"]);
        context["idp"] = "local".into();
    }
    if let Action::Http(http) = &request.action {
        context["method"] = http.method.as_ref().into();
        context["path"] = http.path.as_ref().into();
        if world.places.resources.iter().any(|r| r.id == resource && r.kind != ResourceKind::Http) {
            return (false, BTreeSet::new());
        }
    }
    let action = uid(&format!("Action::\"{}\"", request.action.kind().label()));
    let context = Context::from_json_value(context, Some((&schema, &action))).unwrap();
    let question = cedar_policy::Request::new(
        principal_uid(request),
        action,
        uid(&format!("Resource::\"{resource}\"")),
        context,
        Some(&schema),
    )
    .unwrap();
    let policies: Vec<Policy> = world
        .rules
        .policies
        .iter()
        .map(|p| Policy::parse(Some(CedarId::new(p.id.to_string())), &p.text).unwrap())
        .collect();
    let set = PolicySet::from_policies(policies).unwrap();
    let answer = Authorizer::new().is_authorized(&question, &set, &entities);
    let errored_forbid = answer.diagnostics().errors().any(|error| {
        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
        set.policy(error.policy_id()).unwrap().effect() == Effect::Forbid
    });
    let allowed = answer.decision() == Decision::Allow && !errored_forbid;
    let reasons = answer.diagnostics().reason().map(ToString::to_string).collect();
    (allowed, if allowed { reasons } else { BTreeSet::new() })
}

fn sliced(world: &World, request: &Request) -> (bool, BTreeSet<String>) {
    match world.decide(request) {
        Ok(permit) => (true, permit.record().determining.iter().map(|rule| rule.id.to_string()).collect()),
        Err(_) => (false, BTreeSet::new()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(sized(192, 20_000)))]

    #[test]
    fn sliced_evaluation_equals_a_full_scan(world in any_world(), requests in prop::collection::vec(any_request(), 6)) {
        for request in requests {
            prop_assert_eq!(sliced(&world, &request), full_scan(&world, &request));
        }
    }

    /// D3: whatever is asked of whatever world without permits, the answer is no.
    #[test]
    fn without_permits_everything_is_denied(mut world in any_world(), request in any_request()) {
        world.rules.policies.retain(|policy| policy.text.starts_with("forbid"));
        prop_assert!(world.decide(&request).is_err());
    }

    /// Adding a forbid never allows more; adding a permit never allows less.
    #[test]
    fn forbids_only_take_and_permits_only_give(world in any_world(), text in policy_text(), request in any_request()) {
        let before = world.decide(&request).is_ok();
        let after = world.policy(&text).decide(&request).is_ok();
        let (more, less) = (after && !before, before && !after);
        prop_assert!(!(text.starts_with("forbid") && more));
        prop_assert!(!(text.starts_with("permit") && less));
    }

    /// No answer without a record that says why.
    #[test]
    fn every_denial_with_rules_can_be_explained(world in any_world(), request in any_request()) {
        if let Err(deny) = world.decide(&request) {
            let record = deny.record();
            let has_permits = world.rules.policies.iter().any(|policy| policy.text.starts_with("permit"));
            prop_assert!(!record.near.is_empty() || !record.determining.is_empty() || record.near.len() <= 5 || has_permits);
            prop_assert!(record.near.iter().all(|miss| !miss.failed.is_empty()));
        }
    }
}

/// A rule that is not asked because of its labels would not have held, and would not have failed.
#[test]
fn rules_on_labels_hold_and_fail_as_in_a_full_scan() {
    for labels in [&[][..], &[("env", "prod")], &[("team", "core")], &[("env", "dev"), ("team", "core")]] {
        let mut world = world();
        let db = world.places.resources.first_mut().map(Arc::make_mut).unwrap();
        db.labels = labels.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
        for condition in labelled() {
            let permit =
                world.clone().policy(&format!("permit (principal is User, action, resource) {condition};"));
            let forbid = world
                .clone()
                .policy("permit (principal is User, action, resource);")
                .policy(&format!("forbid (principal, action, resource) {condition};"));
            for world in [permit, forbid] {
                let request = asks(&ann());
                assert_eq!(sliced(&world, &request), full_scan(&world, &request), "{labels:?} {condition}");
            }
        }
    }
}

#[test]
fn sliced_evaluation_equals_a_full_scan_on_the_data_set() {
    let data = Dataset::new(3);
    let rules = &data.source.rules;
    let mut policies = rules.policies.clone();
    for grant in &rules.grants {
        let text = grant.to_cedar();
        policies.push(PolicyText {
            id: PolicyId::from_bytes(grant.id.to_bytes()),
            name: grant.name.clone(),
            text,
            outage: Outage::Standard,
        });
    }
    let snapshot = postern_policy::Snapshot::build(data.source.clone()).unwrap();
    let set = PolicySet::from_policies(
        policies.iter().map(|p| Policy::parse(Some(CedarId::new(p.id.to_string())), &p.text).unwrap()),
    )
    .unwrap();
    let mut allowed = 0;
    for n in 0..60 {
        let request = data.request(n);
        let expected = scan_data_set(&data, &request, &set);
        let answer = postern_policy::decide(&request, &snapshot, postern_policy::Staleness::FRESH, data.now);
        assert_eq!(answer.is_ok(), expected, "request {n}");
        allowed += usize::from(expected);
    }
    assert!((5..=55).contains(&allowed), "{allowed} of 60 allowed");
}

fn scan_data_set(data: &Dataset, request: &Request, set: &PolicySet) -> bool {
    let Asked::Id(id) = request.resource else { panic!("asked by id") };
    let places = &data.source.places;
    let world = World {
        revision: 1,
        rules: (*data.source.rules).clone(),
        places: postern_policy::Places {
            resources: places.resources.iter().filter(|r| r.id == id).cloned().collect(),
            ..(**places).clone()
        },
        revoked: (*data.source.revoked).clone(),
    };
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let entities = all_entities(&world, request, &schema);
    let postern_policy::model::Credential::SignIn(sign_in) = &request.credential else { panic!("signed in") };
    let young = data.now.since(sign_in.at) < hours(8);
    let context = serde_json::json!({
        "source": { "__extn": { "fn": "ip", "arg": request.source.to_string() } },
        "windows": ["office-hours"],
        "sign_in_within": if young { vec!["8h"] } else { vec![] },
        "mfa_within": [],
        "acr": [],
        "amr": [],
        "idp": "local",
    });
    let action = uid("Action::\"connect\"");
    let context = Context::from_json_value(context, Some((&schema, &action))).unwrap();
    let resource = uid(&format!("Resource::\"{id}\""));
    let question =
        cedar_policy::Request::new(principal_uid(request), action, resource, context, Some(&schema)).unwrap();
    Authorizer::new().is_authorized(&question, set, &entities).decision() == Decision::Allow
}
