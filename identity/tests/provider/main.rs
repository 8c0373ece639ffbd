//! Signing in at a real, certified OpenID provider: the rows of the threat catalogue about OpenID Connect.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and lives at this moment")]

mod support;

use postern_identity::oidc::{
    Callback, EgressRules, Pending, Provider, ProviderConfig, ProviderError, Rejected, SignedIn, StepUp,
};
use postern_ids::Timestamp;
use serde_json::json;
use std::time::{Duration, Instant, SystemTime};
use support::{Browser, Idp};

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

async fn begin(party: &Provider, step_up: StepUp) -> (url::Url, Pending) {
    let begun = party.begin(step_up, rand_entropy(), now(), Instant::now()).await.unwrap();
    (begun.url, begun.pending)
}

/// Three different parts, different each time.
fn rand_entropy() -> [u8; 96] {
    let seed = postern_token::opaque::Opaque::from_entropy(
        postern_token::opaque::OpaqueKind::Cookie,
        std::array::from_fn(|i| u8::try_from((now().as_micros() >> (i % 8)) & 0xff).unwrap_or(0)),
    );
    let hash = seed.hash();
    std::array::from_fn(|i| hash[i % 32].wrapping_add(u8::try_from(i / 32).unwrap_or(0)))
}

async fn finish(party: &Provider, callback: Callback, pending: Pending) -> Result<SignedIn, ProviderError> {
    party.finish(callback, pending, now(), Instant::now()).await
}

async fn signed_in(party: &Provider, browser: &mut Browser, name: &str) -> SignedIn {
    let (url, pending) = begin(party, StepUp::default()).await;
    let callback = browser.sign_in(&url, name).await;
    finish(party, callback, pending).await.unwrap()
}

fn rejected<T: std::fmt::Debug>(result: Result<T, ProviderError>) -> Rejected {
    match result {
        Err(ProviderError::Rejected(rejected)) => rejected,
        other => panic!("not rejected: {other:?}"),
    }
}

#[tokio::test]
async fn a_person_signs_in_with_groups_and_a_verified_address() {
    let idp = Idp::start();
    let party = idp.party("postern");
    party.check(Instant::now()).await.unwrap();
    let alice = signed_in(&party, &mut idp.browser(), "alice").await;
    assert_eq!(alice.person.subject, "alice");
    assert_eq!(alice.person.email.unwrap().as_str(), "alice@example.com");
    assert_eq!(alice.person.groups, ["engineers"]);
    assert_eq!(alice.person.acr.as_deref(), Some("urn:test:password"));
    assert!(alice.refresh_token.is_some() && alice.id_token.is_some());
}

#[tokio::test]
async fn o01_an_answer_to_another_browsers_sign_in_is_refused() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let (url, pending) = begin(&party, StepUp::default()).await;
    let (_, of_another) = begin(&party, StepUp::default()).await;
    let callback = idp.browser().sign_in(&url, "alice").await;
    assert_eq!(rejected(finish(&party, callback.clone(), of_another).await), Rejected::State);
    let without = Callback { state: None, ..callback.clone() };
    assert_eq!(rejected(finish(&party, without, pending.clone()).await), Rejected::State);
    let late =
        party.finish(callback.clone(), pending.clone(), now().plus(Duration::from_secs(601)), Instant::now());
    assert_eq!(rejected(late.await), Rejected::State);
    finish(&party, callback, pending).await.unwrap();
}

#[tokio::test]
async fn o12_a_code_counts_once_and_for_no_other_client() {
    let idp = Idp::start();
    let (party, other) = (idp.party("postern"), idp.party("other"));
    let (url, pending) = begin(&party, StepUp::default()).await;
    let callback = idp.browser().sign_in(&url, "alice").await;
    assert_eq!(rejected(finish(&other, callback.clone(), pending.clone()).await), Rejected::Code);
    let (url, pending) = begin(&party, StepUp::default()).await;
    let callback = idp.browser().sign_in(&url, "alice").await;
    let first = finish(&party, callback.clone(), pending.clone()).await.unwrap();
    assert_eq!(rejected(finish(&party, callback, pending).await), Rejected::Code);
    // The provider takes back what it gave for a code that was used twice.
    let token = first.refresh_token.unwrap();
    assert_eq!(rejected(party.refresh(&token, "alice", now(), Instant::now()).await), Rejected::Ended);
}

