//! The paths of HTTP requests: public ones, those that rules ask for, and those that nobody reads.

use crate::world::*;
use postern_ids::ResourceId;
use postern_policy::{
    Asked, DenyReason, Request, Snapshot, Staleness, check_policy, decide,
    model::{ActionKind, Grant, PathReading, Principal, PublicPath, Resource, Selector, Subject, Web},
};
use proptest::{prelude::*, sample::select};
use std::{collections::BTreeSet, sync::Arc};

fn public(path: &str, methods: &[&str]) -> PublicPath {
    PublicPath { path: path.into(), methods: methods.iter().map(|method| (*method).into()).collect() }
}

/// The world, with the wiki published like this.
fn published(web: Web) -> World {
    let (mut world, web) = (world(), Arc::new(web));
    for resource in &mut world.places.resources {
        if resource.id == WIKI {
            *resource = Arc::new(Resource { web: Some(Arc::clone(&web)), ..Resource::clone(resource) });
        }
    }
    world
}

fn open(paths: Vec<PublicPath>) -> World {
    published(Web { public: paths, ..Web::default() })
}

fn asks_for(principal: &Arc<Principal>, method: &str, path: &str) -> Request {
    Request { resource: Asked::Id(WIKI), action: http(method, path), ..asks(principal) }
}

fn nobody(method: &str, path: &str) -> Request {
    asks_for(&Arc::new(Principal::anonymous()), method, path)
}

fn wiki_grant() -> Grant {
    Grant {
        subjects: vec![Subject::Group(DEVS), Subject::ServiceAccount(ROBOT)],
        resources: Selector::Ids(vec![WIKI]),
        actions: vec![ActionKind::Http],
        ..grant(1)
    }
}

fn reading(snapshot: &Snapshot) -> PathReading {
    snapshot.path_reading(snapshot.resource(WIKI).unwrap())
}

#[test]
fn h14_nobody_reaches_exactly_the_public_paths_and_the_rule_is_told() {
    let world = open(vec![public("/healthz", &[]), public("/hooks/*", &["POST"])]);
    let allowed = world.decide(&nobody("GET", "/healthz")).unwrap().record();
    assert_eq!(&*allowed.determining[0].id, "public:wiki#1");
    assert!(allowed.determining[0].text.contains("context.path == \"/healthz\""), "{allowed:?}");
    let below = world.decide(&nobody("POST", "/hooks/a/b")).unwrap().record();
    assert_eq!(&*below.determining[0].id, "public:wiki#2");
    for (method, path) in [
        ("POST", "/healthz"),
        ("OPTIONS", "/healthz"),
        ("get", "/healthz"),
        ("GET", "/healthz/"),
        ("GET", "/healthz?x"),
        ("GET", "/x?/healthz"),
        ("GET", "/hooks/a"),
        ("POST", "/hooks"),
        ("POST", "/hooksx"),
        ("POST", "/x/hooks/a"),
        ("GET", "/"),
        ("GET", ""),
    ] {
        let denied = world.decide(&nobody(method, path)).unwrap_err().record();
        assert!(denied.near.iter().any(|near| near.rule.id.starts_with("public:wiki#")), "{method} {path}");
    }
    let elsewhere = Request { resource: Asked::Id(DB), ..nobody("GET", "/healthz") };
    assert!(world.decide(&elsewhere).is_err());
    assert!(
        world.decide(&asks_for(&bob(), "GET", "/healthz")).is_err(),
        "it is nobody's right, not everybody's"
    );
}

#[test]
fn h14_a_forbid_closes_a_public_path() {
    let world = open(vec![public("/*", &[])]);
    assert!(world.decide(&nobody("GET", "/")).is_ok());
    let closed = world.policy(
        "forbid (principal is Anonymous, action, resource) unless { context.source.isInRange(ip(\"192.0.2.0/24\")) };",
    );
    let denied = closed.decide(&nobody("GET", "/")).unwrap_err();
    assert_eq!(denied.reason(), DenyReason::Forbidden);
}

