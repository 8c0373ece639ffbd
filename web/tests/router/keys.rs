//! The gateway's keys over the years: each is known before it signs and as long as what it signed may live.

use crate::gate::{Gate, ISSUER, OWNER};
use axum::http::StatusCode;
use postern_ids::{ConnectorId, ResourceId, SessionId, Timestamp};
use postern_token::{ANNOUNCED_MAX, Expect, GrantClaims, PinnedKeys, TimedKey, mint_grant, verify_access};
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the hourly task of each gateway does, for this long.
async fn lives_on(gate: &Gate, days: u32) {
    for _ in 0..days {
        gate.later(DAY);
        gate.keys.refresh(&gate.store, gate.now()).await.unwrap();
    }
}

fn connector() -> ConnectorId {
    ConnectorId::mint(Timestamp::EPOCH, [1; 10])
}

/// What a connector that enrolls now pins, through the file in which it keeps it.
fn enrolled(gate: &Gate) -> PinnedKeys {
    let keys = gate.keys.keys();
    PinnedKeys::new(
        ISSUER,
        keys.grant_public().map(|key| TimedKey::from_jwk(&key.to_jwk()).unwrap()).collect(),
    )
}

#[tokio::test]
async fn j13_keys_of_access_tokens_are_rotated_with_overlap_and_an_unknown_one_is_looked_up_nowhere() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let first = gate.keys.keys().access_signer(gate.now()).unwrap().kid().to_owned();
    lives_on(&gate, 31).await;
    let keys = gate.keys.keys();
    assert_ne!(keys.access_signer(gate.now()).unwrap().kid(), first);
    assert_eq!(
        keys.access_public().filter(|key| key.kid() == first).count(),
        1,
        "the older one is published on"
    );
    let expect = Expect { issuer: ISSUER, audience: "postern" };
    let back_then = gate.now().minus(31 * DAY);
    assert!(verify_access(&owner, keys.access_keys(), expect, back_then).is_ok());
    lives_on(&gate, 2).await;
    assert_eq!(gate.keys.keys().access_public().filter(|key| key.kid() == first).count(), 0);
    // Whatever names strangers send, the keys are those of the store: nothing is asked for and nothing grows.
    let before = gate.keys.keys().access_public().count();
    for n in 0..1_000 {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"stranger-{n}"}}"#);
        let forged = owner.replacen(owner.split('.').next().unwrap(), &encoded(&header), 1);
        assert_eq!(gate.get("/me", &forged).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(gate.keys.keys().access_public().count(), before);
}

fn encoded(text: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn j13_grant_keys_are_rotated_and_a_connector_that_was_away_for_a_year_follows() {
    let gate = Gate::open().await;
    let mut away = enrolled(&gate);
    let mut present = enrolled(&gate);
    let first = gate.keys.keys().grant_signer(gate.now()).unwrap().kid().to_owned();
    for _ in 0..365 {
        lives_on(&gate, 1).await;
        let announcement = gate.keys.announcement(gate.now()).unwrap();
        present.learn(announcement.as_bytes(), gate.now()).unwrap();
        let signer = gate.keys.keys().grant_signer(gate.now()).unwrap().clone();
        assert!(present.keys().iter().any(|held| held.key == *signer.verifying()), "it knows who signs");
    }
    let signer = gate.keys.keys().grant_signer(gate.now()).unwrap().clone();
    assert_ne!(signer.kid(), first);
    assert!(away.keys().iter().all(|held| held.key != *signer.verifying()));
    let announcement = gate.keys.announcement(gate.now()).unwrap();
    assert_eq!(away.learn(announcement.as_bytes(), gate.now()), Ok(true));
    assert!(away.keys().iter().any(|held| held.key == *signer.verifying()));
    assert!(present.keys().len() <= ANNOUNCED_MAX, "what is over is forgotten: {}", present.keys().len());
}

#[tokio::test]
async fn an_owner_rotates_the_grant_key_and_nobody_else_does() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let bob = json!({"kind": "user", "name": "bob", "password": {"value": OWNER.1}});
    assert_eq!(gate.apply(&owner, json!([bob])).await.status, StatusCode::OK);
    let bob = gate.login("bob", OWNER.1).await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(gate.post("/grant-keys/rotate", &bob, json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(gate.post("/grant-keys/rotate", "", json!({})).await.status, StatusCode::UNAUTHORIZED);

    let old = gate.keys.keys().grant_signer(gate.now()).unwrap().kid().to_owned();
    let mut connector_keys = enrolled(&gate);
    let rotated = gate.post("/grant-keys/rotate", &owner, json!({})).await;
    assert_eq!(rotated.status, StatusCode::OK, "{rotated:?}");
    let next = rotated.json()["key"].as_str().unwrap().to_owned();
    assert_ne!(next, old);
    tokio::time::timeout(Duration::from_secs(5), gate.keys.grants_changed()).await.expect("links are told");
    let again = gate.post("/grant-keys/rotate", &owner, json!({})).await;
    assert_eq!(again.json(), rotated.json(), "one successor at a time");

    assert_eq!(gate.keys.keys().grant_signer(gate.now()).unwrap().kid(), old, "it signs after the overlap");
    let announcement = gate.keys.announcement(gate.now()).unwrap();
    assert_eq!(connector_keys.learn(announcement.as_bytes(), gate.now()), Ok(true));
    gate.later(Duration::from_secs(2 * 3600));
    let signer = gate.keys.keys().grant_signer(gate.now()).unwrap().clone();
    assert_eq!(signer.kid(), next);
    let grant = mint_grant(&grant(gate.now()), &signer).unwrap();
    assert!(connector_keys.verify_grant(&grant, &connector().to_string(), gate.now()).is_ok());
}

fn grant(now: Timestamp) -> GrantClaims {
    GrantClaims {
        iss: ISSUER.to_owned(),
        aud: connector(),
        session: SessionId::mint(now, [4; 10]),
        resource: ResourceId::mint(now, [5; 10]),
        resource_name: "db".to_owned(),
        target_host: "10.0.0.1".to_owned(),
        target_port: 22,
        principal: "alice".to_owned(),
        stream: None,
        cnf: None,
        ses: None,
        iat: now,
        nbf: now,
        exp: now.plus(Duration::from_secs(60)),
        jti: "1".to_owned(),
    }
}
