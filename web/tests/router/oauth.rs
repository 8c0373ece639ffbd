//! The authorization server.

use crate::gate::{Answer, Browser, GATEWAYS, Gate, ISSUER, OWNER};
use axum::http::StatusCode;
use std::time::Duration;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1:49152/callback";

fn authorize(change: (&str, &str)) -> String {
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", "postern-cli"),
        ("redirect_uri", BACK),
        ("state", "s1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    parameters.retain(|(name, _)| *name != change.0);
    if !change.1.is_empty() {
        parameters.push(change);
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish();
    format!("/oauth/authorize?{query}")
}

/// Says yes on the consent page and gives the code.
async fn code(browser: &mut Browser<'_>) -> String {
    let page = browser.get(&authorize(("", ""))).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let names = [
        "csrf",
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
    ];
    let mut fields: Vec<(&str, String)> = names.iter().map(|name| (*name, page.field(name))).collect();
    fields.push(("answer", "allow".to_owned()));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = browser.post("/oauth/authorize", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let location = url::Url::parse(answer.location()).unwrap();
    let value = |name: &str| location.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
    assert!(answer.location().starts_with(BACK));
    assert_eq!((value("state").as_deref(), value("iss").as_deref()), (Some("s1"), Some(ISSUER)));
    value("code").unwrap()
}

async fn redeem(gate: &Gate, code: &str, verifier: &str, back: &str) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "postern-cli"),
        ("code", code),
        ("code_verifier", verifier),
        ("redirect_uri", back),
    ];
    gate.oauth("/oauth/token", &fields).await
}

async fn refresh(gate: &Gate, token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("client_id", "postern-cli"), ("refresh_token", token)];
    gate.oauth("/oauth/token", &fields).await
}

#[tokio::test]
async fn o13_a_code_goes_only_to_this_computer_after_consent_and_works_once() {
    let gate = Gate::open().await;
    gate.owner().await;
    let mut browser = Browser::new(&gate);
    assert!(browser.get(&authorize(("", ""))).await.location().starts_with("/sign-in?next="));
    browser.sign_in(OWNER.0, OWNER.1, "").await;
    for (change, status) in [
        (("redirect_uri", "https://evil.example/callback"), StatusCode::BAD_REQUEST),
        (("redirect_uri", "http://localhost:1/callback"), StatusCode::BAD_REQUEST),
        (("redirect_uri", ""), StatusCode::BAD_REQUEST),
        (("client_id", "other"), StatusCode::BAD_REQUEST),
        (("code_challenge_method", "plain"), StatusCode::SEE_OTHER),
        (("code_challenge_method", ""), StatusCode::SEE_OTHER),
        (("code_challenge", ""), StatusCode::SEE_OTHER),
        (("state", ""), StatusCode::SEE_OTHER),
        (("response_type", "token"), StatusCode::SEE_OTHER),
    ] {
        let answer = browser.get(&authorize(change)).await;
        assert_eq!(answer.status, status, "{change:?}");
        if status == StatusCode::SEE_OTHER {
            assert!(answer.location().starts_with(&format!("{BACK}?error=")), "{change:?}");
        }
    }
    let code = code(&mut browser).await;
    let tokens = redeem(&gate, &code, VERIFIER, BACK).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    let access = tokens.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(gate.get("/me", &access).await.status, StatusCode::OK);
    let again = redeem(&gate, &code, VERIFIER, BACK).await;
    assert_eq!(again.json()["error"], "invalid_grant");
    assert_eq!(
        gate.get("/me", &access).await.status,
        StatusCode::UNAUTHORIZED,
        "o12: the first tokens die too"
    );
}

#[tokio::test]
async fn o13_a_stolen_code_is_worth_nothing_without_its_verifier_and_listener() {
    let gate = Gate::open().await;
    gate.owner().await;
    let mut browser = Browser::new(&gate);
    browser.sign_in(OWNER.0, OWNER.1, "").await;
    let wrong = "x".repeat(43);
    for (verifier, back) in [(wrong.as_str(), BACK), ("", BACK), (VERIFIER, "http://127.0.0.1:1/callback")] {
        let code = code(&mut browser).await;
        assert_eq!(redeem(&gate, &code, verifier, back).await.json()["error"], "invalid_grant");
        assert_eq!(redeem(&gate, &code, VERIFIER, BACK).await.json()["error"], "invalid_grant", "one try");
    }
    let code = code(&mut browser).await;
    gate.later(Duration::from_secs(61));
    assert_eq!(redeem(&gate, &code, VERIFIER, BACK).await.json()["error"], "invalid_grant", "expired");
}

