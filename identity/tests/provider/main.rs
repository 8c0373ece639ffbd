//! Signing in at a real, certified OpenID provider: the rows of the threat catalogue about OpenID Connect.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and lives at this moment")]

mod support;

use postern_identity::oidc::{Callback, Pending, Provider, ProviderError, Rejected, SignedIn, StepUp};
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
    finish(&party, callback.clone(), pending.clone()).await.unwrap();
    // O12: the code is spent.
    assert_eq!(rejected(finish(&party, callback, pending).await), Rejected::Code);
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
