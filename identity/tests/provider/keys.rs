//! The provider's keys: rotated, away, or none at all.

use crate::{logout_token, now, rand_entropy, rejected, signed_in, support::Idp};
use postern_identity::oidc::{Rejected, StepUp};
use serde_json::json;
use std::time::{Duration, Instant};

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

async fn count(idp: &Idp, path: &str) -> u64 {
    idp.order("/count", json!({ "path": path })).await["count"].as_u64().unwrap()
}
