//! Web applications as an administrator publishes them.

use crate::gate::Gate;
use axum::http::StatusCode;
use serde_json::{Value, json};

fn app(name: &str, web: Value) -> Value {
    let mut document = json!({"kind": "resource", "name": name, "site": "office", "type": "http", "target": "10.0.0.5:3000"});
    document["web"] = web;
    document
}

fn with_site(mut documents: Vec<Value>) -> Value {
    documents.push(json!({"kind": "site", "name": "office"}));
    Value::Array(documents)
}

/// Everything that can be said, none of it the default.
fn everything() -> Value {
    json!({
        "hosts": ["grafana.example.org", "metrics.example.org"],
        "former_hosts": ["old-grafana.example.org"],
        "path": "/grafana",
        "strip_path": true,
        "sign_in_with": ["api"],
        "origins": ["https://portal.example.org:8443"],
        "answer_preflight": true,
        "upstream": {
            "tls": {"server_name": "grafana.internal", "insecure": true},
            "protocol": "http2",
            "host": {"fixed": "grafana.internal:3000"},
        },
        "identity": {"groups": ["engineers"], "compatible": ["pomerium", "remote_user"]},
        "headers": {
            "request_set": {"x-scope-orgid": "1"},
            "request_remove": ["accept-language"],
            "response_set": {"x-frame-options": "DENY"},
            "response_remove": ["server"],
        },
        "public": [{"path": "/healthz"}, {"path": "/hooks/*", "methods": ["POST"]}],
        "paths": "strict_opaque_slash",
        "underscore_headers": "reject",
        "timeouts": {"response_s": 5, "idle_s": 60},
        "basic_tokens": true,
    })
}

#[tokio::test]
async fn what_is_published_comes_back_word_for_word_and_applying_it_again_changes_nothing() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let full = app("grafana", everything());
    // Each names the other; neither has to come first.
    let api = app("api", json!({"sign_in_with": ["grafana"]}));
    let group = json!({"kind": "group", "name": "engineers"});
    let documents = with_site(vec![full.clone(), api.clone(), group]);
    let done = gate.apply(&owner, documents.clone()).await;
    assert_eq!(done.status, StatusCode::OK, "{done:?}");
    assert_eq!(gate.get("/resources/grafana", &owner).await.json()["document"], full);
    assert_eq!(gate.get("/resources/api", &owner).await.json()["document"], api);
    let again = gate.apply(&owner, documents).await.json();
    assert_eq!(again["changes"], json!([]));

    let mut moved = full.clone();
    moved["web"]["timeouts"]["response_s"] = json!(6);
    let plan = gate.apply(&owner, json!([moved])).await.json();
    let differs = json!([{"field": "web.timeouts.response_s", "before": 5, "after": 6}]);
    assert_eq!(plan["changes"][0]["fields"], differs);
    let absent = |object: &str, name: &str| json!([{"kind": "absent", "object": object, "name": name}]);
    for (object, name) in [("group", "engineers"), ("resource", "api")] {
        let used = gate.apply(&owner, absent(object, name)).await;
        assert_eq!(used.status, StatusCode::UNPROCESSABLE_ENTITY, "{object} {name}");
        assert!(used.body.contains("grafana refers to"), "{used:?}");
    }
    let mut bare = full;
    bare.as_object_mut().unwrap().remove("web");
    gate.apply(&owner, json!([bare.clone()])).await;
    assert_eq!(gate.get("/resources/grafana", &owner).await.json()["document"], bare);
}

