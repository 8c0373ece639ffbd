//! Plan and apply: everything or nothing, twice is once.

use crate::gate::{Browser, Gate};
use axum::http::StatusCode;
use serde_json::{Value, json};

fn documents() -> Value {
    json!([
        {"kind": "grant", "name": "eng", "subjects": [{"group": "engineers"}], "resources": {"labels": {"env": "prod"}},
         "actions": ["connect"], "conditions": {"windows": ["office-hours"], "source_cidrs": ["10.0.0.0/8"]}},
        {"kind": "window", "name": "office-hours", "zone": "Europe/Paris", "days": ["mon", "fri"], "from": "09:00", "to": "17:00"},
        {"kind": "resource", "name": "bastion", "site": "office", "type": "ssh", "target": "127.0.0.1:22", "labels": {"env": "prod"}},
        {"kind": "user", "name": "alice", "groups": ["engineers"], "password": {"value": "alice has a password"}},
        {"kind": "group", "name": "engineers", "parents": ["staff"]},
        {"kind": "group", "name": "staff"},
        {"kind": "site", "name": "office"},
        {"kind": "policy", "name": "no-http", "text": "forbid (principal, action == Action::\"http\", resource);"},
    ])
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_applying_twice_changes_nothing_more() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let request = json!({"documents": documents()});
    let plan = gate.post("/apply?dry_run=true", &owner, request.clone()).await;
    assert_eq!(plan.status, StatusCode::OK, "{plan:?}");
    assert_eq!(
        (plan.json()["applied"].clone(), plan.json()["changes"].as_array().unwrap().len()),
        (json!(false), 8)
    );
    assert_eq!(gate.get("/sites", &owner).await.json()["items"], json!([]));
    let done = gate.apply(&owner, documents()).await;
    assert_eq!((done.status, done.json()["applied"].clone()), (StatusCode::OK, json!(true)), "{done:?}");
    let again = gate.apply(&owner, documents()).await.json();
    assert_eq!((again["changes"].clone(), again["unchanged"].clone()), (json!([]), json!(8)));
    Browser::new(&gate).sign_in("alice", "alice has a password", "").await;
    let shown = gate.get("/grants/eng", &owner).await.json();
    assert_eq!(shown["document"], documents()[0]);
    let alice = gate.get("/users/alice", &owner).await;
    assert!(!alice.body.contains("password"), "{}", alice.body);
}

