//! Somebody who is signed in: asked about again, and signed out at either side.

use crate::{begin, logout_token, now, rejected, signed_in, support::Idp};
use postern_identity::oidc::{EgressRules, Provider, ProviderConfig, ProviderError, Rejected, StepUp};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn o09_a_refresh_brings_new_groups_and_a_disabled_person_is_signed_out() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let alice = signed_in(&party, &mut idp.browser(), "alice").await;
    let token = alice.refresh_token.unwrap();
    idp.order("/people", json!({ "alice": { "groups": ["visitors"] } })).await;
    let refreshed = party.refresh(&token, "alice", now(), Instant::now()).await.unwrap().unwrap();
    assert_eq!(refreshed.person.groups, ["visitors"]);
    let next = refreshed.refresh_token.unwrap();
    assert_eq!(rejected(party.refresh(&next, "bob", now(), Instant::now()).await), Rejected::Subject);
    // F22: an outage is not a no.
    idp.order("/faults", json!({ "status": 503 })).await;
    assert!(matches!(
        party.refresh(&next, "alice", now(), Instant::now()).await,
        Err(ProviderError::Away(_))
    ));
    idp.order("/faults", json!({})).await;
    idp.order("/people", json!({ "alice": { "disabled": true } })).await;
    assert_eq!(rejected(party.refresh(&next, "alice", now(), Instant::now()).await), Rejected::Ended);
}

#[tokio::test]
async fn f22_a_provider_that_fails_is_slow_or_shows_another_certificate_is_away() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let alice = signed_in(&party, &mut idp.browser(), "alice").await;
    let token = alice.refresh_token.unwrap();
    let is_away = |answer: Result<_, ProviderError>| matches!(answer, Err(ProviderError::Away(_)));
    for fault in
        [json!({ "status": 500 }), json!({ "status": 200, "body": "<html>" }), json!({ "delayMs": 6_000 })]
    {
        idp.order("/faults", fault.clone()).await;
        assert!(is_away(party.refresh(&token, "alice", now(), Instant::now()).await), "{fault}");
    }
    idp.order("/faults", json!({})).await;
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let egress = EgressRules { allow_private_address: true, ca_pem: Some(stranger.cert.pem()) };
    let other = Provider::new(ProviderConfig { egress, ..party.config().clone() }).unwrap();
    let error = other.check(Instant::now()).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    party.refresh(&token, "alice", now(), Instant::now()).await.unwrap();
}

#[tokio::test]
async fn o10_who_signs_out_here_is_signed_out_at_the_provider_and_led_back() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let mut browser = idp.browser();
    let alice = signed_in(&party, &mut browser, "alice").await;
    let (url, _) = begin(&party, StepUp::default()).await;
    assert!(!browser.asks(&url).await, "the provider knows the person");
    let back = "https://gw.example/signed-out".parse().unwrap();
    let way = party.end_session_url(alice.id_token.as_ref(), &back, Instant::now()).await.unwrap().unwrap();
    assert_eq!(browser.sign_out(&way).await, back);
    let (url, _) = begin(&party, StepUp::default()).await;
    assert!(browser.asks(&url).await, "the provider still knows the person");
}

#[tokio::test]
async fn o11_each_part_of_a_logout_token_has_to_be_right() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let second = now().as_secs();
    for changed in [
        json!({ "events": null }),
        json!({ "events": {} }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": "yes" } }),
        json!({ "nonce": "n" }),
        json!({ "iss": "https://other.example" }),
        json!({ "iss": null }),
        json!({ "aud": "other" }),
        json!({ "aud": ["other"] }),
        json!({ "aud": null }),
        json!({ "jti": null }),
        json!({ "sub": null }),
        json!({ "sub": 7 }),
        json!({ "iat": null }),
        json!({ "iat": second - 1_000 }),
        json!({ "iat": second + 1_000 }),
        json!({ "exp": second - 1 }),
    ] {
        let token = logout_token(&idp, changed.clone(), json!({})).await;
        let answer = party.logout_token(&token, now(), Instant::now()).await;
        assert_eq!(rejected(answer), Rejected::LogoutToken, "{changed}");
    }
    for header in [
        json!({ "typ": "at+jwt" }),
        json!({ "alg": "none" }),
        json!({ "alg": "HS256" }),
        json!({ "crit": ["x"] }),
    ] {
        let token = logout_token(&idp, json!({}), header.clone()).await;
        let answer = party.logout_token(&token, now(), Instant::now()).await;
        assert_eq!(rejected(answer), Rejected::LogoutToken, "{header}");
    }
    let token = logout_token(
        &idp,
        json!({ "aud": ["postern", "other"], "exp": second + 60 }),
        json!({ "typ": "logout+jwt" }),
    )
    .await;
    party.logout_token(&token, now(), Instant::now()).await.unwrap();
}

#[tokio::test]
async fn o11_a_logout_token_is_good_once_and_nothing_else_is_one() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let alice = signed_in(&party, &mut idp.browser(), "alice").await;
    let id_token = secrecy::ExposeSecret::expose_secret(&alice.id_token.unwrap()).to_owned();
    // An ID token is signed with the same key, for us, and names the person; it lacks the event and has a nonce.
    for token in [id_token.as_str(), "", "a.b.c", "a.b", &"x".repeat(20_000)] {
        assert_eq!(rejected(party.logout_token(token, now(), Instant::now()).await), Rejected::LogoutToken);
    }
    // O11: a real one is good once, and for the client that it names.
    idp.order("/faults", json!({ "keepLogoutTokens": true })).await;
    let told = idp.order("/logout", json!({ "person": "alice" })).await;
    let token = told["tokens"][0].as_str().unwrap();
    let other = idp.party("other");
    assert_eq!(rejected(other.logout_token(token, now(), Instant::now()).await), Rejected::LogoutToken);
    let late = now().plus(Duration::from_secs(600));
    assert_eq!(rejected(party.logout_token(token, late, Instant::now()).await), Rejected::LogoutToken);
    let logout = party.logout_token(token, now(), Instant::now()).await.unwrap();
    assert_eq!(logout.subject.as_deref(), Some("alice"));
    assert_eq!(logout.provider_session, alice.person.provider_session);
    assert_eq!(rejected(party.logout_token(token, now(), Instant::now()).await), Rejected::LogoutToken);
    let end = party.end_session_url(None, &"https://gw.example/bye".parse().unwrap(), Instant::now()).await;
    let end = end.unwrap().unwrap();
    assert!(end.as_str().starts_with(&idp.issuer) && end.query().unwrap().contains("client_id=postern"));
}
