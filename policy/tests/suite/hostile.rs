//! What somebody who writes rules, names or requests could try.

use crate::world::*;
use postern_ids::{GrantId, GroupId, Name, PolicyId, ResourceId};
use postern_policy::{
    Asked, DenyReason, Request, SnapshotError, Staleness, check_policy, decide,
    model::{Group, Outage, PolicyText, Principal, Resource, Selector, Subject},
};
use std::{collections::BTreeSet, sync::Arc};

fn refused(text: &str) -> String {
    check_policy(text, &BTreeSet::new(), &BTreeSet::new()).unwrap_err().to_string()
}

/// On the stack of a worker thread, because a test's own may be larger.
fn on_a_worker(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a10_text_beyond_the_limits_is_refused_before_it_is_parsed() {
    on_a_worker(|| {
        let wrap =
            |condition: String| format!("forbid (principal, action, resource) when {{ {condition} }};");
        let deep = wrap(format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000)));
        assert!(refused(&deep).contains("nest deeper"));
        let sets = wrap(format!("{}1{} == 1", "[".repeat(33), "]".repeat(33)));
        assert!(refused(&sets).contains("nest deeper"));
        let chain = wrap(vec!["true"; 5_000].join(" && "));
        assert!(refused(&chain).contains("operators"));
        let sums = wrap(format!("{} == 0", vec!["1"; 5_000].join(" + ")));
        assert!(refused(&sums).contains("operators"));
        let nots = wrap(format!("{}true", "!".repeat(5_000)));
        assert!(refused(&nots).contains("operators"));
        let long = wrap(format!("context has idp && context.idp == \"{}\"", "x".repeat(70_000)));
        assert!(refused(&long).contains("bytes"));
    });
}

#[test]
fn a10_text_just_within_the_limits_is_evaluated_without_harm() {
    on_a_worker(|| {
        let chain = |operator: &str, n: usize| vec!["context has idp"; n].join(operator);
        for condition in [
            chain(" && ", 1_000),
            chain(" || ", 1_000),
            format!("{}context has idp{}", "(".repeat(30), ")".repeat(30)),
            format!("{} > 0", vec!["1"; 2_000].join(" + ")),
            "if context has idp then ".repeat(60) + "true" + &" else false".repeat(60),
        ] {
            let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
            let Ok(snapshot) = world().grant(grant(1)).policy(&text).try_build() else { continue };
            let deny = decide(&asks(&ann()), &snapshot, Staleness::FRESH, NOW).unwrap_err();
            assert!(
                matches!(deny.reason(), DenyReason::Forbidden | DenyReason::RuleError),
                "{:?}",
                deny.reason()
            );
            let _ = deny.record();
        }
    });
}

#[test]
fn a10_brackets_in_strings_and_comments_do_not_count_and_hide_nothing() {
    let brackets = "(".repeat(100);
    let text = format!(
        "// {brackets}\nforbid (principal, action, resource) when {{ context has idp && context.idp == \"{brackets}\\\"{brackets}\" }};"
    );
    check_policy(&text, &BTreeSet::new(), &BTreeSet::new()).unwrap();
    let hidden = format!(
        "forbid (principal, action, resource) when {{ context has idp && context.idp == \"a\" && {brackets}true{} }};",
        ")".repeat(100)
    );
    assert!(refused(&hidden).contains("nest deeper"));
}

#[test]
fn a10_a_pattern_that_backtracks_elsewhere_is_cheap_here() {
    let pattern = "*a".repeat(40);
    let text = format!(
        "permit (principal is User, action == Action::\"http\", resource) when {{ context.path like \"{pattern}b\" }};"
    );
    let world = world().policy(&text);
    let path = format!("/{}", "a".repeat(4_000));
    let request = Request { resource: Asked::Id(WIKI), action: http("GET", &path), ..asks(&ann()) };
    assert!(world.decide(&request).is_err());
}

#[test]
fn a10_too_many_rules_refuse_the_snapshot() {
    let mut wide = grant(1);
    wide.subjects = (0..30_000u32)
        .map(|n| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            Subject::Group(GroupId::from_bytes(bytes))
        })
        .collect();
    let error = world().grant(wide).try_build().unwrap_err();
    assert!(matches!(error, SnapshotError::TooMany { count: 30_000, .. }), "{error}");
}

#[test]
fn a10_too_many_rules_that_nobody_can_be_spared_refuse_the_snapshot() {
    let mut world = world();
    for n in 0..401u16 {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        world.rules.policies.push(PolicyText {
            id: PolicyId::from_bytes(bytes),
            name: format!("p-{n}").parse().unwrap(),
            text: "forbid (principal, action, resource) when { context has idp && context.idp == \"x\" };"
                .to_owned(),
            outage: Outage::Standard,
        });
    }
    assert!(world.try_build().unwrap_err().to_string().contains("401 rules about everybody"));
    world.rules.policies.pop();
    world.try_build().unwrap();
}

/// This many grants on all resources to one group, numbered from `from`.
fn with_grants(mut world: World, group: GroupId, from: u16, count: u16) -> World {
    for n in from..from + count {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        let mut one = grant(1);
        (one.id, one.name) = (GrantId::from_bytes(bytes), format!("g-{n}").parse().unwrap());
        one.subjects = vec![Subject::Group(group)];
        world = world.grant(one);
    }
    world
}

#[test]
fn a10_too_many_rules_about_one_group_refuse_the_snapshot() {
    let error = with_grants(world(), DEVS, 0, 401).try_build().unwrap_err().to_string();
    assert!(error.contains(&format!("401 rules about Group::\"{DEVS}\"")), "{error}");
    with_grants(world(), DEVS, 0, 400).try_build().unwrap();
}

