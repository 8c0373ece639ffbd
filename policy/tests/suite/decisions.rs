//! Who gets a yes, who gets a no, and why.

use crate::world::*;
use postern_ids::{Ended, Refusal, Timestamp};
use postern_policy::{
    Asked, DenyReason, Request,
    model::{Credential, Principal, Settings, SignIn, Subject, TokenFacts},
};
use std::{net::IpAddr, sync::Arc};

fn reason(world: &World, request: &Request) -> DenyReason {
    world.decide(request).unwrap_err().reason()
}

#[test]
fn without_a_rule_everything_is_denied() {
    assert_eq!(reason(&world(), &asks(&ann())), DenyReason::NoRule);
    assert_eq!(reason(&world(), &asks(&robot())), DenyReason::NoRule);
}

#[test]
fn a_grant_reaches_members_of_descendant_groups_and_nobody_else() {
    let mut staff = grant(1);
    staff.subjects = vec![Subject::Group(STAFF)];
    let world = world().grant(staff);
    assert!(world.decide(&asks(&ann())).is_ok());
    assert_eq!(reason(&world, &asks(&bob())), DenyReason::NoRule);
}

#[test]
fn a_forbid_beats_every_permit() {
    let world = world()
        .grant(grant(1))
        .policy("forbid (principal, action, resource) when { resource.kind == Kind::\"ssh\" };");
    assert_eq!(reason(&world, &asks(&ann())), DenyReason::Forbidden);
}

#[test]
fn a_forbid_that_cannot_be_evaluated_denies() {
    let world = world()
        .grant(grant(1))
        .policy("forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };");
    assert_eq!(reason(&world, &asks(&ann())), DenyReason::RuleError);
}

#[test]
fn a_permit_that_cannot_be_evaluated_counts_as_absent() {
    let broken = "permit (principal is User, action, resource) when { 9223372036854775807 + 1 != 0 };";
    assert_eq!(reason(&world().policy(broken), &asks(&ann())), DenyReason::NoRule);
    assert!(world().policy(broken).grant(grant(1)).decide(&asks(&ann())).is_ok());
}

#[test]
fn an_unknown_resource_is_a_denial_and_not_an_error() {
    let world = world().grant(grant(1));
    let request = Request { resource: Asked::Name("nowhere".parse().unwrap()), ..asks(&ann()) };
    let deny = world.decide(&request).unwrap_err();
    assert_eq!(deny.reason().as_refusal(), Refusal::NoSuchResource);
    assert_eq!(deny.record().asked, request.resource);
}

#[test]
fn a_resource_is_found_by_name_and_the_permit_knows_which_it_is() {
    let world = world().grant(grant(1));
    let request = Request { resource: Asked::Name("db".parse().unwrap()), ..asks(&ann()) };
    assert_eq!(world.decide(&request).unwrap().resource().id, DB);
}

#[test]
fn a_disabled_user_is_denied_whatever_the_rules_say() {
    let mut world = world().grant(grant(1));
    world.revoked.disabled_users.insert(ANN);
    assert_eq!(reason(&world, &asks(&ann())), DenyReason::PrincipalDisabled);
    assert_eq!(DenyReason::PrincipalDisabled.as_ended(), Ended::UserDisabled);
}

#[test]
fn a_disabled_service_account_and_a_revoked_token_are_denied() {
    let permit = "permit (principal is ServiceAccount, action, resource);";
    let mut world = world().policy(permit);
    assert!(world.decide(&asks(&robot())).is_ok());
    world.revoked.revoked_tokens.insert(TOKEN);
    assert_eq!(reason(&world, &asks(&robot())), DenyReason::CredentialEnded);
    world.revoked.disabled_service_accounts.insert(ROBOT);
    assert_eq!(reason(&world, &asks(&robot())), DenyReason::PrincipalDisabled);
}

#[test]
fn an_ended_sign_in_is_denied_and_ends_sessions_as_signed_out() {
    let mut world = world().grant(grant(1));
    world.revoked.ended_sign_ins.insert(SIGN_IN);
    assert_eq!(reason(&world, &asks(&ann())), DenyReason::CredentialEnded);
    assert_eq!(DenyReason::CredentialEnded.as_ended(), Ended::SignedOut);
}

#[test]
fn a_credential_at_its_expiry_is_over() {
    let world = world().grant(grant(1));
    let with = |expires_at| {
        let credential = Credential::SignIn(Arc::new(SignIn { expires_at, ..signed_in() }));
        Request { credential, ..asks(&ann()) }
    };
    assert_eq!(reason(&world, &with(NOW)), DenyReason::CredentialExpired);
    assert!(world.decide(&with(Timestamp::from_micros(NOW.as_micros() + 1))).is_ok());
}

#[test]
fn a_principal_without_a_fitting_credential_is_denied() {
    let world = world().grant(grant(1)).policy("permit (principal is ServiceAccount, action, resource);");
    let bare = Request { credential: Credential::None, ..asks(&ann()) };
    assert_eq!(reason(&world, &bare), DenyReason::CredentialMissing);
    let borrowed = Request { credential: Credential::SignIn(Arc::new(signed_in())), ..asks(&robot()) };
    assert_eq!(reason(&world, &borrowed), DenyReason::CredentialMissing);
    let token = Credential::Token(Arc::new(TokenFacts { id: TOKEN, expires_at: None }));
    let nobody = Request { credential: token, ..asks(&Arc::new(Principal::anonymous())) };
    assert_eq!(reason(&world, &nobody), DenyReason::CredentialMissing);
}

