//! What a policy text must satisfy before it may stand.

use crate::world::*;
use postern_policy::{SnapshotError, check_policy, exchange_entities};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn fault(text: &str) -> String {
    let known = BTreeSet::from(["office-hours"]);
    match check_policy(text, &known, &BTreeSet::from(["8h"])) {
        Ok(()) => panic!("accepted: {text}"),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn text_that_does_not_parse_is_refused_with_its_position() {
    let text = "permit (principal is User, action, resource)\nwhen { context.source. };";
    let fault = fault(text);
    assert!(fault.contains("at line 2, column"), "{fault}");
}

#[test]
fn any_use_of_time_is_refused_and_windows_are_named() {
    for condition in [
        "context.time == 3",
        "context.now < 5",
        "datetime(\"2026-01-01\") < datetime(\"2027-01-01\")",
        "duration(\"1h\") < duration(\"2h\")",
        "datetime(\"2026-01-01\").toDate() == datetime(\"2026-01-01\")",
        "context has hour",
    ] {
        let fault = fault(&format!("permit (principal is User, action, resource) when {{ {condition} }};"));
        assert!(fault.contains("rules have no clock"), "{condition}: {fault}");
    }
}

#[test]
fn the_ssh_login_name_is_refused_with_that_reason() {
    for condition in ["context.login == \"root\"", "context has ssh_user", "principal.username == \"x\""] {
        let fault = fault(&format!("forbid (principal, action, resource) when {{ {condition} }};"));
        assert!(fault.contains("the SSH login name is not visible to the gateway"), "{condition}: {fault}");
    }
}

#[test]
fn an_attribute_that_does_not_exist_is_refused_even_under_has() {
    // Cedar itself takes the first for a constant false, so the permit would always hold.
    for (condition, word) in [
        ("unless { context has mfa_tody }", "mfa_tody"),
        ("unless { principal has suspended }", "suspended"),
        ("when { resource.lables == \"x\" }", "lables"),
        ("unless { resource has env }", "env"),
        ("unless { {a: true} has b }", "`b`"),
    ] {
        let fault = fault(&format!("permit (principal is User, action, resource) {condition};"));
        assert!(fault.contains(word) && fault.contains("has no attribute"), "{condition}: {fault}");
    }
}

#[test]
fn a_name_in_quotes_that_does_not_exist_is_refused() {
    let unknown = fault("forbid (principal, action, resource) when { context.windows.contains(\"ofice\") };");
    assert!(unknown.contains("there is no window `ofice` at line 1"), "{unknown}");
    let unknown =
        fault("forbid (principal, action, resource) when { context.sign_in_within.contains(\"9h\") };");
    assert!(unknown.contains("there is no threshold `9h`"), "{unknown}");
}

#[test]
fn windows_can_only_be_asked_by_name() {
    for condition in [
        "context.windows == [\"office-hours\"]",
        "context.windows.isEmpty()",
        "[\"office-hours\"].containsAll(context.windows)",
        "context.windows.contains(context.idp)",
    ] {
        let text = format!(
            "permit (principal is User, action, resource) when {{ context has idp && {condition} }};"
        );
        let fault = fault(&text);
        assert!(
            fault.contains("can only be asked") || fault.contains("nothing else can be asked"),
            "{condition}: {fault}"
        );
    }
}

#[test]
fn entities_are_named_by_id_only() {
    let fault = fault("permit (principal in Group::\"devs\", action, resource);");
    assert!(fault.contains("Group::\"devs\" is not an id") && fault.contains("line 1, column 30"), "{fault}");
    let mixed = format!("permit (principal in Group::\"{ANN}\", action, resource);");
    assert!(self::fault(&mixed).contains("is not an id"));
}

#[test]
fn no_stored_rule_speaks_of_administration() {
    for text in [
        "permit (principal is User, action == Action::\"admin::change\", resource);",
        "permit (principal is User, action in [Action::\"admin\"], resource);",
        "permit (principal is User, action, resource) when { action == Action::\"admin::view\" };",
    ] {
        let fault = fault(text);
        assert!(fault.contains("come from the group `owners`"), "{text}: {fault}");
    }
}

#[test]
fn a_permit_for_nobody_in_particular_is_refused() {
    for text in
        ["permit (principal, action, resource);", "permit (principal, action == Action::\"http\", resource);"]
    {
        assert!(fault(text).contains("not signed in"), "{text}");
    }
    let known = BTreeSet::new();
    for text in [
        "forbid (principal, action, resource);",
        "permit (principal, action == Action::\"connect\", resource);",
    ] {
        check_policy(text, &known, &known).unwrap();
    }
}

#[test]
fn one_text_is_one_policy() {
    let two = "forbid (principal, action, resource); permit (principal is User, action, resource);";
    for text in ["", "   ", "// nothing", two, "permit (principal == ?principal, action, resource);"] {
        fault(text);
    }
}

#[test]
fn entities_that_are_not_asked_about_cannot_be_looked_into() {
    for condition in [
        format!("Group::\"{DEVS}\" in Group::\"{STAFF}\""),
        format!("Resource::\"{DB}\" in Site::\"{OFFICE}\""),
        format!("Resource::\"{DB}\".kind == Kind::\"ssh\""),
        format!("Resource::\"{DB}\".hasTag(\"env\")"),
        format!("(if principal in Group::\"{DEVS}\" then resource else Resource::\"{DB}\").hasTag(\"env\")"),
    ] {
        fault(&format!("forbid (principal, action, resource) when {{ {condition} }};"));
    }
}

#[test]
fn one_bad_policy_refuses_the_whole_snapshot_and_is_named_with_its_position() {
    let world =
        world().grant(grant(1)).policy("forbid (principal, action, resource)\nwhen { context.typo };");
    let error = world.try_build().unwrap_err();
    let SnapshotError::Rule { kind, name, position, .. } = error else { panic!("{error}") };
    assert_eq!((kind, name.as_str()), ("policy", "policy-0"));
    assert_eq!(position.map(|p| (p.line, p.column)), Some((2, 16)));
}

/// Text that looks like Cedar as often as not.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = [
        "permit (",
        "forbid (",
        "principal",
        ", ",
        "action",
        "resource",
        ")",
        " when { ",
        " unless { ",
        " }",
        ";",
        "context",
        ".",
        "windows",
        "contains(",
        "\"office-hours\"",
        " has ",
        "idp",
        " && ",
        " || ",
        "!",
        "(",
        "[",
        "]",
        "{",
        "}",
        "//",
        "\n",
        "\"",
        "\\",
        "::",
        "Group",
        "User",
        " in ",
        " == ",
        " is ",
        "if ",
        " then ",
        " else ",
        "1",
        " + ",
        "true",
        "ip(\"10.0.0.0/8\")",
        "like \"*\"",
        "é",
        "\u{202e}",
        "\u{0}",
        "@a(\"b\")",
        "?principal",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// D16: no text panics, and whatever is refused is refused with a reason.
    #[test]
    fn any_text_is_accepted_or_refused_with_a_reason(text in prop_oneof![any_text(), any::<String>()], condition in any_text()) {
        let known = BTreeSet::from(["office-hours"]);
        for text in [text, format!("forbid (principal, action, resource) when {{ {condition} }};")] {
            if let Err(fault) = check_policy(&text, &known, &known) {
                prop_assert!(!fault.message.is_empty());
            } else {
                world().policy(&text).try_build().unwrap();
            }
        }
    }

    #[test]
    fn exchanging_nothing_changes_nothing(text in prop_oneof![any_text(), any::<String>()]) {
        prop_assert_eq!(exchange_entities(&text, |_, _| None), text);
    }
}
