//! Answers: a command reads those of a newer gateway, which tell more than it knows; requests stay exact.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postern_api::{
    ConnectorView, DecisionView, ExplainRequest, IssueAppTokenRequest, IssuedAppToken, List, Me, MyResource,
    Plan, Problem, SessionView, tunnel,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The same answer with one more member in every object of it.
fn newer(answer: &Value) -> Value {
    match answer {
        Value::Object(members) => {
            let told = members.iter().map(|(name, value)| (name.clone(), newer(value)));
            told.chain([("told_later".to_owned(), json!({ "a": [1] }))]).collect()
        }
        Value::Array(items) => items.iter().map(newer).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain.clone(),
    }
}

#[track_caller]
fn is_read<T: DeserializeOwned>(answer: &Value) {
    serde_json::from_value::<T>(answer.clone()).unwrap();
    serde_json::from_value::<T>(newer(answer)).unwrap();
}

const ID: &str = "01hz0000000000000000000000";

#[test]
fn an_answer_that_tells_more_is_read_as_before() {
    let (at, site) = ("2026-11-23T09:00:00Z", json!({ "id": "sit_1", "name": "office" }));
    let principal = json!({ "kind": "user", "id": "usr_1", "name": "ada" });
    is_read::<List<MyResource>>(&json!({ "items": [{
        "id": format!("res_{ID}"), "name": "wiki", "type": "http", "site": "office", "actions": ["http"], "online": true,
        "url": "https://wiki.example", "host_keys": [{ "key": "ssh-ed25519 AAAA", "confirmed": true }],
    }] }));
    is_read::<Me>(&json!({
        "principal": principal, "groups": [], "owner": false, "issuer": "https://gw.example", "revision": 1,
        "sign_in": { "id": format!("sin_{ID}"), "at": at, "expires_at": at },
    }));
    is_read::<IssuedAppToken>(&json!({ "token": "pst_app_x", "about": {
        "id": format!("tok_{ID}"), "resource": site, "created_at": at, "expires_at": at,
    } }));
    is_read::<ConnectorView>(&json!({
        "id": format!("con_{ID}"), "name": "a", "site": site, "state": "active", "online": true, "ephemeral": false,
    }));
    is_read::<SessionView>(&json!({
        "id": format!("ses_{ID}"), "principal": principal, "resource": site, "decision": format!("dec_{ID}"),
        "started_at": at, "bytes_up": 1, "bytes_down": 2, "live": true,
    }));
    is_read::<DecisionView>(&json!({
        "id": format!("dec_{ID}"), "at": at, "outcome": "deny", "reason": "no_rule", "sentence": "s", "next": "n", "revision": 1,
        "principal": principal, "resource": site, "action": "http", "source": "127.0.0.1", "failing": [],
        "policies": [{ "id": "p", "name": "p", "effect": "permit", "text": "" }],
    }));
    is_read::<Plan>(&json!({ "applied": true, "revision": 2, "unchanged": 0, "changes": [
        { "change": "update", "object": "site", "name": "office", "fields": [{ "field": "a", "before": null, "after": "b" }] },
    ] }));
    is_read::<Problem>(&json!({
        "type": "about:blank", "title": "t", "status": 404, "code": "not_found", "detail": "d", "next": "n",
    }));
    is_read::<tunnel::RefusedDetail>(&json!({ "message": "no" }));
    is_read::<tunnel::OpenReply>(&json!({
        "session": format!("ses_{ID}"), "decision": format!("dec_{ID}"),
        "resource": { "id": format!("res_{ID}"), "name": "db", "kind": "tcp" },
    }));
}

#[test]
fn a_request_that_asks_for_more_is_refused() {
    let token = json!({ "resource": "wiki" });
    serde_json::from_value::<IssueAppTokenRequest>(token.clone()).unwrap();
    assert!(serde_json::from_value::<IssueAppTokenRequest>(newer(&token)).is_err());
    let question = json!({ "resource": "wiki", "action": "http" });
    serde_json::from_value::<ExplainRequest>(question.clone()).unwrap();
    assert!(serde_json::from_value::<ExplainRequest>(newer(&question)).is_err());
}
