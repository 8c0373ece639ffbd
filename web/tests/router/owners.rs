//! The first owner.

use crate::gate::{Gate, OWNER};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a05_only_the_printed_token_makes_an_owner_and_only_once() {
    let gate = Gate::open().await;
    let ask = |token: &str| json!({"token": token, "username": OWNER.0, "password": OWNER.1});
    let strange = gate.post("/bootstrap", "", ask("psb_x")).await;
    assert_eq!((strange.status, strange.code().as_str()), (StatusCode::FORBIDDEN, "token_spent"));
    let token = gate.bootstrap_token().await;
    let weak = json!({"token": token, "username": OWNER.0, "password": "short"});
    assert_eq!(gate.post("/bootstrap", "", weak).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let made = gate.post("/bootstrap", "", ask(&token)).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    gate.follow().await;
    let me = gate.get("/me", made.json()["access_token"].as_str().unwrap()).await.json();
    assert_eq!((me["owner"].as_bool(), me["principal"]["name"].as_str()), (Some(true), Some(OWNER.0)));
    gate.later(Duration::from_secs(60));
    let again = gate.post("/bootstrap", "", ask(&token)).await;
    assert!(matches!(again.status, StatusCode::CONFLICT | StatusCode::FORBIDDEN), "{again:?}");
    gate.state.write_denials().await;
    let audit = gate.store.audit_after("store", 0, 1_000).await.unwrap();
    let denied: Vec<&str> =
        audit.iter().filter(|row| row.kind == "admin.denied").map(|row| row.body.as_str()).collect();
    assert!(
        matches!(*denied, [last] if last.contains("\"owned\"") && last.contains("bootstrap")),
        "{denied:?}"
    );
}

#[tokio::test]
async fn a05_an_expired_token_makes_nobody() {
    let gate = Gate::open().await;
    let token = gate.bootstrap_token().await;
    gate.later(Duration::from_secs(901));
    let ask = json!({"token": token, "username": OWNER.0, "password": OWNER.1});
    assert_eq!(gate.post("/bootstrap", "", ask).await.code(), "token_spent");
}

#[tokio::test]
async fn a05_of_many_at_once_exactly_one_becomes_the_owner() {
    let gate = Gate::open().await;
    let token = gate.bootstrap_token().await;
    let calls = (0..10).map(|n| {
        let body = json!({"token": token, "username": format!("owner{n}"), "password": OWNER.1});
        let request = Request::post("/api/v1/bootstrap").header(header::CONTENT_TYPE, "application/json");
        let from = format!("198.51.100.{n}");
        let gate = &gate;
        async move { gate.send_from(&from, request.body(Body::from(body.to_string())).unwrap()).await }
    });
    let mut made = 0;
    for answer in futures_util::future::join_all(calls).await {
        made += usize::from(answer.status == StatusCode::OK);
    }
    assert_eq!(made, 1);
}
