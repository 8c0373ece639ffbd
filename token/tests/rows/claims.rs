//! Whom a token is for, who made it, and when.

use crate::forge::{self, Forge, NOW};
use postern_token::{ACCESS_AUDIENCE, Expect, KeySet, Rejected, verify_access};
use serde_json::json;

#[test]
fn j06_only_exactly_our_audience_is_accepted() {
    let forge = Forge::new();
    assert_eq!(forge.access(&forge.without_claim("aud")), Err(Rejected::AudInvalid));
    for aud in [
        json!(["postern"]),
        json!(["postern", "other"]),
        json!("other"),
        json!(["other", "postern"]),
        json!([]),
        json!("https://app.example"),
        json!("Postern"),
        json!("postern "),
        json!(""),
        json!(1),
        json!(null),
        json!({"0": "postern"}),
    ] {
        assert_eq!(forge.access(&forge.with_claim("aud", aud.clone())), Err(Rejected::AudInvalid), "{aud}");
    }
}

#[test]
fn j06_a_grant_held_by_another_connector_and_a_ticket_of_another_installation_are_refused() {
    let (grant, ticket) = (Forge::grant(), Forge::ticket());
    let other = forge::connector(9).to_string();
    assert_eq!(grant.held_verdict(&grant.with_claim("aud", json!(other))), Err(Rejected::AudInvalid));
    assert_eq!(grant.held_verdict(&grant.without_claim("aud")), Err(Rejected::AudInvalid));
    let elsewhere = json!("https://other.example");
    assert_eq!(
        ticket.ticket_verdict(&ticket.with_claim("aud", elsewhere.clone())),
        Err(Rejected::AudInvalid)
    );
    assert_eq!(
        ticket.ticket_verdict(&ticket.with_claim("iss", elsewhere.clone())),
        Err(Rejected::IssInvalid)
    );
    assert_eq!(grant.held_verdict(&grant.with_claim("iss", elsewhere)), Err(Rejected::IssInvalid));
}

#[test]
fn j07_only_exactly_our_issuer_is_accepted() {
    let forge = Forge::new();
    assert_eq!(forge.access(&forge.without_claim("iss")), Err(Rejected::IssInvalid));
    for iss in [
        json!("https://gw.example/"),
        json!("https://GW.example"),
        json!("HTTPS://gw.example"),
        json!("https://gw.example:443"),
        json!("https://xn--gw-example.example"),
        json!(" https://gw.example"),
        json!(""),
        json!(["https://gw.example", "https://other.example"]),
        json!({"0": "https://gw.example"}),
        json!(1),
        json!("https://gw.exаmple"),
        json!("http://gw.example"),
        json!(["https://gw.example"]),
        json!("https://other.example"),
        json!(null),
        json!(true),
    ] {
        assert_eq!(forge.access(&forge.with_claim("iss", iss.clone())), Err(Rejected::IssInvalid), "{iss}");
    }
}

#[test]
fn j07_the_issuer_of_another_pinned_key_set_is_refused_even_with_a_key_of_the_same_name() {
    let forge = Forge::new();
    let other = "https://other.example";
    let mut keys = KeySet::of(forge::ISSUER, [forge.key.verifying().clone()]);
    keys.insert(other, forge.key.verifying().clone()).unwrap();
    let theirs = forge.with_claim("iss", json!(other));
    let verdict =
        |issuer| verify_access(&theirs, &keys, Expect { issuer, audience: ACCESS_AUDIENCE }, NOW).map(drop);
    assert_eq!(verdict(forge::ISSUER), Err(Rejected::IssInvalid));
    assert_eq!(verdict(other), Ok(()));
}

#[test]
fn j08_times_are_whole_seconds_and_are_enforced_with_a_bounded_skew() {
    let forge = Forge::new();
    let now = NOW.as_secs();
    for (claim, value, verdict) in [
        ("exp", json!(now - 31), Err(Rejected::Expired)),
        ("exp", json!(now - 30), Err(Rejected::Expired)),
        ("exp", json!(now - 29), Ok(())),
        ("nbf", json!(now + 30), Ok(())),
        ("nbf", json!(now + 31), Err(Rejected::NotYetValid)),
        ("iat", json!(now + 30), Ok(())),
        ("iat", json!(now + 31), Err(Rejected::NotYetValid)),
    ] {
        assert_eq!(forge.access(&forge.with_claim(claim, value.clone())), verdict, "{claim} {value}");
    }
    for claim in ["exp", "nbf", "iat", "auth_time"] {
        assert_eq!(
            forge.access(&forge.without_claim(claim)),
            Err(Rejected::ClaimFormat),
            "{claim} is missing"
        );
        for value in [
            json!(now.to_string()),
            json!(1.5),
            json!(now as f64),
            json!(true),
            json!({"seconds": now}),
            json!(1e300),
            json!(-1),
            json!(null),
            json!([now]),
            json!(u64::MAX),
            json!(253_402_300_800_i64),
        ] {
            assert_eq!(
                forge.access(&forge.with_claim(claim, value.clone())),
                Err(Rejected::ClaimFormat),
                "{claim} {value}"
            );
        }
    }
}

