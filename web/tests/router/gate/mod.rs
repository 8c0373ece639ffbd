//! A whole router over a real SQLite store in a directory of its own, with a clock that the test turns.

mod browser;

pub(crate) use browser::Browser;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use postern_ids::{ConnectorId, Ended, SessionId, SignInId, Timestamp};
use postern_policy::{
    Snapshot, Staleness,
    live::{Filter, LiveView},
};
use postern_store::{Database, SecretHash, Store, StoreConfig};
use postern_token::opaque::{Opaque, OpaqueKind};
use postern_web::{ClientAddr, Clock, KeyRing, LiveSessions, Snapshots, WebConfig, WebState};
use serde_json::{Value, json};
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const ISSUER: &str = "https://gw.example";
pub(crate) const GATEWAYS: [&str; 2] = ["https://gw1.example", "https://gw2.example"];
pub(crate) const OWNER: (&str, &str) = ("olivia", "a long enough password");
const BEGAN: Timestamp = Timestamp::from_secs(1_800_000_000);

struct Present {
    snapshot: Mutex<Arc<Snapshot>>,
    live: Mutex<Vec<LiveView>>,
}

impl Snapshots for Present {
    fn current(&self) -> (Arc<Snapshot>, Staleness) {
        (Arc::clone(&self.snapshot.lock().unwrap()), Staleness::FRESH)
    }
}

impl LiveSessions for Present {
    fn list(&self, filter: &Filter) -> Vec<LiveView> {
        let live = self.live.lock().unwrap();
        let wanted = |view: &&LiveView| match filter {
            Filter::Session(id) => view.session == *id,
            _ => true,
        };
        live.iter().filter(wanted).cloned().collect()
    }

    fn end(&self, session: SessionId, _: Ended) -> bool {
        let mut live = self.live.lock().unwrap();
        let before = live.len();
        live.retain(|view| view.session != session);
        live.len() < before
    }

    fn connectors_online(&self) -> Vec<ConnectorId> {
        Vec::new()
    }

    fn sign_ins_in_use(&self) -> Vec<SignInId> {
        self.live.lock().unwrap().iter().filter_map(|view| view.sign_in).collect()
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Where it leads: by its status, or as a page that leads on by itself.
    pub(crate) fn location(&self) -> &str {
        let refresh = || self.body.split("http-equiv=\"refresh\" content=\"0;url=").nth(1)?.split('"').next();
        let location = self.headers.get(header::LOCATION).map(|location| location.to_str().unwrap());
        location.or_else(refresh).unwrap_or_else(|| panic!("{self:?}"))
    }

    /// The value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> String {
        let from = format!("name=\"{name}\" value=\"");
        let rest = self.body.split(&from).nth(1).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }
}

pub(crate) struct Gate {
    pub(crate) state: WebState,
    router: Router,
    pub(crate) store: Store,
    pub(crate) keys: Arc<KeyRing>,
    present: Arc<Present>,
    now: Arc<AtomicI64>,
    _dir: TempDir,
}

impl Gate {
    pub(crate) async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            database: Database::Sqlite { path: dir.path().join("postern.db") },
            master_key_file: dir.path().join("master.key"),
            previous_master_key_files: Vec::new(),
            migrate: true,
        };
        let store = Store::open(config, BEGAN).await.unwrap();
        let snapshot = Snapshot::build(store.snapshot_source(BEGAN).await.unwrap()).unwrap();
        let present = Arc::new(Present { snapshot: Mutex::new(Arc::new(snapshot)), live: Mutex::default() });
        let now = Arc::new(AtomicI64::new(BEGAN.as_micros()));
        let clock = Arc::clone(&now);
        let keys = Arc::new(KeyRing::open(&store, ISSUER, BEGAN).await.unwrap());
        let state = WebState::new(WebConfig {
            issuer: ISSUER.to_owned(),
            gateways: GATEWAYS.map(str::to_owned).to_vec(),
            apps_domain: Some("apps.example".to_owned()),
            ca_sha256: Some([7; 32]),
            store: store.clone(),
            keys: Arc::clone(&keys),
            snapshots: Arc::clone(&present) as _,
            live: Arc::clone(&present) as _,
            clock: Clock::new(move || Timestamp::from_micros(clock.load(Ordering::Relaxed))),
        });
        let router = postern_web::router(state.clone());
        Self { state, router, store, keys, present, now, _dir: dir }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::Relaxed))
    }

    /// Sets the clock.
    pub(crate) fn set(&self, at: Timestamp) {
        self.now.store(at.as_micros(), Ordering::Relaxed);
    }

    pub(crate) fn later(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Brings the gateway's snapshot up to date, as its feed does.
    pub(crate) async fn follow(&self) {
        let snapshot = Snapshot::build(self.store.snapshot_source(self.now()).await.unwrap()).unwrap();
        *self.present.snapshot.lock().unwrap() = Arc::new(snapshot);
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.present.current().0
    }

    pub(crate) fn goes_live(&self, view: LiveView) {
        self.present.live.lock().unwrap().push(view);
    }

    pub(crate) async fn send_from(&self, from: &str, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ClientAddr(from.parse::<IpAddr>().unwrap()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 22).await.unwrap();
        Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from("192.0.2.1", request).await
    }

    pub(crate) async fn get(&self, path: &str, bearer: &str) -> Answer {
        self.call("GET", path, bearer, None).await
    }

    pub(crate) async fn post(&self, path: &str, bearer: &str, body: Value) -> Answer {
        self.call("POST", path, bearer, Some(body)).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, bearer: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !bearer.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        let body = match body {
            None => Body::empty(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn oauth(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, fields).body(Body::from(encoded(fields))).unwrap()).await
    }

    /// A bootstrap token as the gateway prints it.
    pub(crate) async fn bootstrap_token(&self) -> String {
        let token = Opaque::from_entropy(OpaqueKind::Bootstrap, rand::random());
        let until = self.now().plus(Duration::from_secs(900));
        assert!(self.store.issue_bootstrap_token(SecretHash(token.hash()), until, self.now()).await.unwrap());
        token.reveal().to_owned()
    }

    /// Makes the owner and gives their access token.
    pub(crate) async fn owner(&self) -> String {
        let token = self.bootstrap_token().await;
        let request = json!({"token": token, "username": OWNER.0, "password": OWNER.1});
        let answer = self.post("/bootstrap", "", request).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        self.follow().await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Applies documents and follows.
    pub(crate) async fn apply(&self, bearer: &str, documents: Value) -> Answer {
        let answer = self.post("/apply", bearer, json!({"documents": documents})).await;
        self.follow().await;
        answer
    }

    /// Lets a device in as this person and gives its tokens.
    pub(crate) async fn login(&self, name: &str, password: &str) -> Value {
        let asked = self.oauth("/oauth/device_authorization", &[("client_id", "postern-cli")]).await.json();
        let mut browser = Browser::new(self);
        browser.sign_in(name, password, "").await;
        browser.answer_device(asked["user_code"].as_str().unwrap(), "allow").await;
        let answer = self.poll(asked["device_code"].as_str().unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    pub(crate) async fn poll(&self, device_code: &str) -> Answer {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let fields = [("client_id", "postern-cli"), ("grant_type", grant), ("device_code", device_code)];
        self.oauth("/oauth/token", &fields).await
    }
}

fn form(path: &str, _: &[(&str, &str)]) -> http::request::Builder {
    Request::builder()
        .method("POST")
        .uri(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