#[test]
fn h14_a_public_path_comes_and_goes_with_its_application_alone() {
    let closed = published(Web::default());
    let before = closed.build();
    let ask =
        |snapshot: &Snapshot| decide(&nobody("GET", "/healthz"), snapshot, Staleness::FRESH, NOW).is_ok();
    let rules = closed.source().rules;
    let mut source = closed.source();
    (source.revision, source.rules) = (2, Arc::clone(&rules));
    let first = before.next(source).unwrap();
    assert!(!ask(&before) && !ask(&first));
    let mut source = open(vec![public("/healthz", &[])]).source();
    (source.revision, source.rules) = (3, Arc::clone(&rules));
    let second = first.next(source).unwrap();
    assert!(ask(&second), "the rules are the same, the application is not");
    let mut source = closed.source();
    (source.revision, source.rules) = (4, rules);
    assert!(!ask(&second.next(source).unwrap()));
}

#[test]
fn h13_paths_are_read_where_a_rule_or_a_public_path_asks_for_them() {
    let wiki = |scope: &str, action: &str| {
        format!("permit (principal is User, {action}, {scope}) when {{ context.path == \"/a\" }};")
    };
    let http = "action == Action::\"http\"";
    let (here, there) = (format!("resource in Site::\"{LAB}\""), format!("resource in Site::\"{OFFICE}\""));
    let this = format!("resource == Resource::\"{WIKI}\"");
    for (world, expected) in [
        (world(), PathReading::Verbatim),
        (world().grant(wiki_grant()), PathReading::Verbatim),
        (open(vec![public("/healthz", &[])]), PathReading::Strict),
        (world().policy(&wiki("resource", http)), PathReading::Strict),
        (world().policy(&wiki(&here, http)), PathReading::Strict),
        (world().policy(&wiki(&this, http)), PathReading::Strict),
        (world().policy(&wiki(&there, http)), PathReading::Verbatim),
        (
            world().policy(&format!(
                "forbid (principal, action, resource) when {{ {http} && context.path like \"/admin*\" }};"
            )),
            PathReading::Strict,
        ),
        (
            published(Web { paths: PathReading::StrictOpaqueSlash, ..Web::default() }),
            PathReading::StrictOpaqueSlash,
        ),
        (
            published(Web { paths: PathReading::Verbatim, ..Web::default() }).policy(&wiki("resource", http)),
            PathReading::Verbatim,
        ),
    ] {
        assert_eq!(reading(&world.build()), expected, "{:?}", world.rules.policies);
    }
}

#[test]
fn h13_paths_are_read_where_they_say_which_application_is_asked() {
    let with = |wiki: Web, neighbour: Web| {
        let mut world = published(wiki);
        let id = ResourceId::from_bytes([77; 16]);
        let wiki = world.places.resources.iter().find(|resource| resource.id == WIKI).unwrap();
        let name = "neighbour".parse().unwrap();
        let neighbour = Resource { id, name, web: Some(Arc::new(neighbour)), ..Resource::clone(wiki) };
        world.places.resources.push(Arc::new(neighbour));
        reading(&world.build())
    };
    let at = |host: &str, path: &str| Web {
        hosts: if host.is_empty() { vec![] } else { vec![host.into()] },
        path: path.into(),
        ..Web::default()
    };
    assert_eq!(with(at("www.example", ""), at("www.example", "/api")), PathReading::Strict);
    assert_eq!(with(at("www.example", "/api"), Web::default()), PathReading::Strict);
    assert_eq!(with(at("", "/api"), Web::default()), PathReading::Strict);
    assert_eq!(with(at("", ""), at("wiki.apps.example", "/api")), PathReading::Strict);
    assert_eq!(with(at("www.example", ""), at("other.example", "/api")), PathReading::Verbatim);
    assert_eq!(with(at("", ""), at("wikis.apps.example", "/api")), PathReading::Verbatim);
}

#[test]
fn h13_a_path_that_is_not_read_satisfies_no_permit_and_every_forbid_that_asks_for_it() {
    let unread = asks_for(&ann(), "GET", "");
    for pattern in ["*", "", "/*"] {
        let text = format!(
            "permit (principal is User, action == Action::\"http\", resource) when {{ context.path like \"{pattern}\" }};"
        );
        assert!(world().policy(&text).decide(&unread).is_err(), "{pattern}");
        let unless = text.replace("when", "unless");
        assert!(world().policy(&unless).decide(&unread).is_err(), "unless {pattern}");
    }
    let granted = world().grant(wiki_grant());
    assert!(granted.decide(&unread).is_ok());
    let forbidden = granted.policy(
        "forbid (principal, action == Action::\"http\", resource) when { context.path like \"/admin/*\" };",
    );
    let denied = forbidden.decide(&unread).unwrap_err();
    assert_eq!(denied.reason(), DenyReason::RuleError);
    let record = denied.record();
    assert!(record.determining[0].error.as_ref().unwrap().contains("path"), "{record:?}");
    assert!(forbidden.decide(&asks_for(&ann(), "GET", "/a")).is_ok());
    assert!(forbidden.decide(&asks_for(&ann(), "GET", "/admin/a")).is_err());
}

