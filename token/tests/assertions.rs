//! What applications are told: of one kind, for one application, within its size, and readable for other libraries.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use forge::{ISSUER, NOW, access_claims, decode};
use postern_ids::SessionId;
use postern_token::{
    ACCESS_AUDIENCE, ASSERTION_MAX_BYTES, Alg, AssertionClaims, Expect, KeySet, Occasion, Rejected, SKEW,
    SigningKey, Subject, mint_access, mint_assertion, mint_cloudflare_assertion, mint_pomerium_assertion,
    verify_access, verify_assertion,
};
use serde_json::{Value, json};
use std::time::Duration;

const APP: &str = "https://grafana.apps.example";

fn subject() -> Subject {
    Subject {
        id: "usr_01".to_owned(),
        username: "ada".to_owned(),
        name: Some("Ada Krūmiņa".to_owned()),
        email: Some("ada@example.com".to_owned()),
        groups: vec!["developers".to_owned(), "on-call".to_owned()],
    }
}

fn claims_of(subject: &Subject) -> AssertionClaims {
    let session = SessionId::mint(NOW, [7; 10]);
    AssertionClaims::new(subject, Occasion { issuer: ISSUER, audience: APP, session, nonce: 1 }, NOW)
}

fn key() -> (SigningKey, KeySet) {
    let key = SigningKey::generate(Alg::Es256).unwrap();
    let keys = KeySet::of(ISSUER, [key.verifying().clone()]);
    (key, keys)
}

fn payload(token: &str) -> Value {
    serde_json::from_slice(&decode(token.split('.').nth(1).unwrap())).unwrap()
}

#[test]
fn an_assertion_survives_its_way_and_is_good_for_five_minutes() {
    let (key, keys) = key();
    let token = mint_assertion(&claims_of(&subject()), &key).unwrap();
    let at = |now| verify_assertion(&token, &keys, Expect { issuer: ISSUER, audience: APP }, now);
    assert_eq!(at(NOW).unwrap().into_inner(), claims_of(&subject()));
    let end = NOW.plus(Duration::from_secs(300)).plus(SKEW);
    assert!(at(end.minus(Duration::from_secs(1))).is_ok());
    assert_eq!(at(end).err(), Some(Rejected::Expired));
}

#[test]
fn j06_an_assertion_for_one_application_is_worth_nothing_at_another() {
    let (key, keys) = key();
    let token = mint_assertion(&claims_of(&subject()), &key).unwrap();
    for audience in ["https://other.apps.example", "https://grafana.apps.example:8443", "", ISSUER] {
        let refused = verify_assertion(&token, &keys, Expect { issuer: ISSUER, audience }, NOW);
        assert_eq!(refused.err(), Some(Rejected::AudInvalid), "{audience}");
    }
}

#[test]
fn j09_an_assertion_is_no_access_token_and_an_access_token_no_assertion() {
    let (key, keys) = key();
    let assertion = mint_assertion(&claims_of(&subject()), &key).unwrap();
    let access = mint_access(&access_claims(), &key).unwrap();
    let ours = Expect { issuer: ISSUER, audience: ACCESS_AUDIENCE };
    let theirs = Expect { issuer: ISSUER, audience: APP };
    assert!(verify_access(&access, &keys, ours, NOW).is_ok());
    assert_eq!(verify_access(&assertion, &keys, ours, NOW).err(), Some(Rejected::TypInvalid));
    assert_eq!(verify_assertion(&access, &keys, theirs, NOW).err(), Some(Rejected::TypInvalid));
    // What is made for other products' verifiers is none of ours either.
    for token in [
        mint_pomerium_assertion(&claims_of(&subject()), &key).unwrap(),
        mint_cloudflare_assertion(&claims_of(&subject()), &key).unwrap(),
    ] {
        assert_eq!(verify_access(&token, &keys, ours, NOW).err(), Some(Rejected::TypInvalid));
        assert_eq!(verify_assertion(&token, &keys, theirs, NOW).err(), Some(Rejected::TypInvalid));
    }
}