#[test]
fn a10_more_rules_than_can_be_evaluated_in_time_deny() {
    let third = GroupId::from_bytes([0x33; 16]);
    let mut world = world();
    world.places.groups.push(Arc::new(Group { id: third, name: "third".parse().unwrap(), parents: vec![] }));
    let world = with_grants(with_grants(with_grants(world, DEVS, 0, 300), STAFF, 300, 300), third, 600, 300);
    let member = Arc::new(Principal { groups: vec![DEVS, third], ..(*ann()).clone() });
    let deny = world.decide(&asks(&member)).unwrap_err();
    assert_eq!(deny.reason(), DenyReason::EvaluationFailed);
    assert!(deny.record().fault.unwrap().contains("900 rules apply"));
    assert!(world.decide(&asks(&ann())).is_ok());
}

#[test]
fn a10_groups_without_end_are_bounded() {
    let mut chain = world();
    let id = |n: u16| {
        let mut bytes = [7; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        GroupId::from_bytes(bytes)
    };
    chain.places.groups = (0..300u16)
        .map(|n| {
            Arc::new(Group {
                id: id(n),
                name: format!("g-{n}").parse::<Name>().unwrap(),
                parents: vec![id(n + 1)],
            })
        })
        .collect();
    assert!(matches!(chain.try_build().unwrap_err(), SnapshotError::TooMany { .. }));

    let mut many = world().grant(grant(1));
    let extra = (0..5_000u16)
        .map(|n| Arc::new(Group { id: id(n), name: format!("g-{n}").parse().unwrap(), parents: vec![] }));
    many.places.groups.extend(extra);
    let mut groups: Vec<GroupId> = (0..5_000u16).map(id).collect();
    groups.push(DEVS);
    let member = Arc::new(Principal { groups, ..(*ann()).clone() });
    assert_eq!(many.decide(&asks(&member)).unwrap_err().reason(), DenyReason::EvaluationFailed);
}

#[test]
fn a10_a_recycled_name_takes_no_right_along() {
    let mut by_name = grant(1);
    by_name.resources = Selector::Ids(vec![DB]);
    let mut world = world().grant(by_name);
    let other = ResourceId::from_bytes([0x55; 16]);
    let recycled = Resource { id: other, ..(*world.places.resources[0]).clone() };
    world.places.resources[0] = Arc::new(recycled);
    let request = Request { resource: Asked::Name("db".parse().unwrap()), ..asks(&ann()) };
    assert_eq!(world.decide(&request).unwrap_err().reason(), DenyReason::NoRule);
    assert_eq!(world.decide(&asks(&ann())).unwrap_err().reason(), DenyReason::NoSuchResource);
}

#[test]
fn a10_look_alike_names_are_no_names_of_ours() {
    // Cyrillic a, full-width, right-to-left override, zero-width joiner.
    for name in ["\u{430}dmins", "\u{ff41}dmins", "admins\u{202e}", "ad\u{200d}mins", "Admins"] {
        assert!(name.parse::<Name>().is_err(), "{name:?}");
    }
    assert!(
        refused("forbid (principal in Group::\"\u{430}dmins\", action, resource);").contains("is not an id")
    );
}

#[test]
fn a10_negating_what_does_not_exist_is_refused() {
    for condition in [
        "unless { context has quarantined }",
        "when { !(context has quarantined) }",
        "unless { principal has blocked && principal.blocked }",
    ] {
        let fault = refused(&format!("permit (principal is User, action, resource) {condition};"));
        assert!(fault.contains("has no attribute"), "{condition}: {fault}");
    }
}

#[test]
fn text_in_compiled_rules_cannot_break_out_of_its_quotes() {
    // Names and labels cannot hold such text; whatever else may come later goes through the same quoting.
    for text in
        ["\"", "\\", "\" || true || \"", "a\nb", "}", "*", "\u{202e}", "\u{0}", "日本", "\\u{41}", "'"]
    {
        let quoted = postern_policy::quoted(text);
        let policy = format!(
            "forbid (principal, action, resource) when {{ context has idp && context.idp == {quoted} }};"
        );
        let parsed = cedar_policy::Policy::parse(None, &policy).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        let json = parsed.to_json().unwrap().to_string();
        let value = serde_json::to_string(text).unwrap();
        assert!(json.contains(&value), "{text:?} in {json}");
    }
}

#[test]
fn a_huge_path_or_odd_method_is_only_text() {
    let world = world().policy("permit (principal is User, action == Action::\"http\", resource) when { context.path like \"/ok/*\" };");
    for path in ["/ok/\"; permit", "/ok/\u{0}", "/ok/*", &format!("/ok/{}", "x".repeat(100_000))] {
        let request = Request { resource: Asked::Id(WIKI), action: http("G\"ET", path), ..asks(&ann()) };
        assert!(world.decide(&request).is_ok());
    }
    let request = Request { resource: Asked::Id(WIKI), action: http("GET", "/*"), ..asks(&ann()) };
    assert!(world.decide(&request).is_err());
}

#[test]
fn an_instant_outside_the_calendar_denies_and_does_not_panic() {
    let text = "forbid (principal, action, resource) when { context.windows.contains(\"night\") };";
    let snapshot = world().grant(grant(1)).policy(text).build();
    for now in [postern_ids::Timestamp::MAX, postern_ids::Timestamp::from_micros(i64::MIN)] {
        let request = Request { started_at: now, ..asks(&ann()) };
        let answer = decide(&request, &snapshot, Staleness::FRESH, now);
        assert!(answer.is_err());
        let _ = answer.unwrap_err().record();
    }
}
