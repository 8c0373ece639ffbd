//! Our own pages together with a real OpenID provider: on the way to an application, proving again who one is, and out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod leaving;
mod staying;

#[path = "../../../web/tests/router/gate/mod.rs"]
#[expect(dead_code, reason = "the router's own tests use more of it")]
mod gate;
#[path = "../../../identity/tests/provider/support.rs"]
#[expect(dead_code, reason = "the provider's own tests use more of it")]
mod provider;

use axum::http::{StatusCode, header};
use gate::{Answer, Browser, Gate, ISSUER};
use postern_ids::Timestamp;
use postern_web::hand_over::{Arrived, Asked, HandOver, StepUp};
use provider::Idp;
use serde_json::json;
use std::time::{Duration, SystemTime};
use url::Url;

const HOST: &str = "grafana.apps.example";
const PRE: [u8; 32] = [7; 32];

/// A gateway with this one provider, and the owner's token.
async fn world() -> (Gate, Idp, String) {
    let (gate, idp) = (Gate::open().await, Idp::start());
    // The provider is a real one: its tokens are of this time.
    gate.set(Timestamp::from_system(SystemTime::now()));
    let owner = gate.owner().await;
    let provider = json!({
        "kind": "provider", "name": "test", "display_name": "Example Inc.", "issuer": idp.issuer, "client_id": "postern",
        "client_secret": {"value": "a secret of the tests"}, "scopes": ["email", "groups", "offline_access"],
        "groups_claim": "groups", "allow_private_address": true, "ca_pem": idp.certificate,
    });
    let answer = gate.apply(&owner, json!([provider])).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    (gate, idp, owner)
}

fn path(gate: &Gate, next: &str, step_up: Option<StepUp>) -> String {
    let asked = Asked { host: HOST.into(), next: next.into(), binding: PRE, also: Vec::new(), step_up };
    let url = HandOver::new(gate.store.clone(), ISSUER).ask(&asked, gate.now());
    url.strip_prefix(ISSUER).unwrap().to_owned()
}

fn arrived(gate: &Gate, answer: &Answer) -> Arrived {
    let prefix = format!("https://{HOST}/.postern/hand-over?code=");
    let code = answer.location().strip_prefix(&prefix).unwrap_or_else(|| panic!("{answer:?}"));
    HandOver::new(gate.store.clone(), ISSUER).redeem(HOST, PRE, code, gate.now()).unwrap()
}

/// The provider's part: from where our page leads to where it sends the browser back.
async fn at_provider(there: &mut provider::Browser, answer: &Answer, name: &str) -> String {
    let url: Url = answer.location().parse().unwrap();
    let back = there.follow(&url, name).await;
    back.as_str().strip_prefix(ISSUER).unwrap().to_owned()
}

/// The whole way, in one browser.
async fn come(here: &mut Browser<'_>, there: &mut provider::Browser, from: &str, name: &str) -> Answer {
    let answer = here.navigate(from).await;
    let back = at_provider(there, &answer, name).await;
    let answer = here.navigate(&back).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let to = answer.location().to_owned();
    here.navigate(&to).await
}

#[tokio::test]
async fn the_first_visit_leads_to_the_only_provider_and_into_the_application_in_one_chain() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let link = "/d/abc?from=now-6h&to=now";
    let answer = come(&mut here, &mut there, &path(&gate, link, None), "alice").await;
    let first = arrived(&gate, &answer);
    assert_eq!(first.next, link);
    assert!(here.jar.keys().all(|name| !name.starts_with("__Host-postern-oidc")), "{:?}", here.jar.keys());
    // The second application: no provider at all.
    let second = arrived(&gate, &here.navigate(&path(&gate, "/other", None)).await);
    assert_eq!((second.sign_in, second.user), (first.sign_in, first.user));
    // The choice stays at its own address, for whoever has an account of this gateway.
    let choice = Browser::new(&gate).navigate("/sign-in").await;
    assert!(choice.body.contains("Continue with Example Inc.") && choice.body.contains("name=\"password\""));
}

