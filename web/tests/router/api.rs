//! The REST API: who may do what, and how mistakes are answered.

use crate::gate::{Gate, OWNER};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use postern_ids::{DecisionId, SessionId};
use postern_token::{Alg, SigningKey};
use serde_json::{Value, json};

const BOB: (&str, &str) = ("bob", "another long password");

async fn with_bob(gate: &Gate) -> (String, String) {
    let owner = gate.owner().await;
    let bob = json!({"kind": "user", "name": BOB.0, "password": {"value": BOB.1}});
    let answer = gate.apply(&owner, json!([bob])).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let tokens = gate.login(BOB.0, BOB.1).await;
    (owner, tokens["access_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a02_unknown_fields_foreign_types_and_large_bodies_are_refused() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    for body in [
        json!({"documents": [], "role": "owner"}),
        json!({"documents": [{"kind": "user", "name": "eve", "id": "usr_1"}]}),
        json!({"documents": [{"kind": "user", "name": "eve", "created_at": "2026-01-01T00:00:00Z"}]}),
        json!({"documents": [{"kind": "site", "name": "s", "email_verified": true}]}),
    ] {
        let answer = gate.post("/apply", &owner, body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "unknown_field"),
            "{answer:?}"
        );
    }
    let raw = |kind: &'static str, body: String| {
        let request = Request::post("/api/v1/apply").header(header::AUTHORIZATION, format!("Bearer {owner}"));
        gate.send(request.header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap())
    };
    let twice = raw("application/json", r#"{"documents":[],"documents":[]}"#.to_owned()).await;
    assert_eq!(twice.code(), "unknown_field");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
        assert_eq!(
            raw(kind, r#"{"documents":[]}"#.to_owned()).await.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
    }
    assert_eq!(raw("application/json", "{".to_owned()).await.status, StatusCode::BAD_REQUEST);
    let large = format!(r#"{{"documents":[{}]}}"#, " ".repeat(1024 * 1024));
    assert_eq!(raw("application/json", large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(gate.get("/sessions?role=x", &owner).await.code(), "unknown_field");
}

#[tokio::test]
async fn c05_cookies_prove_nothing_to_the_api_and_foreign_pages_are_refused() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let mut browser = crate::gate::Browser::new(&gate);
    browser.sign_in(OWNER.0, OWNER.1, "").await;
    let cookie = format!("__Host-postern={}", browser.jar["__Host-postern"]);
    let request = Request::get("/api/v1/me").header(header::COOKIE, cookie).body(Body::empty());
    assert_eq!(gate.send(request.unwrap()).await.status, StatusCode::UNAUTHORIZED);
    for (name, value) in
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let request = Request::get("/api/v1/me").header(header::AUTHORIZATION, format!("Bearer {owner}"));
        let answer = gate.send(request.header(name, value).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "csrf"));
    }
}

#[tokio::test]
async fn only_owners_administer_and_a_refusal_names_its_decision() {
    let gate = Gate::open().await;
    let (_, bob) = with_bob(&gate).await;
    for path in ["/users", "/users/bob", "/users/nobody", "/sites", "/grants", "/connectors", "/tokens"] {
        let answer = gate.get(path, &bob).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "denied"), "{path}");
        assert!(answer.json()["decision"].as_str().unwrap().starts_with("dec_"));
        assert_eq!(gate.get(path, "").await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for (path, body) in [
        ("/apply", json!({"documents": [{"kind": "user", "name": "bob", "groups": ["owners"]}]})),
        ("/users/olivia/disable", json!({})),
        ("/enrolment-tokens", json!({"site": "office"})),
        ("/service-accounts/ci/tokens", json!({})),
        ("/connectors/x/revoke", json!({})),
        ("/resources/x/host-keys/confirm", json!({"keys": []})),
        ("/explain", json!({"principal": "olivia", "resource": "x", "action": "connect"})),
    ] {
        assert_eq!(gate.post(path, &bob, body).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(gate.get("/me", &bob).await.json()["owner"], false);
    assert_eq!(gate.get("/me/resources", &bob).await.json()["items"], json!([]));
}

#[tokio::test]
async fn disabling_a_person_ends_their_tokens_at_once() {
    let gate = Gate::open().await;
    let (owner, bob) = with_bob(&gate).await;
    assert_eq!(gate.get("/me", &bob).await.status, StatusCode::OK);
    let answer = gate.post("/users/bob/disable", &owner, json!({})).await;
    assert_eq!(answer.json()["disabled"], true, "{answer:?}");
    assert_eq!(gate.get("/me", &bob).await.status, StatusCode::UNAUTHORIZED);
    let refused = crate::gate::Browser::new(&gate).try_sign_in(BOB.0, BOB.1, "").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    gate.post("/users/bob/enable", &owner, json!({})).await;
    assert_eq!(gate.get("/me", &bob).await.status, StatusCode::UNAUTHORIZED, "ended sign-ins stay ended");
    gate.login(BOB.0, BOB.1).await;
    let last = gate.post("/users/olivia/disable", &owner, json!({})).await;
    assert_eq!((last.status, last.code().as_str()), (StatusCode::CONFLICT, "last_owner"));
}

#[tokio::test]
async fn t08_what_belongs_to_others_looks_like_what_does_not_exist() {
    let gate = Gate::open().await;
    let (owner, bob) = with_bob(&gate).await;
    let documents = json!([
        {"kind": "site", "name": "office"},
        {"kind": "resource", "name": "db", "site": "office", "type": "tcp", "target": "10.0.0.5:5432"},
        {"kind": "grant", "name": "all", "subjects": [{"group": "owners"}], "resources": "all", "actions": ["connect"]},
    ]);
    assert_eq!(gate.apply(&owner, documents).await.status, StatusCode::OK);
    let me = gate.get("/me", &owner).await.json();
    let user: postern_ids::UserId = me["principal"]["id"].as_str().unwrap().parse().unwrap();
    let principal =
        gate.store.principal(postern_policy::model::PrincipalId::User(user)).await.unwrap().unwrap();
    let theirs = SessionId::mint(gate.now(), [5; 10]);
    gate.goes_live(postern_policy::live::LiveView {
        session: theirs,
        principal: std::sync::Arc::new(principal),
        sign_in: None,
        resource: std::sync::Arc::clone(gate.snapshot().resources().next().unwrap()),
        action: postern_policy::Action::Connect,
        source: "192.0.2.1".parse().unwrap(),
        connector: None,
        started_at: gate.now(),
        expires_at: postern_ids::Timestamp::MAX,
        revision: 1,
    });
    let unknown = SessionId::mint(gate.now(), [6; 10]);
    let same = |a: &crate::gate::Answer, b: &crate::gate::Answer| {
        assert_eq!((a.status, &a.body), (StatusCode::NOT_FOUND, &b.body));
        assert_eq!(b.status, StatusCode::NOT_FOUND);
    };
    let end = |id: SessionId| format!("/sessions/{id}/end");
    same(&gate.post(&end(theirs), &bob, json!({})).await, &gate.post(&end(unknown), &bob, json!({})).await);
    let nonsense = gate.get("/sessions/nonsense", &bob).await;
    same(&gate.get(&format!("/sessions/{unknown}"), &bob).await, &nonsense);
    let decision = DecisionId::mint(gate.now(), [7; 10]);
    same(&gate.get(&format!("/decisions/{decision}"), &bob).await, &gate.get("/decisions/x", &bob).await);
    assert_eq!(gate.get("/sessions?principal=olivia", &bob).await.status, StatusCode::FORBIDDEN);
    assert_eq!(gate.get("/sessions", &bob).await.json()["items"], json!([]));
    let ended = gate.post(&end(theirs), &owner, json!({})).await;
    assert_eq!(ended.json()["was_live"], true, "{ended:?}");
    // What one may reach, and why not: without rules for those who are no owners.
    assert_eq!(gate.get("/me/resources", &owner).await.json()["items"][0]["name"], "db");
    let why = gate.post("/explain", &bob, json!({"resource": "db", "action": "connect"})).await.json();
    assert_eq!((why["outcome"].as_str(), &why["policies"]), (Some("deny"), &json!([])));
    // The resource has its name even where the decision does not come to look at it.
    gate.post("/users/bob/disable", &owner, json!({})).await;
    gate.follow().await;
    let asked = json!({"principal": "bob", "resource": "db"});
    let why = gate.post("/explain", &owner, asked).await.json();
    assert_eq!((&why["reason"], &why["resource"]["name"]), (&json!("principal_disabled"), &json!("db")));
    // A question that does not say what would be done is about what the resource is there for.
    let wiki = json!([{"kind": "resource", "name": "wiki", "site": "office", "type": "http", "target": "10.0.0.5:80"}]);
    assert_eq!(gate.apply(&owner, wiki).await.status, StatusCode::OK);
    gate.follow().await;
    let why = gate.post("/explain", &owner, json!({"resource": "wiki"})).await.json();
    assert_eq!(
        (&why["action"], &why["outcome"]),
        (&json!("http"), &json!("deny")),
        "the grant is for connect"
    );
}

#[tokio::test]
async fn t11_an_enrolment_token_enrolls_one_connector_and_cannot_be_guessed() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    gate.apply(&owner, json!([{"kind": "site", "name": "office"}])).await;
    let issued = gate.post("/enrolment-tokens", &owner, json!({"site": "office"})).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{issued:?}");
    let token: postern_token::EnrolmentToken = issued.json()["token"].as_str().unwrap().parse().unwrap();
    assert_eq!(token.ca_sha256, Some([7; 32]));
    let ask = |key: &SigningKey, name: &str| json!({"secret": token.secret.reveal(), "public_key": key.verifying().to_jwk(), "name": name});
    let first = SigningKey::generate(Alg::EdDsa).unwrap();
    let enrolled = gate.post("/enroll", "", ask(&first, "one")).await;
    assert_eq!(enrolled.status, StatusCode::OK, "{enrolled:?}");
    assert_eq!((&enrolled.json()["site"], &enrolled.json()["name"]), (&json!("office"), &json!("one")));
    assert_eq!(enrolled.json()["gateways"], json!(crate::gate::GATEWAYS));
    assert_eq!(enrolled.json()["grant_keys"].as_array().map(Vec::len), Some(1));
    let second = SigningKey::generate(Alg::EdDsa).unwrap();
    assert_eq!(gate.post("/enroll", "", ask(&second, "two")).await.code(), "replayed");
    let mut limited = 0;
    for _ in 0..10 {
        limited += usize::from(gate.post("/enroll", "", ask(&second, "two")).await.code() == "rate_limited");
    }
    assert_eq!(limited, 7, "five a minute");
    let listed = gate.get("/connectors", &owner).await.json();
    assert_eq!(listed["items"][0]["name"], "one");
    let revoked = gate.post("/connectors/one/revoke", &owner, json!({})).await.json();
    assert_eq!(revoked["state"], "revoked");
}

#[tokio::test]
async fn a07_a_service_account_token_is_shown_once_and_dies_with_its_account() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let account = |disabled: bool| json!([{"kind": "service_account", "name": "ci", "disabled": disabled}]);
    gate.apply(&owner, account(false)).await;
    let issued = gate.post("/service-accounts/ci/tokens", &owner, json!({"note": "build"})).await.json();
    let secret = issued["token"].as_str().unwrap();
    assert_eq!(gate.get("/me", secret).await.json()["principal"]["kind"], "service_account");
    assert_eq!(gate.get("/me", &secret[..secret.len() - 1]).await.status, StatusCode::UNAUTHORIZED);
    let listed = gate.get("/tokens", &owner).await;
    assert!(!listed.body.contains("pst_") && listed.body.contains("build"));
    gate.apply(&owner, account(true)).await;
    assert_eq!(gate.get("/me", secret).await.status, StatusCode::UNAUTHORIZED);
    gate.apply(&owner, account(false)).await;
    assert_eq!(gate.get("/me", secret).await.status, StatusCode::OK);
    let path = format!("/tokens/{}", issued["id"].as_str().unwrap());
    assert_eq!(gate.call("DELETE", &path, &owner, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(gate.get("/me", secret).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(gate.call("DELETE", "/tokens/x", &owner, None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unknown_path_or_method_is_a_problem_that_says_so() {
    let gate = Gate::open().await;
    assert_eq!(gate.get("/a/b/c/d", "").await.code(), "not_found");
    assert_eq!(gate.call("DELETE", "/me", "", None).await.code(), "method_not_allowed");
    let problem: Value = gate.get("/me", "").await.json();
    assert_eq!(problem["status"], 401);
    assert!(problem["next"].as_str().unwrap().contains("postern login"));
}

#[tokio::test]
async fn denied_administrative_acts_are_in_the_audit_and_a_flood_of_them_is_counted() {
    let gate = Gate::open().await;
    let (_, bob) = with_bob(&gate).await;
    let revision = gate.store.revision().await.unwrap();
    // Seeing less is no denial, and one's own things are one's own.
    assert_eq!(gate.get("/sessions", &bob).await.status, StatusCode::OK);
    assert_eq!(gate.get("/me", &bob).await.status, StatusCode::OK);
    let mut shown = Vec::new();
    for _ in 0..30 {
        shown.push(gate.get("/users", &bob).await.json()["decision"].as_str().unwrap().to_owned());
    }
    gate.state.write_denials().await;
    let denied = audited(&gate, "admin.denied").await;
    assert_eq!(denied.len(), 5, "{denied:?}");
    assert!(denied.iter().zip(&shown).all(|(row, decision)| row["decision"] == **decision));
    assert_eq!(
        (denied[0]["action"].as_str(), denied[0]["source"].as_str()),
        (Some("admin::view"), Some("192.0.2.1"))
    );
    assert!(denied[0]["actor"]["id"].as_str().unwrap().starts_with("usr_"));
    gate.later(std::time::Duration::from_secs(10));
    gate.state.write_denials().await;
    let suppressed = audited(&gate, "admin.denials_suppressed").await;
    assert_eq!((suppressed.len(), suppressed[0]["count"].as_u64()), (1, Some(25)), "{suppressed:?}");
    assert_eq!(gate.store.revision().await.unwrap(), revision, "nobody has to load anything");
    let verdict = gate.store.verify_audit("store").await.unwrap();
    assert!(matches!(verdict, postern_store::AuditVerdict::Whole { .. }), "{verdict:?}");
}

async fn audited(gate: &Gate, kind: &str) -> Vec<Value> {
    let rows = gate.store.audit_after("store", 0, 1_000).await.unwrap();
    rows.iter().filter(|row| row.kind == kind).map(|row| serde_json::from_str(&row.body).unwrap()).collect()
}