#[test]
fn h13_no_rule_asks_whether_there_is_a_path() {
    let none = BTreeSet::new();
    for text in [
        "forbid (principal, action, resource) when { context has path && context.path like \"/admin/*\" };",
        "permit (principal is User, action == Action::\"http\", resource) unless { context has path && context.path == \"/x\" };",
    ] {
        let fault = check_policy(text, &none, &none).unwrap_err().to_string();
        assert!(fault.contains("write `action == Action::\"http\"`"), "{fault}");
    }
    let text = "forbid (principal, action, resource) when { action == Action::\"http\" && context.path like \"/admin/*\" };";
    check_policy(text, &none, &none).unwrap();
}

/// The example of `docs/policy.md`.
#[test]
fn h13_a_rule_decides_by_method_and_path() {
    let world = world().policy(&format!(
        "permit (principal in Group::\"{STAFF}\", action == Action::\"http\", resource == Resource::\"{WIKI}\")
         when {{ [\"GET\", \"HEAD\"].contains(context.method) }}
         unless {{ context.path == \"/admin\" || context.path like \"/admin/*\" }};"
    ));
    assert_eq!(reading(&world.build()), PathReading::Strict);
    for (method, path, allowed) in [
        ("GET", "/page", true),
        ("HEAD", "/administrators", true),
        ("POST", "/page", false),
        ("GET", "/admin", false),
        ("GET", "/admin/x", false),
        ("GET", "", false),
    ] {
        assert_eq!(world.decide(&asks_for(&ann(), method, path)).is_ok(), allowed, "{method} {path}");
    }
}

#[test]
fn a_grant_of_http_reaches_people_and_programs_and_nobody_else() {
    let world = world().grant(wiki_grant());
    assert!(world.decide(&asks_for(&ann(), "POST", "/any")).is_ok());
    assert!(world.decide(&asks_for(&robot(), "GET", "/any")).is_ok());
    assert!(world.decide(&asks_for(&bob(), "GET", "/any")).is_err());
    assert!(world.decide(&nobody("GET", "/any")).is_err());
    let connect = Request { resource: Asked::Id(WIKI), ..asks(&ann()) };
    assert!(world.decide(&connect).is_err());
}

fn any_path() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "ab", "a b", "é", "a\"b", "*", "a*", "", "%2f"]);
    prop::collection::vec(segment, 1..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn any_public() -> impl Strategy<Value = PublicPath> {
    let methods = select(vec![vec![], vec!["POST"], vec!["GET", "PROPFIND"]]);
    (any_path(), any::<bool>(), methods).prop_map(|(path, below, methods)| {
        let path = if below { format!("{}/*", path.trim_end_matches('/')) } else { path };
        public(&path, &methods)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(sized(192, 20_000)))]

    /// What is evaluated and what the model says are the same, wildcards and quotes in paths included.
    #[test]
    fn h14_the_rule_of_a_public_path_says_what_the_path_says(
        paths in prop::collection::vec(any_public(), 1..4),
        asked in prop::collection::vec((select(vec!["GET", "HEAD", "POST", "PROPFIND", "OPTIONS"]), any_path()), 8),
    ) {
        let snapshot = open(paths.clone()).build();
        for (method, path) in asked {
            let covered = paths.iter().any(|public| public.covers(method, &path));
            let answer = decide(&nobody(method, &path), &snapshot, Staleness::FRESH, NOW);
            prop_assert_eq!(answer.is_ok(), covered, "{} {} in {:?}", method, path, paths);
        }
    }
}

#[test]
fn public_paths_count_as_rules() {
    let world = open(vec![public("/a", &[]); 20_001]);
    let error = world.try_build().unwrap_err().to_string();
    assert!(error.contains("20001 rules"), "{error}");
}
