//! Grants as Cedar text.

use crate::world::*;
use postern_policy::{
    Asked, Request, check_policy,
    model::{ActionKind, Conditions, Selector, Subject},
};
use std::collections::BTreeSet;

#[test]
fn a_grant_reads_as_cedar() {
    let mut grant = grant(1);
    grant.resources = labels(&[("env", "prod")]);
    grant.conditions = Conditions {
        windows: vec!["office-hours".parse().unwrap()],
        source_cidrs: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        sign_in_within: Some("8h".parse().unwrap()),
        mfa_within: None,
        acr: Vec::new(),
    };
    grant.expires_at = Some(NOW.plus(hours(1)));
    let expected = format!(
        r#"@grant("grant-1")
@expires("2026-03-11T11:00:00Z")
permit (
  principal in Group::"{DEVS}",
  action == Action::"connect",
  resource
)
when {{
  resource.hasTag("env") && resource.getTag("env") == "prod" &&
  context.windows.contains("office-hours") &&
  (context.source.isInRange(ip("10.0.0.0/8")) || context.source.isInRange(ip("fd00::/8"))) &&
  context.sign_in_within.contains("8h")
}};
"#
    );
    assert_eq!(grant.to_cedar(), expected);
}

#[test]
fn every_shape_of_grant_compiles_to_valid_cedar() {
    let subjects =
        [Subject::User(ANN), Subject::Group(DEVS), Subject::ServiceAccount(ROBOT), Subject::Everyone];
    let selectors = [
        Selector::All,
        Selector::Site(OFFICE),
        Selector::Ids(vec![DB]),
        Selector::Ids(vec![DB, WIKI]),
        labels(&[("env", "prod"), ("team", "core")]),
    ];
    let windows = BTreeSet::from(["office-hours", "night"]);
    let thresholds = BTreeSet::from(["8h", "15m"]);
    for subject in subjects {
        for resources in selectors.clone() {
            for actions in [
                vec![ActionKind::Connect],
                vec![ActionKind::Http],
                vec![ActionKind::Http, ActionKind::Connect],
            ] {
                let mut grant = grant(1);
                grant.subjects = vec![subject];
                grant.resources = resources.clone();
                grant.actions = actions;
                grant.conditions.windows = vec!["office-hours".parse().unwrap(), "night".parse().unwrap()];
                grant.conditions.mfa_within = Some("15m".parse().unwrap());
                let text = grant.to_cedar();
                check_policy(&text, &windows, &thresholds).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
            }
        }
    }
}

#[test]
fn a_grant_that_is_empty_somewhere_permits_nothing() {
    for hollow in 0..4 {
        let mut grant = grant(1);
        match hollow {
            0 => grant.subjects = vec![],
            1 => grant.actions = vec![],
            2 => grant.resources = Selector::Ids(vec![]),
            _ => grant.resources = labels(&[]),
        }
        assert_eq!(grant.to_cedar(), "", "{hollow}");
        assert!(world().grant(grant).decide(&asks(&ann())).is_err(), "{hollow}");
    }
}

#[test]
fn selectors_select_exactly_what_they_say() {
    let reaches = |resources, resource| {
        let mut grant = grant(1);
        grant.resources = resources;
        world().grant(grant).decide(&Request { resource: Asked::Id(resource), ..asks(&ann()) }).is_ok()
    };
    let cases = [
        (Selector::All, true, true),
        (Selector::Site(OFFICE), true, false),
        (Selector::Ids(vec![WIKI]), false, true),
        (Selector::Ids(vec![DB, WIKI]), true, true),
        (labels(&[("env", "prod")]), true, false),
        (labels(&[("env", "prod"), ("team", "other")]), false, false),
    ];
    for (selector, db, wiki) in cases {
        assert_eq!(
            (reaches(selector.clone(), DB), reaches(selector.clone(), WIKI)),
            (db, wiki),
            "{selector:?}"
        );
    }
}

#[test]
fn a_window_or_threshold_that_does_not_exist_is_named() {
    let mut grant = grant(1);
    grant.conditions.windows = vec!["lunch".parse().unwrap()];
    let error = world().grant(grant).try_build().unwrap_err().to_string();
    assert!(error.contains("grant-1") && error.contains("there is no window `lunch`"), "{error}");
}