#[tokio::test]
async fn an_update_lists_its_fields_and_an_absent_document_deletes() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    gate.apply(&owner, documents()).await;
    let moved = json!([{"kind": "resource", "name": "bastion", "site": "office", "type": "ssh", "target": "127.0.0.1:2222", "labels": {"env": "prod"}}]);
    let plan = gate.apply(&owner, moved).await.json();
    assert_eq!(plan["changes"][0]["change"], "update");
    assert_eq!(
        plan["changes"][0]["fields"],
        json!([{"field": "target", "before": "127.0.0.1:22", "after": "127.0.0.1:2222"}])
    );
    let absent = |object: &str, name: &str| json!({"kind": "absent", "object": object, "name": name});
    let used = gate.apply(&owner, json!([absent("site", "office")])).await;
    assert_eq!(used.status, StatusCode::UNPROCESSABLE_ENTITY, "{used:?}");
    let gone = json!([absent("site", "office"), absent("resource", "bastion"), absent("grant", "eng")]);
    let plan = gate.apply(&owner, gone).await.json();
    let order: Vec<&str> =
        plan["changes"].as_array().unwrap().iter().map(|c| c["object"].as_str().unwrap()).collect();
    assert_eq!(order, ["grant", "resource", "site"], "{plan}");
    assert_eq!(gate.get("/resources/bastion", &owner).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn mistakes_are_reported_together_and_nothing_is_changed() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let before = gate.store.revision().await.unwrap();
    let wrong = json!([
        {"kind": "site", "name": "office"},
        {"kind": "site", "name": "office"},
        {"kind": "resource", "name": "a", "site": "nowhere", "type": "ssh", "target": "127.0.0.1:22"},
        {"kind": "resource", "name": "b", "site": "office", "type": "ssh", "target": "no port"},
        {"kind": "grant", "name": "g", "subjects": [{"group": "ghosts"}], "resources": "all", "actions": ["connect"]},
    ]);
    let answer = gate.apply(&owner, wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 4, "{answer:?}");
    for text in
        ["permit (principal, action", "permit (principal, action, resource) when { context.nothing };"]
    {
        let broken = json!([{"kind": "site", "name": "s"}, {"kind": "policy", "name": "p", "text": text}]);
        let answer = gate.apply(&owner, broken).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
        assert!(answer.body.contains("compile"));
    }
    assert_eq!(gate.store.revision().await.unwrap(), before);
    assert_eq!(gate.get("/sites", &owner).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a04_a_plan_for_another_revision_and_the_last_owner_are_refused() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let revision = gate.store.revision().await.unwrap();
    gate.apply(&owner, json!([{"kind": "site", "name": "one"}])).await;
    let stale = json!({"documents": [{"kind": "site", "name": "two"}], "expected_revision": revision});
    assert_eq!(gate.post("/apply", &owner, stale).await.code(), "conflict");
    for last in [
        json!([{"kind": "user", "name": "olivia", "groups": []}]),
        json!([{"kind": "user", "name": "olivia", "groups": ["owners"], "disabled": true}]),
        json!([{"kind": "absent", "object": "user", "name": "olivia"}]),
    ] {
        let answer = gate.apply(&owner, last.clone()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::CONFLICT, "last_owner"),
            "{last} {answer:?}"
        );
    }
    assert_eq!(gate.get("/me", &owner).await.json()["owner"], true);
}

#[tokio::test]
async fn parallel_applies_all_happen() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let applies = (0..3).map(|n| {
        let request = json!({"documents": [{"kind": "site", "name": format!("site-{n}")}]});
        gate.post("/apply", &owner, request)
    });
    let answers = futures_util::future::join_all(applies.collect::<Vec<_>>()).await;
    let done = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    let sites = gate.get("/sites", &owner).await.json()["items"].as_array().unwrap().len();
    assert!(done >= 1 && done == sites, "{done} said done, {sites} exist");
}

/// One document of each kind, with every part that can have fields.
fn one_of_each() -> Vec<Value> {
    vec![
        json!({"kind": "site", "name": "office"}),
        json!({"kind": "group", "name": "staff"}),
        json!({"kind": "window", "name": "day", "zone": "UTC", "days": ["mon"], "from": "09:00", "to": "17:00"}),
        json!({"kind": "threshold", "name": "fresh", "seconds": 60}),
        json!({"kind": "provider", "name": "sso", "issuer": "https://id.example", "client_id": "postern",
            "client_secret": {"value": "a secret of the provider"}}),
        json!({"kind": "user", "name": "eve", "password": {"value": "a long pass phrase"}}),
        json!({"kind": "service_account", "name": "ci"}),
        json!({"kind": "resource", "name": "wiki", "site": "office", "type": "http", "target": "10.0.0.1:80",
            "web": {"upstream": {"tls": {}}, "identity": {}, "timeouts": {}, "headers": {}, "public": [{"path": "/a"}]}}),
        json!({"kind": "grant", "name": "g", "subjects": [{"group": "staff"}], "resources": {"names": ["wiki"]},
            "actions": ["http"], "conditions": {"windows": ["day"]}}),
        json!({"kind": "policy", "name": "p", "text": "forbid (principal, action, resource);"}),
        json!({"kind": "absent", "object": "site", "name": "old"}),
    ]
}

