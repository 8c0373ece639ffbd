//! Tokens that people make for programs of theirs: whose they are, what they say, and who may do what with them.

use crate::gate::{Answer, Gate};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/me/app-tokens";

/// An owner, Bob who may use one application, and a service account's token.
struct World {
    gate: Gate,
    owner: String,
    bob: String,
    robot: String,
}

async fn world() -> World {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let app = |name: &str| json!({"kind": "resource", "name": name, "site": "office", "type": "http", "target": "10.0.0.5:3000"});
    let documents = json!([
        {"kind": "site", "name": "office"},
        app("grafana"),
        app("secret"),
        {"kind": "resource", "name": "db", "site": "office", "type": "tcp", "target": "10.0.0.5:5432"},
        {"kind": "user", "name": "bob", "password": {"value": "another long password"}},
        {"kind": "service_account", "name": "robot"},
        {"kind": "grant", "name": "bobs", "subjects": [{"user": "bob"}], "resources": {"names": ["grafana"]}, "actions": ["http"]},
        {"kind": "grant", "name": "bobs-db", "subjects": [{"user": "bob"}], "resources": {"names": ["db"]}, "actions": ["connect"]},
    ]);
    let answer = gate.apply(&owner, documents).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let made = gate.post("/service-accounts/robot/tokens", &owner, json!({})).await.json();
    let robot = made["token"].as_str().unwrap().to_owned();
    let bob = gate.login("bob", "another long password").await;
    let bob = bob["access_token"].as_str().unwrap().to_owned();
    World { gate, owner, bob, robot }
}

impl World {
    async fn make(&self, who: &str, wanted: Value) -> Answer {
        self.gate.post(PATH, who, wanted).await
    }

    async fn made(&self) -> (String, String) {
        let answer = self.make(&self.bob, json!({"resource": "grafana"})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&answer.json()["about"]["id"]), text(&answer.json()["token"]))
    }

    async fn listed(&self, who: &str) -> Vec<Value> {
        self.gate.get(PATH, who).await.json()["items"].as_array().unwrap().clone()
    }

    async fn revoke(&self, who: &str, id: &str) -> StatusCode {
        self.gate.call("DELETE", &format!("{PATH}/{id}"), who, None).await.status
    }
}

#[tokio::test]
async fn a07_a_token_is_shown_once_and_listed_without_its_secret() {
    let world = world().await;
    let wanted = json!({"resource": "grafana", "path": "/api/", "note": "laptop", "expires_in_secs": 3600});
    let made = world.make(&world.bob, wanted).await.json();
    assert!(made["token"].as_str().unwrap().starts_with("pst_app_"));
    let listed = world.listed(&world.bob).await;
    assert_eq!(listed, [made["about"].clone()]);
    assert_eq!((&made["about"]["path"], &made["about"]["note"]), (&json!("/api"), &json!("laptop")));
    assert_eq!(made["about"]["resource"]["name"], "grafana");
    let all = Value::Array(listed).to_string();
    assert!(!all.contains("pst_app_"), "{all}");
}

#[tokio::test]
async fn a07_each_route_for_each_role() {
    let world = world().await;
    let (id, secret) = world.made().await;
    let wanted = json!({"resource": "grafana"});
    for (who, list, make, revoke) in [
        ("", 401, 401, 401),
        (&*secret, 401, 401, 401),
        (&*world.robot, 403, 403, 403),
        // An owner of the installation has tokens of their own only, and Bob's application is not theirs.
        (&*world.owner, 200, 404, 404),
        (&*world.bob, 200, 201, 204),
    ] {
        let got = (
            world.gate.get(PATH, who).await.status.as_u16(),
            world.make(who, wanted.clone()).await.status.as_u16(),
            world.revoke(who, &id).await.as_u16(),
        );
        assert_eq!(got, (list, make, revoke), "{}", who.get(..8).unwrap_or_default());
    }
    assert_eq!(world.listed(&world.owner).await, Vec::<Value>::new());
}

#[tokio::test]
async fn t08_an_application_that_is_not_for_the_caller_looks_like_one_that_is_not_there() {
    let world = world().await;
    let refusal = async |resource: &str| {
        let answer = world.make(&world.bob, json!({"resource": resource})).await;
        (answer.status, answer.body)
    };
    let nothing = refusal("nothing").await;
    assert_eq!(nothing.0, StatusCode::NOT_FOUND);
    for resource in ["secret", "db", "res_00000000000000000000000000", "../grafana", ""] {
        assert_eq!(refusal(resource).await, nothing, "{resource}");
    }
}

#[tokio::test]
async fn a_token_ends_and_is_for_a_path_that_has_one_reading() {
    let world = world().await;
    for (field, value) in [
        ("expires_in_secs", json!(0)),
        ("expires_in_secs", json!(365 * 86_400 + 1)),
        ("path", json!("api")),
        ("path", json!("/api/../admin")),
        ("path", json!("/api//x")),
        ("path", json!("/%2fapi")),
        ("path", json!("/api?x")),
        ("path", json!(format!("/{}", "a".repeat(600)))),
        ("note", json!("two\nlines")),
        ("note", json!("x".repeat(201))),
    ] {
        let mut wanted = json!({"resource": "grafana"});
        wanted[field] = value.clone();
        let answer = world.make(&world.bob, wanted).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}: {value}");
    }
    let unknown = world.make(&world.bob, json!({"resource": "grafana", "user": "olivia"})).await;
    assert_eq!(unknown.code(), "unknown_field");
    let (_, _) = world.made().await;
    world.gate.later(Duration::from_secs(89 * 86_400));
    let bob = world.gate.login("bob", "another long password").await;
    let bob = bob["access_token"].as_str().unwrap().to_owned();
    assert_eq!(world.listed(&bob).await.len(), 1, "90 days unless said otherwise");
}

#[tokio::test]
async fn a07_a_revoked_token_and_those_of_a_disabled_person_are_in_the_next_snapshot() {
    let world = world().await;
    let ((revoked, _), (kept, _)) = (world.made().await, world.made().await);
    let dead = || {
        let snapshot = world.gate.snapshot();
        [&revoked, &kept].map(|id| snapshot.is_revoked(id.parse().unwrap()))
    };
    assert_eq!(dead(), [false, false]);
    assert_eq!(world.revoke(&world.bob, &revoked).await, StatusCode::NO_CONTENT);
    assert_eq!(world.revoke(&world.bob, &revoked).await, StatusCode::NO_CONTENT, "once more does no harm");
    world.gate.follow().await;
    assert_eq!(dead(), [true, false]);
    world.gate.post("/users/bob/disable", &world.owner, json!({})).await;
    world.gate.follow().await;
    assert_eq!(dead(), [true, true]);
}
