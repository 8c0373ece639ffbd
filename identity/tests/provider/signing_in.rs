//! The way to the provider and back: every answer belongs to the sign-in that asked for it.

use crate::{
    begin, finish, now, rejected, signed_in,
    support::{self, Idp},
};
use postern_identity::oidc::{Callback, Provider, ProviderConfig, ProviderError, Rejected, StepUp};
use serde_json::json;
use std::time::{Duration, Instant};

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