#[tokio::test]
async fn o02_a_token_that_was_made_for_another_sign_in_is_refused() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let (url, pending) = begin(&party, StepUp::default()).await;
    let callback = idp.browser().sign_in(&url, "alice").await;
    let mut kept = serde_json::to_value(&pending).unwrap();
    kept["nonce"] = "of another sign-in".into();
    let other = serde_json::from_value(kept).unwrap();
    assert_eq!(rejected(finish(&party, callback, other).await), Rejected::Nonce);
}

#[tokio::test]
async fn o03_the_challenge_is_always_s256_another_each_time_and_has_to_be_promised_where_that_is_strict() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let said = |url: &url::Url, name: &str| {
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap()
    };
    let (one, _) = begin(&party, StepUp::default()).await;
    let (two, _) = begin(&party, StepUp::default()).await;
    for url in [&one, &two] {
        assert_eq!(said(url, "code_challenge_method"), "S256");
        assert_eq!(said(url, "code_challenge").len(), 43);
        assert_eq!(said(url, "redirect_uri"), support::CALLBACK, "O4: the address of this provider alone");
    }
    for part in ["code_challenge", "state", "nonce"] {
        assert_ne!(said(&one, part), said(&two, part), "{part}");
    }
    for methods in [json!(null), json!(["plain"]), json!([])] {
        idp.order("/metadata", json!({ "code_challenge_methods_supported": methods })).await;
        let strict = idp.party("postern").check(Instant::now()).await.unwrap_err();
        assert!(strict.to_string().contains("does not promise PKCE with S256"), "{strict}");
        let config = ProviderConfig { strict_pkce: false, ..party.config().clone() };
        let lenient = Provider::new(config).unwrap();
        let (url, _) = begin(&lenient, StepUp::default()).await;
        assert_eq!(said(&url, "code_challenge_method"), "S256", "sent all the same");
    }
}

#[tokio::test]
async fn o07_groups_of_an_odd_shape_sign_nobody_in() {
    let idp = Idp::start();
    let party = idp.party("postern");
    for groups in [json!("engineers"), json!({ "0": "engineers" }), json!(vec!["g"; 10_000])] {
        idp.order("/people", json!({ "alice": { "groups": groups } })).await;
        let (url, pending) = begin(&party, StepUp::default()).await;
        let callback = idp.browser().sign_in(&url, "alice").await;
        assert_eq!(rejected(finish(&party, callback, pending).await), Rejected::Groups);
    }
}

#[tokio::test]
async fn o02_o03_a_code_of_another_sign_in_does_not_fit_nonce_and_verifier() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let (victims_url, victims) = begin(&party, StepUp::default()).await;
    let (attackers_url, _) = begin(&party, StepUp::default()).await;
    let of_victim = idp.browser().sign_in(&victims_url, "alice").await;
    let of_attacker = idp.browser().sign_in(&attackers_url, "bob").await;
    // The attacker's code under the victim's state: the verifier does not fit.
    let mixed = Callback { code: of_attacker.code, ..of_victim };
    assert_eq!(rejected(finish(&party, mixed, victims).await), Rejected::Code);
}