#[test]
fn j08_a_life_longer_than_its_kind_allows_is_refused() {
    let forge = Forge::new();
    let now = NOW.as_secs();
    assert_eq!(forge.access(&forge.with_claim("exp", json!(now + 24 * 3600))), Err(Rejected::ClaimFormat));
    let forge = forge.claim("iat", json!(now - 100)).claim("exp", json!(now - 100));
    assert_eq!(forge.access(&forge.token()), Err(Rejected::ClaimFormat), "no time at all");
}

#[test]
fn j08_a_held_grant_may_be_old_but_not_from_the_future_and_a_ticket_ends() {
    let (grant, ticket) = (Forge::grant(), Forge::ticket());
    let now = NOW.as_secs();
    let old = Forge::grant().claim("iat", json!(now - 9_000_000)).claim("nbf", json!(now - 9_000_000));
    let old = old.claim("exp", json!(now - 9_000_000 + 60));
    assert_eq!(old.held_verdict(&old.token()), Ok(()));
    assert_eq!(old.grant_verdict(&old.token()), Err(Rejected::Expired));
    for claim in ["iat", "nbf"] {
        let future = grant.with_claim(claim, json!(now + 31));
        assert_eq!(grant.held_verdict(&future), Err(Rejected::NotYetValid), "{claim}");
    }
    assert_eq!(ticket.ticket_verdict(&ticket.with_claim("exp", json!(now - 30))), Err(Rejected::ClaimFormat));
    let spent = Forge::ticket().claim("iat", json!(now - 100)).claim("exp", json!(now - 30));
    assert_eq!(spent.ticket_verdict(&spent.token()), Err(Rejected::Expired));
    let week = 7 * 24 * 3600;
    assert_eq!(ticket.ticket_verdict(&ticket.with_claim("exp", json!(now + week))), Ok(()));
    let longer = ticket.with_claim("exp", json!(now + week + 1));
    assert_eq!(ticket.ticket_verdict(&longer), Err(Rejected::ClaimFormat));
}

#[test]
fn t06_a_ticket_or_held_grant_that_does_not_say_whose_session_it_is_is_refused() {
    let (grant, ticket) = (Forge::grant(), Forge::ticket());
    for claim in ["session", "stream", "principal", "ses", "resource", "cnf"] {
        assert_eq!(
            ticket.ticket_verdict(&ticket.without_claim(claim)),
            Err(Rejected::ClaimFormat),
            "{claim}"
        );
        assert_eq!(grant.held_verdict(&grant.without_claim(claim)), Err(Rejected::ClaimFormat), "{claim}");
    }
    for claim in ["connector", "instance"] {
        assert_eq!(
            ticket.ticket_verdict(&ticket.without_claim(claim)),
            Err(Rejected::ClaimFormat),
            "{claim}"
        );
    }
    let good = serde_json::to_value(forge::session_claims()).unwrap();
    for (member, value) in [
        ("generation", json!(-1)),
        ("generation", json!(4_294_967_296_u64)),
        ("action", json!("http")),
        ("action", json!("admin")),
        ("source", json!("nowhere")),
        ("credential", json!("none")),
        ("credential", json!({"token": {}, "sign_in": {}})),
        ("started_at", json!("2026-01-01T00:00:00Z")),
    ] {
        let mut ses = good.clone();
        ses[member] = value.clone();
        let verdict = ticket.ticket_verdict(&ticket.with_claim("ses", ses.clone()));
        assert_eq!(verdict, Err(Rejected::ClaimFormat), "{member} {value}");
        assert_eq!(grant.held_verdict(&grant.with_claim("ses", ses.clone())), Err(Rejected::ClaimFormat));
        // A connector that cannot read the facts does not take the grant for one without them.
        assert_eq!(grant.grant_verdict(&grant.with_claim("ses", ses)), Err(Rejected::ClaimFormat));
    }
}