#[tokio::test]
async fn o13_the_consent_page_shows_what_asks_and_nothing_happens_without_a_click() {
    let gate = Gate::open().await;
    gate.owner().await;
    let fields = [("client_id", "postern-cli"), ("device_name", "mallory-laptop")];
    let asked = gate.oauth("/oauth/device_authorization", &fields).await.json();
    let (user_code, device_code) =
        (asked["user_code"].as_str().unwrap(), asked["device_code"].as_str().unwrap());
    let mut browser = Browser::new(&gate);
    let path = format!("/device?user_code={user_code}");
    assert!(browser.get(&path).await.location().starts_with("/sign-in?next=%2Fdevice"));
    browser.sign_in(OWNER.0, OWNER.1, "").await;
    let page = browser.get(&path).await;
    for shown in ["mallory-laptop", "192.0.2.1", user_code, OWNER.0, "started this yourself"] {
        assert!(page.body.contains(shown), "{shown} is missing");
    }
    assert_eq!(gate.poll(device_code).await.json()["error"], "authorization_pending");
    browser.answer_device(user_code, "deny").await;
    gate.later(Duration::from_secs(6));
    assert_eq!(gate.poll(device_code).await.json()["error"], "access_denied");
}

#[tokio::test]
async fn a_device_that_was_let_in_gets_its_tokens_once() {
    let gate = Gate::open().await;
    gate.owner().await;
    let tokens = gate.login(OWNER.0, OWNER.1).await;
    let me = gate.get("/me", tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(me.json()["principal"]["name"], OWNER.0);
    assert!(me.json()["sign_in"]["expires_at"].is_string());
}

#[tokio::test]
async fn every_answer_with_tokens_tells_where_to_dial() {
    let gate = Gate::open().await;
    gate.owner().await;
    let first = gate.login(OWNER.0, OWNER.1).await;
    let next = refresh(&gate, first["refresh_token"].as_str().unwrap()).await.json();
    for reply in [first, next] {
        assert_eq!(reply["gateways"], serde_json::json!(GATEWAYS));
    }
}

#[tokio::test]
async fn j12_a_refresh_token_is_good_once_and_its_late_reuse_ends_the_sign_in() {
    let gate = Gate::open().await;
    gate.owner().await;
    let first = gate.login(OWNER.0, OWNER.1).await["refresh_token"].as_str().unwrap().to_owned();
    let rotated = refresh(&gate, &first).await.json();
    let repeated = refresh(&gate, &first).await.json();
    assert_eq!(
        rotated["refresh_token"], repeated["refresh_token"],
        "parallel commands get the same successor"
    );
    let access = rotated["access_token"].as_str().unwrap();
    assert_eq!(gate.get("/me", access).await.status, StatusCode::OK);
    gate.later(Duration::from_secs(31));
    assert_eq!(refresh(&gate, &first).await.json()["error"], "invalid_grant");
    assert_eq!(
        refresh(&gate, rotated["refresh_token"].as_str().unwrap()).await.json()["error"],
        "invalid_grant"
    );
    assert_eq!(gate.get("/me", access).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn revoking_either_token_ends_the_sign_in() {
    let gate = Gate::open().await;
    gate.owner().await;
    for which in ["refresh_token", "access_token"] {
        let tokens = gate.login(OWNER.0, OWNER.1).await;
        let fields = [("client_id", "postern-cli"), ("token", tokens[which].as_str().unwrap())];
        assert_eq!(gate.oauth("/oauth/revoke", &fields).await.status, StatusCode::OK);
        assert_eq!(
            gate.get("/me", tokens["access_token"].as_str().unwrap()).await.status,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(gate.oauth("/oauth/revoke", &fields).await.status, StatusCode::OK, "no oracle");
    }
}

#[tokio::test]
async fn an_access_token_ends_after_a_quarter_of_an_hour_and_a_sign_in_after_twelve_hours() {
    let gate = Gate::open().await;
    gate.owner().await;
    let tokens = gate.login(OWNER.0, OWNER.1).await;
    gate.later(Duration::from_secs(15 * 60 + 31));
    assert_eq!(
        gate.get("/me", tokens["access_token"].as_str().unwrap()).await.status,
        StatusCode::UNAUTHORIZED
    );
    let next = refresh(&gate, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(next.status, StatusCode::OK, "{next:?}");
    gate.later(Duration::from_secs(12 * 3600));
    assert_eq!(
        refresh(&gate, next.json()["refresh_token"].as_str().unwrap()).await.json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn metadata_and_keys_are_published() {
    let gate = Gate::open().await;
    let read =
        |path: &'static str| gate.send(http::Request::get(path).body(axum::body::Body::empty()).unwrap());
    let metadata = read("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    let keys = read("/.well-known/jwks.json").await.json();
    assert_eq!(keys["keys"][0]["alg"], "ES256");
    assert!(keys["keys"][0].get("d").is_none());
}