#[tokio::test]
async fn o04_an_answer_of_another_issuer_and_metadata_of_another_are_refused() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let (url, pending) = begin(&party, StepUp::default()).await;
    let callback = idp.browser().sign_in(&url, "alice").await;
    assert_eq!(callback.iss.as_deref(), Some(idp.issuer.as_str()), "the provider speaks RFC 9207");
    let foreign = Callback { iss: Some("https://other.example".into()), ..callback.clone() };
    assert_eq!(rejected(finish(&party, foreign, pending.clone()).await), Rejected::Issuer);
    let silent = Callback { iss: None, ..callback };
    assert_eq!(rejected(finish(&party, silent, pending).await), Rejected::Issuer);
    for endpoint in ["token_endpoint", "authorization_endpoint", "jwks_uri", "userinfo_endpoint"] {
        let mut wanted = json!({});
        wanted[endpoint] = "http://id.example/x".into();
        idp.order("/metadata", wanted).await;
        let error = idp.party("postern").check(Instant::now()).await.unwrap_err();
        assert!(matches!(error, ProviderError::Metadata(_)), "{endpoint}: {error}");
    }
    idp.order("/metadata", json!({})).await;
    let misspelled = idp.party_with("postern", &format!("{}/", idp.issuer));
    let error = misspelled.check(Instant::now()).await.unwrap_err();
    assert!(
        matches!(error, ProviderError::Metadata(_))
            && error.to_string().contains("as the provider writes it")
    );
}

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
async fn f23_keys_are_rotated_with_and_without_overlap_and_nobody_valid_is_refused() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let start = Instant::now();
    let mut at = start;
    for mode in ["overlap", "cut", "overlap", "cut"] {
        // Another sign-in, later than the pause between two fetches: time is an argument.
        at += Duration::from_secs(11);
        idp.order("/keys", json!({ "mode": mode })).await;
        let begun = party.begin(StepUp::default(), rand_entropy(), now(), at).await.unwrap();
        let callback = idp.browser().sign_in(&begun.url, "alice").await;
        party
            .finish(callback, begun.pending, now(), at)
            .await
            .unwrap_or_else(|error| panic!("{mode}: {error}"));
    }
}

#[tokio::test]
async fn j13_known_keys_are_good_while_the_providers_key_set_is_away() {
    let idp = Idp::start();
    let party = idp.party("postern");
    signed_in(&party, &mut idp.browser(), "alice").await;
    idp.order("/faults", json!({ "status": 500, "pathPart": "/jwks" })).await;
    let later = Instant::now() + Duration::from_secs(3_600);
    let begun = party.begin(StepUp::default(), rand_entropy(), now(), later).await.unwrap();
    let callback = idp.browser().sign_in(&begun.url, "alice").await;
    party.finish(callback, begun.pending, now(), later).await.unwrap();
}