/// The places of all JSON objects in a value.
fn objects(at: &str, value: &Value, found: &mut Vec<String>) {
    if let Value::Object(members) = value {
        found.push(at.to_owned());
        members.iter().for_each(|(name, member)| objects(&format!("{at}/{name}"), member, found));
    }
    if let Value::Array(items) = value {
        items.iter().enumerate().for_each(|(n, item)| objects(&format!("{at}/{n}"), item, found));
    }
}

#[tokio::test]
async fn a02_no_part_of_any_document_takes_a_field_of_the_store_or_a_field_twice() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let good = gate.apply(&owner, Value::Array(one_of_each())).await;
    assert_eq!(good.status, StatusCode::OK, "{good:?}");
    let before = gate.store.revision().await.unwrap();
    let (mut asked, stolen) =
        (0, ["role", "tenant_id", "id", "email_verified", "created_at", "version", "issuer_id"]);
    for document in one_of_each() {
        let mut places = Vec::new();
        objects("", &document, &mut places);
        for place in &places {
            for field in stolen {
                let mut bad = document.clone();
                bad.pointer_mut(place).unwrap()[field] = "x".into();
                let answer = gate.apply(&owner, json!([bad])).await;
                assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{place} {bad} {answer:?}");
                // What is one of several by its only field says so in other words.
                let is_choice =
                    ["/subjects/0", "/resources", "/client_secret", "/password"].contains(&place.as_str());
                assert!(is_choice || answer.code() == "unknown_field", "{place} {bad} {answer:?}");
                asked += 1;
            }
        }
        for (name, value) in document.as_object().unwrap() {
            let text = document.to_string();
            let twice = format!("{{\"documents\":[{{{}:{value},{}]}}", json!(name), &text[1..]);
            let request = http::Request::post("/api/v1/apply")
                .header("authorization", format!("Bearer {owner}"))
                .header("content-type", "application/json");
            let answer = gate.send(request.body(twice.clone().into()).unwrap()).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::UNPROCESSABLE_ENTITY, "unknown_field"),
                "{twice} {answer:?}"
            );
        }
    }
    assert!(asked > 100, "{asked}");
    assert_eq!(gate.store.revision().await.unwrap(), before);
}

#[tokio::test]
async fn a02_what_identifies_people_cannot_be_changed() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let provider = |name: &str, issuer: &str| json!({"kind": "provider", "name": name, "issuer": issuer, "client_id": "c"});
    let person = |provider: &str| json!({"kind": "user", "name": "eve", "email": "eve@example.com", "provider": provider});
    let local = json!({"kind": "user", "name": "bob"});
    let first =
        json!([provider("sso", "https://id.example"), provider("other", "https://other.example"), local]);
    assert_eq!(gate.apply(&owner, first).await.status, StatusCode::OK);
    // Nobody is known by it yet: a mistyped issuer is corrected in place.
    assert_eq!(
        gate.apply(&owner, json!([provider("sso", "https://idp.example")])).await.status,
        StatusCode::OK
    );
    assert_eq!(gate.apply(&owner, json!([person("sso")])).await.status, StatusCode::OK);
    let before = gate.store.revision().await.unwrap();
    for change in [
        json!([provider("sso", "https://evil.example")]),
        json!([person("other")]),
        json!([provider("third", "https://third.example"), person("third")]),
        json!([{"kind": "user", "name": "eve"}]),
        json!([{"kind": "user", "name": "bob", "email": "bob@example.com", "provider": "sso"}]),
        json!([{"kind": "absent", "object": "group", "name": "owners"}]),
    ] {
        let answer = gate.apply(&owner, change.clone()).await;
        let told = (answer.status, answer.code());
        assert_eq!(told, (StatusCode::CONFLICT, "immutable_field".to_owned()), "{change} {answer:?}");
    }
    assert_eq!(gate.store.revision().await.unwrap(), before);
    let unknown = gate.apply(&owner, json!([person("nowhere")])).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{unknown:?}");
    assert_eq!(gate.apply(&owner, json!([person("sso")])).await.status, StatusCode::OK, "as it is");
}