#[test]
fn the_hard_expiry_is_the_earliest_of_sign_in_settings_and_the_last_grant() {
    let mut short = grant(1);
    short.expires_at = Some(NOW.plus(hours(2)));
    let base = world().grant(short);
    let permit = base.decide(&asks(&ann())).unwrap();
    assert_eq!((permit.expires_at(), permit.recheck_at()), (NOW.plus(hours(2)), NOW.plus(hours(2))));

    // Another grant goes on: the session does too, but it is looked at again when the first one ends.
    let both = base.clone().grant(grant(2));
    let permit = both.decide(&asks(&ann())).unwrap();
    assert_eq!((permit.expires_at(), permit.recheck_at()), (NOW.plus(hours(8)), NOW.plus(hours(2))));

    let mut limited = base;
    limited.rules.settings = Settings { session_max_s: Some(600), ..Settings::default() };
    assert_eq!(limited.decide(&asks(&ann())).unwrap().expires_at(), NOW.plus(minutes(10)));
    let old = Request { started_at: NOW.minus(minutes(10)), ..asks(&ann()) };
    assert_eq!(reason(&limited, &old), DenyReason::SessionTooOld);
}

#[test]
fn an_expired_grant_permits_nothing_and_says_so() {
    let mut over = grant(1);
    over.expires_at = Some(NOW);
    let world = world().grant(over);
    assert_eq!(reason(&world, &asks(&ann())), DenyReason::GrantExpired);
    assert_eq!(DenyReason::GrantExpired.as_ended(), Ended::Expired);
}

#[test]
fn thresholds_hold_until_the_age_is_reached_and_are_boundaries() {
    let text = "permit (principal is User, action, resource) when { context.mfa_within.contains(\"15m\") };";
    let world = world().policy(text);
    let permit = world.decide(&asks(&ann())).unwrap();
    assert_eq!(permit.recheck_at(), NOW.plus(minutes(5)));
    assert_eq!(permit.expires_at(), NOW.plus(hours(8)));
    let with = |mfa_at| {
        let credential = Credential::SignIn(Arc::new(SignIn { mfa_at, ..signed_in() }));
        Request { credential, ..asks(&ann()) }
    };
    assert_eq!(reason(&world, &with(Some(NOW.minus(minutes(15))))), DenyReason::NoRule);
    assert_eq!(reason(&world, &with(None)), DenyReason::NoRule);
    // A factor checked in the future is a clock that lies.
    assert_eq!(reason(&world, &with(Some(NOW.plus(minutes(2))))), DenyReason::NoRule);
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_meets_ipv4_rules() {
    let world = world().grant(grant(1)).policy(
        "forbid (principal, action, resource) when { context.source.isInRange(ip(\"203.0.113.0/24\")) };",
    );
    let mapped: IpAddr = "::ffff:203.0.113.9".parse().unwrap();
    assert_eq!(reason(&world, &Request { source: mapped, ..asks(&ann()) }), DenyReason::Forbidden);
}

#[test]
fn http_rules_see_method_and_path_and_http_needs_a_web_application() {
    let text = "permit (principal is User, action == Action::\"http\", resource) when { context.method == \"GET\" && context.path like \"/docs/*\" };";
    let world = world().policy(text);
    let ask = |resource, action| Request { resource: Asked::Id(resource), action, ..asks(&ann()) };
    assert!(world.decide(&ask(WIKI, http("GET", "/docs/a"))).is_ok());
    assert_eq!(reason(&world, &ask(WIKI, http("POST", "/docs/a"))), DenyReason::NoRule);
    assert_eq!(reason(&world, &ask(WIKI, http("GET", "/admin"))), DenyReason::NoRule);
    assert_eq!(reason(&world, &ask(DB, http("GET", "/docs/a"))), DenyReason::WrongKind);
}

#[test]
fn anonymous_is_admitted_only_where_a_rule_names_it() {
    let everyone = "permit (principal is User, action, resource);";
    let public = "permit (principal is Anonymous, action == Action::\"http\", resource) when { context.path like \"/public/*\" };";
    let nobody = Arc::new(Principal::anonymous());
    let ask = |path| Request { resource: Asked::Id(WIKI), action: http("GET", path), ..asks(&nobody) };
    assert_eq!(reason(&world().policy(everyone), &ask("/public/a")), DenyReason::NoRule);
    let world = world().policy(public);
    assert!(world.decide(&ask("/public/a")).is_ok());
    assert_eq!(reason(&world, &ask("/private")), DenyReason::NoRule);
}

#[test]
fn every_denial_has_its_own_label_and_a_sentence() {
    let labels: std::collections::BTreeSet<_> = DenyReason::ALL.iter().map(|reason| reason.label()).collect();
    assert_eq!(labels.len(), DenyReason::ALL.len());
    for reason in DenyReason::ALL {
        assert!(!reason.sentence().is_empty() && !reason.sentence().ends_with('.'));
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.label());
    }
}
