//! Our own pages together with a real OpenID provider: on the way to an application, proving again who one is, and out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

#[path = "../../../web/tests/router/gate.rs"]
#[expect(dead_code, reason = "the router's own tests use more of it")]
mod gate;
#[path = "../../../identity/tests/provider/support.rs"]
#[expect(dead_code, reason = "the provider's own tests use more of it")]
mod provider;

use axum::http::{StatusCode, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gate::{Answer, Browser, Gate, ISSUER, OWNER};
use postern_ids::Timestamp;
use postern_web::hand_over::{Arrived, Asked, HandOver, StepUp};
use provider::Idp;
use serde_json::json;
use std::time::{Duration, SystemTime};
use url::Url;

const HOST: &str = "grafana.apps.example";
const PRE: [u8; 32] = [7; 32];
const TO: &str = "/oidc/test/backchannel-logout";

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
async fn o10_signing_out_leads_on_to_the_provider_which_names_its_session_and_back() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let first = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    // As an application's host does it: it ends the sign-in and leads to the last page.
    let by = postern_store::Actor::User { id: first.user, sign_in: Some(first.sign_in) };
    gate.store.end_sign_in(first.sign_in, "signed_out", &by, gate.now()).await.unwrap();
    let page = here.navigate("/signed-out").await;
    assert_eq!(page.status, StatusCode::OK);
    let from = "http-equiv=\"refresh\" content=\"0;url=";
    let url = page.body.split(from).nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let url: Url = url.parse().unwrap();
    let said =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert!(url.as_str().starts_with(&idp.issuer), "{url}");
    assert_eq!(said("post_logout_redirect_uri").as_deref(), Some("https://gw.example/signed-out"));
    assert_eq!(said("client_id").as_deref(), Some("postern"));
    assert_eq!(said("id_token_hint").unwrap().split('.').count(), 3);
    let back = there.sign_out(&url).await;
    assert_eq!(back.as_str(), "https://gw.example/signed-out");
    assert!(!here.jar.contains_key("__Host-postern"));
    let last = here.navigate("/signed-out").await;
    assert!(!last.body.contains("http-equiv=\"refresh\""), "the last page leads nowhere again");
    // There, too, nobody is signed in any more.
    let answer = here.navigate(&path(&gate, "/", None)).await;
    assert!(there.asks(&answer.location().parse().unwrap()).await, "the provider still knows the person");
}

#[tokio::test]
async fn o09_c09_only_who_is_in_use_is_asked_about_and_once_however_many_ask() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let alice = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    postern_web::look_after_sign_ins(&gate.state).await;
    // Nobody uses it: nobody is asked, although the provider has ended the person.
    idp.order("/people", json!({ "alice": null })).await;
    gate.later(Duration::from_secs(1_200));
    postern_web::look_after_sign_ins(&gate.state).await;
    let is_live = |sign_in: Option<postern_store::SignIn>| sign_in.unwrap().is_live(gate.now());
    assert!(is_live(gate.store.sign_in(alice.sign_in).await.unwrap()));
    // In use: a hundred tabs, gateways or turns at once are one question, and its answer counts (O9).
    here.navigate("/device").await;
    let counted = idp.order("/count", json!({ "path": "/token" })).await["count"].as_u64().unwrap();
    let turns: Vec<_> = (0..100)
        .map(|_| {
            let state = gate.state.clone();
            tokio::spawn(async move { postern_web::look_after_sign_ins(&state).await })
        })
        .collect();
    for turn in turns {
        turn.await.unwrap();
    }
    let after = idp.order("/count", json!({ "path": "/token" })).await["count"].as_u64().unwrap();
    assert_eq!(after - counted, 1, "the provider was asked more than once");
    assert!(!is_live(gate.store.sign_in(alice.sign_in).await.unwrap()));
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

#[tokio::test]
async fn o11_the_back_channel_takes_what_the_provider_signed_once_and_says_no_to_all_else_in_one_way() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let alice = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    let is_live = async || gate.store.sign_in(alice.sign_in).await.unwrap().unwrap().is_live(gate.now());
    let (issuer, at) = (idp.issuer.clone(), gate.now().as_secs());
    let sign = async |sid: &str, jti: &str| {
        let claims = json!({
            "iss": issuer, "aud": "postern", "iat": at, "jti": jti, "sid": sid,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let answer = idp.order("/sign", json!({ "claims": claims, "header": {} })).await;
        answer["token"].as_str().unwrap().to_owned()
    };
    let refused = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        assert_eq!(answer.body, "{\"error\":\"invalid_request\"}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    };
    let unknown = sign("a session that never was", "1").await;
    for token in ["", "a.b.c", &unknown] {
        refused(&gate.oauth(TO, &[("logout_token", token)]).await);
    }
    refused(&gate.oauth(TO, &[("other", "x")]).await);
    let good = sign("x", "2").await;
    refused(&gate.oauth("/oidc/other/backchannel-logout", &[("logout_token", &good)]).await);
    refused(&Browser::new(&gate).get(&format!("{TO}?logout_token={good}")).await);
    assert!(is_live().await);
    idp.order("/faults", json!({ "keepLogoutTokens": true })).await;
    let told = idp.order("/logout", json!({ "person": "alice" })).await;
    let real = told["tokens"][0].as_str().unwrap();
    let answer = gate.oauth(TO, &[("logout_token", real)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!is_live().await);
    refused(&gate.oauth(TO, &[("logout_token", real)]).await);
    // Told again about what has ended: that is how it should be.
    let payload = URL_SAFE_NO_PAD.decode(real.split('.').nth(1).unwrap()).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let again = sign(payload["sid"].as_str().unwrap(), "3").await;
    assert_eq!(gate.oauth(TO, &[("logout_token", &again)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn f22_while_the_only_provider_is_away_the_choice_is_shown_and_an_account_here_gets_in() {
    let (gate, idp, _) = world().await;
    drop(idp);
    let page = Browser::new(&gate).navigate("/oidc/test/start?next=%2Fdevice").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("provider_unavailable") && page.body.contains("Sessions that are open go on"));
    let mut here = Browser::new(&gate);
    let from = path(&gate, "/", None);
    let choice = here.navigate(&from).await.location().to_owned();
    assert!(choice.starts_with("/sign-in?next="), "{choice}");
    let answer = here.sign_in(OWNER.0, OWNER.1, &from).await;
    assert_eq!(answer.location(), from);
    arrived(&gate, &here.navigate(&from).await);
}

#[tokio::test]
async fn f22_who_is_in_stays_in_while_the_provider_fails_and_whoever_comes_back_is_told() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let alice = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    let mut coming = Browser::new(&gate);
    let answer = coming.navigate(&path(&gate, "/", None)).await;
    let back = at_provider(&mut idp.browser(), &answer, "bob").await;
    let asked = async || idp.order("/count", json!({ "path": "/token" })).await["count"].as_u64().unwrap();
    let before = asked().await;
    idp.order("/faults", json!({ "status": 500 })).await;
    gate.later(Duration::from_secs(301));
    here.navigate("/device").await;
    postern_web::look_after_sign_ins(&gate.state).await;
    assert_eq!(asked().await, before + 1, "the provider was asked, and failed");
    let still = arrived(&gate, &here.navigate(&path(&gate, "/", None)).await);
    assert_eq!(still.sign_in, alice.sign_in);
    let page = coming.navigate(&back).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{page:?}");
    assert!(page.body.contains("provider_unavailable") && !coming.jar.contains_key("__Host-postern"));
}