#[tokio::test]
async fn o01_several_tabs_are_at_the_provider_at_once_and_each_answer_counts_once() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let long = format!("/{}", "l".repeat(4_000));
    let mut backs = Vec::new();
    for next in ["/one", &long, "/three"] {
        let answer = here.navigate(&path(&gate, next, None)).await;
        backs.push((next.to_owned(), at_provider(&mut there, &answer, "alice").await));
    }
    for (name, value) in &here.jar {
        assert!(name.len() + value.len() <= 4_096, "a browser drops {name}");
    }
    let mut sign_ins = Vec::new();
    // The last one comes back first.
    for (next, back) in backs.iter().rev() {
        let answer = here.navigate(back).await;
        let to = answer.location().to_owned();
        let tab = arrived(&gate, &here.navigate(&to).await);
        assert_eq!(tab.next, *next);
        sign_ins.push(tab.sign_in);
    }
    sign_ins.dedup();
    assert_eq!(sign_ins.len(), 1, "one tab ended what another began");
    for (_, back) in &backs {
        let answer = here.navigate(back).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "an answer counted twice");
        assert!(answer.body.contains("state_invalid"), "{}", answer.body);
        assert!(
            !answer
                .headers
                .get_all(header::SET_COOKIE)
                .iter()
                .any(|set| set.as_bytes().starts_with(b"__Host-postern="))
        );
    }
    // Somebody else's answer in this browser: theirs is the cookie, not ours.
    let mut mallory = Browser::new(&gate);
    let answer = mallory.navigate(&path(&gate, "/", None)).await;
    let back = at_provider(&mut idp.browser(), &answer, "bob").await;
    assert_eq!(Browser::new(&gate).navigate(&back).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn c04_a_browser_carries_sign_ins_under_way_only_up_to_a_limit() {
    let (gate, _idp, _) = world().await;
    let mut here = Browser::new(&gate);
    let long = format!("/{}", "l".repeat(4_000));
    let carried =
        |here: &Browser<'_>| here.jar.iter().map(|(name, value)| name.len() + value.len() + 3).sum::<usize>();
    for _ in 0..6 {
        let answer = here.navigate(&path(&gate, &long, None)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert!(carried(&here) <= 20 * 1024, "{}", carried(&here));
        gate.later(Duration::from_secs(1));
    }
    // What claims to be a part of one is no reason to read on: four are read, whatever else is there.
    let (name, _) = here.jar.iter().find(|(name, _)| name.starts_with("__Host-postern-oidc")).unwrap();
    let base = name.split('.').next().unwrap().to_owned();
    for part in [4_u64, 5, 1_000_000_000] {
        here.jar.insert(format!("{base}.{part}"), "x".repeat(100));
    }
    assert_eq!(here.navigate("/oidc/test/callback?state=x&code=y").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_step_up_is_asked_of_the_provider_and_makes_another_sign_in() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let before = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    // A provider that does not check a second factor is not believed to have.
    let weak = path(&gate, "/", Some(StepUp { mfa: true, acr: None, max_age: Some(Duration::ZERO) }));
    let answer = here.navigate(&weak).await;
    let back = at_provider(&mut there, &answer, "alice").await;
    assert_eq!(here.navigate(&back).await.status, StatusCode::FORBIDDEN);
    let wanted = StepUp { max_age: Some(Duration::ZERO), acr: Some("urn:test:mfa".into()), mfa: true };
    let strong = path(&gate, "/strong", Some(wanted.clone()));
    let answer = here.navigate(&strong).await;
    for part in ["prompt=login", "max_age=0", "acr_values=urn%3Atest%3Amfa"] {
        assert!(answer.location().contains(part), "{part} in {}", answer.location());
    }
    let back = at_provider(&mut there, &answer, "alice").await;
    let to = here.navigate(&back).await.location().to_owned();
    let after = arrived(&gate, &here.navigate(&to).await);
    assert_eq!((after.user, after.next.as_str()), (before.user, "/strong"));
    assert_ne!(after.sign_in, before.sign_in, "C1");
    let sign_in = gate.store.sign_in(after.sign_in).await.unwrap().unwrap();
    assert!(sign_in.mfa_at.is_some());
    assert!(!gate.store.sign_in(before.sign_in).await.unwrap().unwrap().is_live(gate.now()));
    let proof = (sign_in.acr.as_deref(), sign_in.amr.as_slice());
    assert_eq!(proof, (Some("urn:test:mfa"), &["pwd".to_owned(), "otp".to_owned()][..]));
    // What was proven a moment ago is not asked for again.
    let again = arrived(&gate, &here.navigate(&strong).await);
    assert_eq!(again.sign_in, after.sign_in);
}

#[tokio::test]
async fn o08_another_person_cannot_come_back_in_somebodys_place() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let before = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    let kept = here.jar["__Host-postern"].clone();
    let wanted = StepUp { max_age: Some(Duration::ZERO), acr: Some("urn:test:mfa".into()), mfa: true };
    let answer = here.navigate(&path(&gate, "/", Some(wanted))).await;
    let back = at_provider(&mut idp.browser(), &answer, "bob").await;
    let answer = here.navigate(&back).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert!(answer.body.contains("subject_mismatch"), "{}", answer.body);
    assert_eq!(here.jar["__Host-postern"], kept);
    assert_eq!(arrived(&gate, &here.navigate(&path(&gate, "/", None)).await).user, before.user);
}

#[tokio::test]
async fn o07_whoever_s_groups_cannot_be_read_does_not_come_in() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    idp.order("/people", json!({ "alice": { "groups": "engineers" } })).await;
    let answer = here.navigate(&path(&gate, "/", None)).await;
    let back = at_provider(&mut there, &answer, "alice").await;
    let answer = here.navigate(&back).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert!(answer.body.contains("groups_unresolved") && !here.jar.contains_key("__Host-postern"));
}