#[tokio::test]
async fn h07_every_mistake_in_how_an_application_is_published_is_refused_with_its_field() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    gate.apply(&owner, with_site(vec![])).await;
    for (web, said) in [
        (json!({"hosts": ["Grafana.example.org"]}), "has to be written \"grafana.example.org\""),
        (json!({"hosts": ["grafana.example.org."]}), "is no host name"),
        (json!({"hosts": ["grafana.example.org:443"]}), "has a port"),
        (json!({"hosts": ["10.0.0.1"]}), "is an address"),
        (json!({"hosts": ["[::1]"]}), "is an address"),
        (json!({"hosts": ["a b"]}), "is no host name"),
        (json!({"hosts": ["a.example", "a.example"]}), "listed twice"),
        (json!({"hosts": ["gw.example"]}), "the gateway's own"),
        (json!({"former_hosts": ["gw1.example"]}), "the gateway's own"),
        (json!({"former_hosts": ["UPPER"]}), "web.former_hosts"),
        (json!({"path": "/"}), "leave it out"),
        (json!({"path": "/api/"}), "must not end with a slash"),
        (json!({"path": "api"}), "web.path"),
        (json!({"path": "/a/../b"}), "web.path"),
        (json!({"path": "//api"}), "web.path"),
        (json!({"path": "/%61pi"}), "web.path"),
        (json!({"path": "/api?x"}), "web.path"),
        (json!({"strip_path": true}), "web.strip_path"),
        (json!({"path": "/api", "paths": "verbatim"}), "web.paths"),
        (json!({"sign_in_with": ["nobody"]}), "there is no resource nobody"),
        (json!({"sign_in_with": ["app"]}), "web.sign_in_with"),
        (json!({"origins": ["http://a.example"]}), "no https origin"),
        (json!({"origins": ["https://a.example/"]}), "has to be written \"https://a.example\""),
        (json!({"origins": ["https://A.example"]}), "has to be written"),
        (json!({"origins": ["*"]}), "no https origin"),
        (json!({"origins": ["null"]}), "no https origin"),
        (json!({"answer_preflight": true}), "list web.origins"),
        (json!({"upstream": {"tls": {"ca": "nonsense"}}}), "not PEM"),
        (
            json!({"upstream": {"tls": {"ca": "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"}}}),
            "not PEM",
        ),
        (json!({"upstream": {"tls": {"ca": "x", "insecure": true}}}), "keep one"),
        (json!({"upstream": {"tls": {"server_name": "a b"}}}), "server_name"),
        (json!({"upstream": {"host": {"fixed": "A.example"}}}), "has to be written"),
        (json!({"identity": {"groups": ["ghosts"]}}), "there is no group ghosts"),
        (json!({"public": [{"path": "healthz"}]}), "web.public"),
        (json!({"public": [{"path": ""}]}), "web.public"),
        (json!({"public": [{"path": "/a*"}]}), "web.public"),
        (json!({"public": [{"path": "/*/b"}]}), "web.public"),
        (json!({"public": [{"path": "/a/../b"}]}), "web.public"),
        (json!({"public": [{"path": "/%61"}]}), "web.public"),
        (json!({"public": [{"path": "/a?b"}]}), "web.public"),
        (json!({"public": [{"path": "/a;b"}]}), "web.public"),
        (json!({"public": [{"path": "/a", "methods": ["GE T"]}]}), "no method"),
        (json!({"public": [{"path": "/a", "methods": ["CONNECT"]}]}), "no method"),
        (json!({"public": [{"path": "/a"}], "paths": "verbatim"}), "cannot be compared"),
        (json!({"timeouts": {"response_s": 0}}), "web.timeouts"),
        (json!({"timeouts": {"idle_s": 86_401}}), "web.timeouts"),
    ] {
        let answer = gate.apply(&owner, json!([app("app", web.clone())])).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{web} {answer:?}");
        let errors = answer.json()["errors"].to_string().replace("\\\"", "\"");
        assert!(errors.contains(said), "{web}: {errors}");
    }
    let ssh = json!({"kind": "resource", "name": "a", "site": "office", "type": "ssh", "target": "h:22", "web": {}});
    assert!(gate.apply(&owner, json!([ssh])).await.body.contains("only resources of type http"));
    let odd = gate.apply(&owner, json!([app("a..b", json!({}))])).await;
    assert!(odd.body.contains("is no host name: list web.hosts"), "{odd:?}");
}

