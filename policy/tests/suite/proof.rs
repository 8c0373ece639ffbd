//! How somebody proved who they are, in the words of their provider: what rules ask of it, and what would be enough.

use crate::world::*;
use postern_policy::{
    DenyReason, Fresher, Request, Staleness, check_policy,
    model::{Credential, SignIn, TokenFacts},
    would_help,
};
use std::{collections::BTreeSet, sync::Arc};

const HARDWARE: &str =
    "permit (principal is User, action, resource) when { context.acr.containsAny([\"phr\", \"phrh\"]) };";

fn with(sign_in: SignIn) -> Request {
    Request { credential: Credential::SignIn(Arc::new(sign_in)), ..asks(&ann()) }
}

fn said(acr: Option<&str>, amr: &[&str]) -> Request {
    let amr = amr.iter().map(|means| (*means).into()).collect();
    with(SignIn { acr: acr.map(Into::into), amr, ..signed_in() })
}

fn helps(world: &World, request: &Request) -> Option<Fresher> {
    would_help(request, &world.build(), Staleness::FRESH, NOW)
}

#[test]
fn rules_ask_for_the_word_and_the_means_of_a_sign_in() {
    let world = world().policy(HARDWARE);
    let reason = |request: &Request| world.decide(request).map(drop).map_err(|deny| deny.reason());
    assert_eq!(reason(&said(Some("phr"), &[])), Ok(()));
    for (acr, amr) in [(None, &[][..]), (Some("PHR"), &[]), (Some("phr phrh"), &[]), (None, &["phr"])] {
        assert_eq!(reason(&said(acr, amr)), Err(DenyReason::NoRule), "{acr:?} {amr:?}");
    }
    let forbid = "forbid (principal is User, action, resource) unless { context.amr.contains(\"hwk\") };";
    let world = crate::world::world().policy(HARDWARE).policy(forbid);
    let reason = |request: &Request| world.decide(request).map(drop).map_err(|deny| deny.reason());
    assert_eq!(reason(&said(Some("phr"), &["pwd"])), Err(DenyReason::Forbidden));
    assert_eq!(reason(&said(Some("phr"), &["pwd", "hwk"])), Ok(()));
}

#[test]
fn a_token_says_nothing_of_how_anybody_signed_in() {
    let world =
        world().policy("permit (principal, action, resource) when { context.acr.contains(\"phr\") };");
    assert!(world.try_build().is_err(), "it would admit nobody in particular");
    let text =
        "permit (principal is ServiceAccount, action, resource) when { context.amr.contains(\"pwd\") };";
    let world = crate::world::world().policy(text);
    assert_eq!(world.decide(&asks(&robot())).unwrap_err().reason(), DenyReason::NoRule);
}

#[test]
fn words_and_means_can_only_be_asked_for_in_quotes() {
    for condition in
        ["context.acr == [\"phr\"]", "context.acr.isEmpty()", "context.amr.contains(context.idp)"]
    {
        let text = format!(
            "permit (principal is User, action, resource) when {{ context has idp && {condition} }};"
        );
        let fault = check_policy(&text, &BTreeSet::new(), &BTreeSet::new()).unwrap_err().to_string();
        assert!(fault.contains("context."), "{condition}: {fault}");
    }
}

#[test]
fn a_grant_asks_for_one_of_several_words() {
    let mut grant = grant(1);
    grant.conditions.acr = vec!["phr".into(), "urn:x:\"y\"".into()];
    assert!(grant.to_cedar().contains("context.acr.containsAny([\"phr\", \"urn:x:\\\"y\\\"\"])"));
    let world = world().grant(grant);
    assert!(world.decide(&said(Some("urn:x:\"y\""), &[])).is_ok());
    assert!(world.decide(&said(None, &[])).is_err());
}

#[test]
fn the_least_that_would_turn_a_denial_is_found() {
    let fresher =
        |second_factor, acr: Option<&str>| Some(Fresher { second_factor, acr: acr.map(str::to_owned) });
    let old = SignIn { at: NOW.minus(hours(9)), mfa_at: None, ..signed_in() };
    let when = |condition: &str| {
        world().policy(&format!("permit (principal is User, action, resource) when {{ {condition} }};"))
    };
    let young = "context.sign_in_within.contains(\"8h\")";
    let factor = "context.mfa_within.contains(\"15m\")";
    let word = "context.acr.contains(\"phr\")";
    for (condition, enough) in [
        (young.to_owned(), fresher(false, None)),
        (factor.to_owned(), fresher(true, None)),
        (word.to_owned(), fresher(false, Some("phr"))),
        (format!("{young} && {factor} && {word}"), fresher(true, Some("phr"))),
        ("context.amr.contains(\"hwk\")".to_owned(), None),
        ("context has idp && context.idp == \"elsewhere\"".to_owned(), None),
    ] {
        assert_eq!(helps(&when(&condition), &with(old.clone())), enough, "{condition}");
    }
    // What rules about other things ask for helps nobody here.
    let elsewhere =
        format!("permit (principal is User, action, resource == Resource::\"{WIKI}\") when {{ {word} }};");
    assert_eq!(helps(&world().policy(&elsewhere), &with(old)), None);
    let token = Credential::Token(Arc::new(TokenFacts { id: TOKEN, expires_at: None }));
    let by_token = Request { credential: token, ..asks(&ann()) };
    assert_eq!(helps(&when(word), &by_token), None, "nobody can prove anything");
}
