//! Organisations, rules and requests by chance, small enough to meet each other often.

use crate::world::*;
use postern_ids::{GroupId, Name, ResourceId, SiteId, UserId};
use postern_policy::{
    Action, Asked, Request,
    model::{Group, Principal, PrincipalId, Resource, ResourceKind, Site},
};
use proptest::{prelude::*, sample::select};
use std::{collections::HashMap, sync::Arc};

const GROUPS: u8 = 6;
const USERS: u8 = 3;
const RESOURCES: u8 = 4;
const SITES: u8 = 2;

fn group(n: u8) -> GroupId {
    GroupId::from_bytes([n; 16])
}

pub(crate) fn policy_text() -> impl Strategy<Value = String> {
    let principal = prop_oneof![
        Just("principal is User".to_owned()),
        Just("principal is ServiceAccount".to_owned()),
        (0..USERS).prop_map(|n| format!("principal == User::\"{}\"", UserId::from_bytes([n; 16]))),
        (0..GROUPS).prop_map(|n| format!("principal in Group::\"{}\"", group(n))),
        (0..GROUPS).prop_map(|n| format!("principal is User in Group::\"{}\"", group(n))),
        Just("principal == ServiceAccount::\"".to_owned() + &ROBOT.to_string() + "\""),
    ];
    let action = select(vec![
        "action == Action::\"connect\"",
        "action in [Action::\"connect\", Action::\"http\"]",
        "action == Action::\"http\"",
    ]);
    let resource = prop_oneof![
        Just("resource".to_owned()),
        Just("resource is Resource".to_owned()),
        (0..RESOURCES).prop_map(|n| format!("resource == Resource::\"{}\"", ResourceId::from_bytes([n; 16]))),
        (0..SITES).prop_map(|n| format!("resource in Site::\"{}\"", SiteId::from_bytes([n; 16]))),
        (0..SITES).prop_map(|n| format!("resource is Resource in Site::\"{}\"", SiteId::from_bytes([n; 16]))),
    ];
    let condition = prop_oneof![
        Just(String::new()),
        Just("when { resource.hasTag(\"env\") && resource.getTag(\"env\") == \"prod\" }".to_owned()),
        Just("unless { resource.hasTag(\"team\") }".to_owned()),
        Just("when { context.windows.contains(\"office-hours\") }".to_owned()),
        Just(
            "when { context.windows.contains(\"night\") || context.sign_in_within.contains(\"8h\") }"
                .to_owned()
        ),
        Just("when { 9223372036854775807 + 1 == 0 }".to_owned()),
        select(labelled()),
        Just("when { resource.hasTag(\"env\") && 9223372036854775807 + 1 == 0 }".to_owned()),
        Just("when { context.source.isInRange(ip(\"10.0.0.0/8\")) }".to_owned()),
        (0..GROUPS).prop_map(|n| format!("when {{ principal in Group::\"{}\" }}", group(n))),
        (0..GROUPS).prop_map(|n| format!("unless {{ principal in [Group::\"{}\"] }}", group(n))),
        (0..SITES).prop_map(|n| format!("when {{ resource in Site::\"{}\" }}", SiteId::from_bytes([n; 16]))),
    ];
    (select(vec!["permit", "permit", "forbid"]), principal, action, resource, condition, any::<bool>())
        .prop_map(|(effect, principal, action, resource, condition, unscoped)| {
            let principal = if unscoped && effect == "forbid" { "principal".to_owned() } else { principal };
            format!("{effect} ({principal}, {action}, {resource}) {condition};")
        })
}

const ENV: &str = r#"resource.hasTag("env") && resource.getTag("env") == "prod""#;
const TEAM: &str = r#"resource.hasTag("team") && resource.getTag("team") == "core""#;
const FAILS: &str = "9223372036854775807 + 1 == 0";
const NIGHT: &str = r#"context.windows.contains("night")"#;
const OFFICE_HOURS: &str = r#"context.windows.contains("office-hours")"#;

/// Every condition of up to three parts on labels, on windows and that fail, joined in each way.
pub(crate) fn labelled() -> Vec<String> {
    let parts = [ENV, TEAM, FAILS, NIGHT, OFFICE_HOURS, r#"resource.hasTag("team")"#];
    let mut chains: Vec<Vec<&str>> = vec![Vec::new()];
    let mut all = Vec::new();
    for _ in 0..3 {
        chains = chains
            .iter()
            .flat_map(|chain| parts.map(|part| chain.iter().copied().chain([part]).collect()))
            .collect();
        for (word, glue) in [("when", " && "), ("when", " || "), ("unless", " && ")] {
            all.extend(chains.iter().map(|chain| format!("{word} {{ {} }}", chain.join(glue))));
        }
    }
    all
}

pub(crate) fn any_world() -> impl Strategy<Value = World> {
    let parents = prop::collection::vec(prop::collection::vec(0..GROUPS, 0..3), usize::from(GROUPS));
    let resources = prop::collection::vec(
        (0..SITES, any::<bool>(), any::<bool>(), any::<bool>()),
        usize::from(RESOURCES),
    );
    let policies = prop::collection::vec(policy_text(), 0..12);
    (parents, resources, policies).prop_map(|(parents, resources, policies)| {
        let mut world = world();
        let named = |kind: &str, n: usize| format!("{kind}-{n}").parse::<Name>().unwrap();
        world.places.groups = parents
            .iter()
            .zip(0u8..)
            .map(|(above, n)| {
                let parents = above.iter().copied().map(group).collect();
                Arc::new(Group { id: group(n), name: named("group", n.into()), parents })
            })
            .collect();
        world.places.sites = (0..SITES)
            .map(|n| Arc::new(Site { id: SiteId::from_bytes([n; 16]), name: named("site", n.into()) }))
            .collect();
        world.places.resources = resources
            .iter()
            .zip(0u8..)
            .map(|(&(site, prod, team, web), n)| {
                let mut labels = HashMap::new();
                labels.insert("env", if prod { "prod" } else { "dev" });
                if team {
                    labels.insert("team", "core");
                }
                Arc::new(Resource {
                    id: ResourceId::from_bytes([n; 16]),
                    name: named("resource", n.into()),
                    site: SiteId::from_bytes([site; 16]),
                    kind: if web { ResourceKind::Http } else { ResourceKind::Ssh },
                    target: "h:1".parse().unwrap(),
                    labels: labels.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect(),
                    host_keys: Vec::new(),
                    web: None,
                })
            })
            .collect();
        for text in policies {
            world = world.policy(&text);
        }
        world
    })
}

pub(crate) fn any_request() -> impl Strategy<Value = Request> {
    let who = prop_oneof![(0..USERS).prop_map(Some), Just(None)];
    let groups = prop::collection::vec(0..GROUPS, 0..4);
    (who, groups, 0..RESOURCES, any::<bool>(), select(vec![[10, 0, 0, 7], [192, 0, 2, 1]])).prop_map(
        |(who, groups, resource, web, source)| {
            let id = who.map_or(PrincipalId::ServiceAccount(ROBOT), |n| {
                PrincipalId::User(UserId::from_bytes([n; 16]))
            });
            let groups = groups.into_iter().map(group).collect();
            let principal = Arc::new(Principal { id, name: "p".into(), groups, revision: 1 });
            Request {
                resource: Asked::Id(ResourceId::from_bytes([resource; 16])),
                action: if web { http("GET", "/") } else { Action::Connect },
                source: source.into(),
                ..asks(&principal)
            }
        },
    )
}