#[test]
fn whatever_a_provider_says_of_a_person_an_assertion_keeps_its_size() {
    let (key, keys) = key();
    let groups: Vec<String> = (0..500).map(|n| format!("{n:03}-{}", "g".repeat(55))).collect();
    let subject = Subject {
        name: Some("\u{1}\"\u{fc}".repeat(5_000)),
        email: Some(format!("{}@example.com", "a".repeat(300))),
        groups: groups.clone(),
        ..subject()
    };
    let audience = format!("https://{}.example", "a".repeat(240));
    let occasion =
        Occasion { issuer: ISSUER, audience: &audience, session: SessionId::mint(NOW, [7; 10]), nonce: 1 };
    let claims = AssertionClaims::new(&subject, occasion, NOW);
    for token in [
        mint_assertion(&claims, &key).unwrap(),
        mint_pomerium_assertion(&claims, &key).unwrap(),
        mint_cloudflare_assertion(&claims, &key).unwrap(),
    ] {
        assert!(token.len() <= ASSERTION_MAX_BYTES, "{} bytes", token.len());
    }
    assert!(claims.groups_truncated && claims.email.is_none());
    assert!(claims.groups.len() > 10 && groups.starts_with(&claims.groups), "{}", claims.groups.len());
    let token = mint_assertion(&claims, &key).unwrap();
    let verified = verify_assertion(&token, &keys, Expect { issuer: ISSUER, audience: &audience }, NOW);
    assert_eq!(verified.unwrap().into_inner(), claims);
}

#[test]
fn what_fits_is_not_marked_as_cut() {
    let claims = claims_of(&subject());
    assert_eq!(serde_json::to_value(&claims).unwrap().get("groups_truncated"), None);
    assert_eq!(claims.groups, subject().groups);
}

#[test]
fn an_independent_library_reads_an_assertion() {
    let (key, _) = key();
    let token = mint_assertion(&claims_of(&subject()), &key).unwrap();
    let jwk = serde_json::from_value(key.verifying().to_jwk()).unwrap();
    let theirs = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    checks.set_audience(&[APP]);
    checks.set_issuer(&[ISSUER]);
    // The tokens of these tests lie at a fixed time.
    checks.validate_exp = false;
    let read = jsonwebtoken::decode::<Value>(&token, &theirs, &checks).unwrap();
    assert_eq!(read.claims["sub"], "usr_01");
    assert_eq!(read.claims["name"], "Ada Krūmiņa");
    assert_eq!(read.header.kid.as_deref(), Some(key.kid()));
}

#[test]
fn the_shapes_for_other_products_say_the_same() {
    let (key, _) = key();
    let claims = claims_of(&subject());
    let pomerium = payload(&mint_pomerium_assertion(&claims, &key).unwrap());
    let host = json!("grafana.apps.example");
    assert_eq!((&pomerium["iss"], &pomerium["aud"]), (&host, &host));
    assert_eq!((&pomerium["user"], &pomerium["sub"]), (&json!("usr_01"), &json!("usr_01")));
    assert_eq!(pomerium["email"], "ada@example.com");
    assert_eq!(pomerium["groups"], json!(["developers", "on-call"]));

    let cloudflare = payload(&mint_cloudflare_assertion(&claims, &key).unwrap());
    assert_eq!((&cloudflare["iss"], &cloudflare["aud"]), (&json!(APP), &json!([APP])));
    assert_eq!((&cloudflare["type"], &cloudflare["email"]), (&json!("app"), &json!("ada@example.com")));
    let program = Subject { email: None, name: None, ..subject() };
    let cloudflare = payload(&mint_cloudflare_assertion(&claims_of(&program), &key).unwrap());
    assert_eq!((cloudflare.get("email"), &cloudflare["common_name"]), (None, &json!("ada")));
}