#[tokio::test]
async fn h12_no_rule_writes_a_header_that_is_the_gateways_or_the_connections() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    gate.apply(&owner, with_site(vec![])).await;
    let value = json!("1");
    for (field, name) in [
        ("request_set", "x-postern-user"),
        ("request_set", "x_postern_user"),
        ("request_remove", "x-forwarded-for"),
        ("request_set", "remote-user"),
        ("request_set", "host"),
        ("request_set", "content-length"),
        ("request_set", "transfer-encoding"),
        ("request_remove", "connection"),
        ("request_remove", "te"),
        ("request_set", "X-Upper"),
        ("request_set", "a b"),
        ("request_set", ":path"),
        ("response_set", "set-cookie"),
        ("response_remove", "x-postern-request"),
        ("response_set", "alt-svc"),
        ("response_set", "upgrade"),
    ] {
        let rules = if field.ends_with("set") { json!({name: value}) } else { json!([name]) };
        let answer = gate.apply(&owner, json!([app("app", json!({"headers": {field: rules}}))])).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field} {name} {answer:?}");
        assert!(answer.body.contains(&format!("web.headers.{field}")), "{answer:?}");
    }
    for value in ["a\r\nx: y", "a\u{0}b", " a", "é"] {
        let web = json!({"headers": {"request_set": {"x-a": value}}});
        let answer = gate.apply(&owner, json!([app("app", web)])).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{value:?}");
    }
}

#[tokio::test]
async fn h07_a_host_and_path_belong_to_one_application() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let at = |host: &str, path: &str| json!({"hosts": [host], "path": path});
    let first = with_site(vec![
        app("wiki", json!({})),
        app("root", at("www.example.org", "")),
        app("api", at("www.example.org", "/api")),
    ]);
    let done = gate.apply(&owner, first).await;
    assert_eq!(done.status, StatusCode::OK, "{done:?}");
    for (name, web, said) in [
        ("other", at("www.example.org", ""), "would both be www.example.org:"),
        ("other", at("www.example.org", "/api"), "would both be www.example.org/api:"),
        (
            "root",
            json!({"hosts": ["www.example.org"], "paths": "verbatim"}),
            "the paths of root cannot be verbatim",
        ),
        // The name that another one has without saying so.
        ("other", at("wiki.apps.example", ""), "wiki.apps.example"),
        ("other", json!({"former_hosts": ["www.example.org"]}), "would both answer for www.example.org"),
        ("other", json!({"former_hosts": ["wiki.apps.example"]}), "would both answer for wiki.apps.example"),
    ] {
        let answer = gate.apply(&owner, json!([app(name, web.clone())])).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{web} {answer:?}");
        assert!(answer.body.contains(said), "{web} {answer:?}");
    }
    // A renamed application keeps the name that it had.
    let renamed = app("wiki", json!({"hosts": ["docs.example.org"], "former_hosts": ["wiki.apps.example"]}));
    assert_eq!(gate.apply(&owner, json!([renamed])).await.status, StatusCode::OK);
    let hosts: Vec<String> = (0..9).map(|n| format!("h{n}.example.org")).collect();
    let many = gate.apply(&owner, json!([app("many", json!({"hosts": hosts}))])).await;
    assert!(many.body.contains("lead over 9 hosts"), "{many:?}");
}

#[tokio::test]
async fn people_see_where_their_applications_are() {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let mut plain = app("plain", json!(null));
    plain.as_object_mut().unwrap().remove("web");
    let own = json!({"hosts": ["www.example.org"], "path": "/api"});
    let ssh = json!({"kind": "resource", "name": "ssh", "site": "office", "type": "ssh", "target": "h:22"});
    let grant = json!({"kind": "grant", "name": "all", "subjects": ["everyone"], "resources": "all", "actions": ["connect", "http"]});
    gate.apply(&owner, with_site(vec![plain, app("own", own), ssh, grant])).await;
    let mine = gate.get("/me/resources", &owner).await.json();
    let urls: Vec<Value> = mine["items"].as_array().unwrap().iter().map(|item| item["url"].clone()).collect();
    let expected = [json!("https://www.example.org/api/"), json!("https://plain.apps.example/"), Value::Null];
    assert_eq!(urls, expected, "{mine}");
}
