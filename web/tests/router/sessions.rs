//! Sessions that live on another gateway than the one that is asked.

use crate::gate::Gate;
use axum::http::StatusCode;
use postern_ids::{DecisionId, Ended, NodeId, SessionId, SignInId, Timestamp};
use postern_policy::{
    Action, Asked, Request, Staleness, decide,
    model::{Credential, PrincipalId, SignIn},
};
use postern_store::journal::{Journal, SessionEnd, SessionFacts, Sweep};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Another gateway's journal.
struct Elsewhere {
    journal: Journal,
    _dir: tempfile::TempDir,
}

impl Elsewhere {
    fn new(gate: &Gate) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path(), NodeId::mint(gate.now(), [9; 10])).unwrap();
        Self { journal, _dir: dir }
    }

    async fn admit(&self, gate: &Gate, bearer: &str) -> SessionId {
        let request = request(gate, bearer).await;
        let permit = decide(&request, &gate.snapshot(), Staleness::FRESH, gate.now()).unwrap();
        self.journal.record(permit, facts(gate, 1)).await.unwrap();
        self.ship(gate, |session| session.is_some(), request.session).await;
        request.session
    }

    async fn resume(&self, gate: &Gate, bearer: &str, session: SessionId) -> DecisionId {
        let request = Request { session, ..request(gate, bearer).await };
        let permit = decide(&request, &gate.snapshot(), Staleness::FRESH, gate.now()).unwrap();
        self.journal.resumed(permit, facts(gate, 2)).await.unwrap();
        self.ship(gate, |session| session.is_some_and(|session| session.generation == 2), session).await;
        request.decision
    }

    async fn end(&self, gate: &Gate, session: SessionId, ended: Ended) {
        let at = gate.now();
        self.journal.ended(SessionEnd { session, generation: 1, ended, bytes_up: 0, bytes_down: 0, at });
        self.ship(gate, |session| session.is_some_and(|session| session.ended.is_some()), session).await;
    }

    async fn ship(
        &self,
        gate: &Gate,
        is_there: impl Fn(Option<postern_store::SessionEntry>) -> bool,
        session: SessionId,
    ) {
        let (stop, sweep) = (
            CancellationToken::new(),
            Sweep { wait: Duration::from_secs(3600), is_held: Box::new(|_| true) },
        );
        let (journal, store, token) = (self.journal.clone(), gate.store.clone(), stop.clone());
        let shipping = tokio::spawn(async move { journal.ship(store, sweep, token).await });
        let waiting = async {
            while !is_there(gate.store.session(session).await.unwrap()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
        stop.cancel();
        shipping.await.unwrap();
    }
}

async fn request(gate: &Gate, bearer: &str) -> Request {
    let me = gate.get("/me", bearer).await.json();
    let user = PrincipalId::User(me["principal"]["id"].as_str().unwrap().parse().unwrap());
    let now = gate.now();
    let sign_in = SignIn {
        id: SignInId::mint(now, [1; 10]),
        at: now,
        mfa_at: None,
        acr: None,
        amr: Vec::new(),
        expires_at: Timestamp::MAX,
        idp: "local".into(),
    };
    Request {
        decision: DecisionId::mint(now, rand::random()),
        session: SessionId::mint(now, rand::random()),
        started_at: now,
        principal: Arc::new(gate.store.principal(user).await.unwrap().unwrap()),
        credential: Credential::SignIn(Arc::new(sign_in)),
        resource: Asked::Name("db".parse().unwrap()),
        action: Action::Connect,
        source: [192, 0, 2, 1].into(),
    }
}

fn facts(gate: &Gate, generation: u32) -> SessionFacts {
    SessionFacts { ingress: "client", connector: None, generation, at: gate.now() }
}

async fn with_db(gate: &Gate) -> String {
    let owner = gate.owner().await;
    let documents = json!([
        {"kind": "site", "name": "office"},
        {"kind": "resource", "name": "db", "site": "office", "type": "tcp", "target": "10.0.0.5:5432"},
        {"kind": "user", "name": "bob", "password": {"value": "bobs long password"}},
        {"kind": "grant", "name": "all", "subjects": ["everyone"], "resources": "all", "actions": ["connect"]},
    ]);
    let applied = gate.apply(&owner, documents).await;
    assert_eq!(applied.status, StatusCode::OK, "{applied:?}");
    owner
}

fn end(session: SessionId) -> String {
    format!("/sessions/{session}/end")
}

#[tokio::test]
async fn ending_a_session_that_lives_on_another_gateway_is_an_order_to_all_of_them() {
    let gate = Gate::open().await;
    let owner = with_db(&gate).await;
    let bob = gate.login("bob", "bobs long password").await["access_token"].as_str().unwrap().to_owned();
    let elsewhere = Elsewhere::new(&gate);
    let (his, hers) = (elsewhere.admit(&gate, &bob).await, elsewhere.admit(&gate, &owner).await);

    let foreign = gate.post(&end(hers), &bob, json!({})).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{foreign:?}");
    for (session, by) in [(his, &owner), (hers, &owner)] {
        let ended = gate.post(&end(session), by, json!({})).await;
        assert_eq!(ended.json()["was_live"], true, "{ended:?}");
    }
    gate.follow().await;
    assert_eq!(gate.snapshot().ended_session(his), Some(Ended::EndedByAdmin));
    assert_eq!(gate.snapshot().ended_session(hers), Some(Ended::EndedByPrincipal));

    elsewhere.end(&gate, his, Ended::EndedByAdmin).await;
    let over = gate.get(&format!("/sessions/{his}"), &owner).await.json();
    assert_eq!((&over["ended"], &over["source"]), (&json!("ended_by_admin"), &json!("192.0.2.1")), "{over}");
    let revision = gate.store.revision().await.unwrap();
    let again = gate.post(&end(his), &owner, json!({})).await;
    assert_eq!(again.json()["was_live"], false, "{again:?}");
    assert_eq!(gate.store.revision().await.unwrap(), revision, "an ended session moves nothing");
}

#[tokio::test]
async fn t11_orders_to_end_sessions_are_limited_since_each_moves_the_policy() {
    let gate = Gate::open().await;
    let owner = with_db(&gate).await;
    let session = Elsewhere::new(&gate).admit(&gate, &owner).await;
    let mut statuses = Vec::new();
    for _ in 0..121 {
        statuses.push(gate.post(&end(session), &owner, json!({})).await.status);
    }
    assert!(statuses[..120].iter().all(|status| *status == StatusCode::OK));
    assert_eq!(statuses[120], StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_resume_is_explained_as_one_and_the_list_shows_the_session_once() {
    let gate = Gate::open().await;
    let owner = with_db(&gate).await;
    let elsewhere = Elsewhere::new(&gate);
    let session = elsewhere.admit(&gate, &owner).await;
    let first = gate.get(&format!("/sessions/{session}"), &owner).await.json();
    let resumed = elsewhere.resume(&gate, &owner, session).await;
    let listed = gate.get("/sessions", &owner).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    let now = &listed["items"][0];
    assert_eq!((&now["generation"], &now["decision"]), (&json!(2), &json!(resumed.to_string())));
    assert_eq!((&first["generation"], &first["started_at"]), (&json!(1), &now["started_at"]));
    for (decision, attempt) in [(&first["decision"], json!(null)), (&now["decision"], json!(2))] {
        let why = gate.get(&format!("/decisions/{}", decision.as_str().unwrap()), &owner).await.json();
        assert_eq!((&why["session"], &why["resumed"]), (&json!(session.to_string()), &attempt), "{why}");
        assert_eq!(why["outcome"], "allow");
    }
}