/// A logout token with claims as wanted; what is null is left out.
async fn logout_token(idp: &Idp, changed: serde_json::Value, header: serde_json::Value) -> String {
    let mut claims = json!({
        "iss": idp.issuer, "aud": "postern", "iat": now().as_secs(), "jti": format!("{}", now().as_micros()), "sub": "alice",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    for (name, value) in changed.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let answer = idp.order("/sign", json!({ "claims": claims, "header": header })).await;
    answer["token"].as_str().unwrap().to_owned()
}

async fn count(idp: &Idp, path: &str) -> u64 {
    idp.order("/count", json!({ "path": path })).await["count"].as_u64().unwrap()
}

#[tokio::test]
async fn j13_a_flood_of_unknown_keys_right_after_the_start_is_one_question() {
    let idp = Idp::start();
    let (party, start) = (idp.party("postern"), Instant::now());
    for n in 0..50 {
        let token = logout_token(&idp, json!({}), json!({ "kid": format!("unknown-{n}") })).await;
        assert_eq!(rejected(party.logout_token(&token, now(), start).await), Rejected::LogoutToken);
    }
    assert_eq!(count(&idp, "/jwks").await, 1);
    let later = start + Duration::from_secs(10);
    let token = logout_token(&idp, json!({}), json!({ "kid": "unknown" })).await;
    assert_eq!(rejected(party.logout_token(&token, now(), later).await), Rejected::LogoutToken);
    assert_eq!(count(&idp, "/jwks").await, 2);
}

#[tokio::test]
async fn j13_a_key_set_that_is_none_is_not_believed_whatever_it_is() {
    let idp = Idp::start();
    let elsewhere = format!("{}/elsewhere", idp.issuer);
    for fault in [
        json!({ "status": 404 }),
        json!({ "status": 500 }),
        json!({ "status": 302, "headers": { "location": elsewhere } }),
        json!({ "status": 200, "headers": { "content-type": "text/html" }, "body": "<html>keys</html>" }),
        json!({ "status": 200, "body": "{\"keys\": [\"" , "repeat": 1_000_000 }),
        json!({ "status": 200, "body": "{}", "delayMs": 6_000 }),
    ] {
        let mut wanted = fault.clone();
        wanted["pathPart"] = "/jwks".into();
        let party = idp.party("postern");
        party.check(Instant::now()).await.unwrap();
        idp.order("/faults", wanted).await;
        let token = logout_token(&idp, json!({}), json!({})).await;
        let since = Instant::now();
        assert_eq!(
            rejected(party.logout_token(&token, now(), since).await),
            Rejected::LogoutToken,
            "{fault}"
        );
        assert!(since.elapsed() < Duration::from_millis(5_900), "{fault}");
        idp.order("/faults", json!({})).await;
        // It gets well by itself.
        let later = since + Duration::from_secs(10);
        party.logout_token(&token, now(), later).await.unwrap_or_else(|error| panic!("{fault}: {error}"));
    }
    assert_eq!(count(&idp, "/elsewhere").await, 0, "nobody followed");
}

#[tokio::test]
async fn j13_f23_another_key_under_the_same_id_is_noticed_within_ten_seconds() {
    let idp = Idp::start();
    let (party, start) = (idp.party("postern"), Instant::now());
    let good = |at| {
        let (idp, party) = (&idp, &party);
        async move {
            let token = logout_token(idp, json!({}), json!({})).await;
            party.logout_token(&token, now(), at).await
        }
    };
    good(start).await.unwrap();
    idp.order("/keys", json!({ "mode": "same" })).await;
    assert_eq!(rejected(good(start + Duration::from_secs(9)).await), Rejected::LogoutToken);
    assert_eq!(count(&idp, "/jwks").await, 1, "asked too soon");
    let later = start + Duration::from_secs(10);
    good(later).await.unwrap();
    // For whoever signs in as well.
    idp.order("/keys", json!({ "mode": "same" })).await;
    let later = later + Duration::from_secs(10);
    let begun = party.begin(StepUp::default(), rand_entropy(), now(), later).await.unwrap();
    let callback = idp.browser().sign_in(&begun.url, "alice").await;
    party.finish(callback, begun.pending, now(), later).await.unwrap();
    assert_eq!(count(&idp, "/jwks").await, 3);
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
async fn a_step_up_is_asked_for_and_held_to() {
    let idp = Idp::start();
    let party = idp.party("postern");
    let mut browser = idp.browser();
    signed_in(&party, &mut browser, "alice").await;
    let strong = StepUp { max_age_s: Some(0), acr_values: vec!["urn:test:mfa".into()], login: false };
    let (url, pending) = begin(&party, strong).await;
    assert!(url.query().unwrap().contains("acr_values"));
    let callback = browser.sign_in(&url, "alice").await;
    let alice = finish(&party, callback, pending).await.unwrap();
    assert_eq!(alice.person.acr.as_deref(), Some("urn:test:mfa"));
    let unknown = StepUp { max_age_s: None, acr_values: vec!["urn:test:hardware".into()], login: false };
    let (url, pending) = begin(&party, unknown).await;
    let callback = browser.sign_in(&url, "alice").await;
    assert_eq!(rejected(finish(&party, callback, pending).await), Rejected::NotSteppedUp);
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
