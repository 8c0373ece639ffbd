//! A web application behind a connector, and a browser's requests to it over TLS.

use super::{PATIENCE, Scene, name, now, person::Person};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming as Body},
    client::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use postern_ids::{GrantId, ResourceId, SignInId, SiteId, UserId};
use postern_policy::model::{ActionKind, Grant, Resource, ResourceKind, Selector, Subject, Web};
use postern_store::Expect;
use postern_tunnel_io::{Event, Incoming, tls::Trust};
use postern_web::hand_over::{APP_COOKIE, AppCookie, HandOver};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) const DOMAIN: &str = "apps.test";

/// One gateway with one application, which a person may use.
pub(crate) struct AppScene {
    pub(crate) scene: Scene,
    pub(crate) site: SiteId,
    pub(crate) grant: GrantId,
    pub(crate) person: Person,
    pub(crate) seen: Seen,
}

/// The heads of the requests that reached the application, and over how many connections.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) heads: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    pub(crate) connections: Arc<Mutex<usize>>,
}

impl AppScene {
    pub(crate) async fn start() -> Self {
        Self::start_with(Web::default()).await
    }

    pub(crate) async fn start_with(web: Web) -> Self {
        let scene = Scene::start_with(&[("apps_domain", DOMAIN)]).await;
        let site = scene.site("office").await;
        let app = publish(&scene, site, "wiki", web).await;
        let person = Person::new(&scene, "alice", app).await;
        let grant = allow(&scene, &person, app).await;
        let connector = scene.connector(site, "edge-1").await;
        let seen = Seen::default();
        let (link, incoming) = scene.dial_connector(&connector, 0).await.unwrap();
        link.send_inventory(Bytes::new(), true);
        tokio::spawn(serve_app(incoming, seen.clone()));
        scene.online(connector.id).await;
        Self { scene, site, grant, person, seen }
    }

    pub(crate) fn host(&self, app: &str) -> String {
        format!("{app}.{DOMAIN}:{}", self.scene.node.public.port())
    }

    /// The cookie of a person at a host.
    pub(crate) fn cookie(&self, host: &str, user: UserId, sign_in: SignInId) -> String {
        let issuer = self.scene.node.public_url.as_str().trim_end_matches('/');
        let hand_over = HandOver::new(self.scene.store().clone(), issuer);
        let cookie = AppCookie { sign_in, user, issued_at: now() };
        format!("{APP_COOKIE}={}", hand_over.seal_cookie(host, &cookie))
    }

    /// Alice's cookie at the application's host.
    pub(crate) fn alices(&self) -> String {
        self.cookie(&self.host("wiki"), self.person.id, self.person.sign_in)
    }

    /// A connection to the public port that asks for this host.
    pub(crate) async fn connect(&self, app: &str) -> TlsStream<TcpStream> {
        let trust = Trust::pinned(self.scene.node.ca_sha256().unwrap());
        let config = trust.client_config(&[b"http/1.1"]).unwrap();
        let tcp = TcpStream::connect(self.scene.node.public).await.unwrap();
        let name = format!("{app}.{DOMAIN}").try_into().unwrap();
        TlsConnector::from(config).connect(name, tcp).await.unwrap()
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(&self, app: &str, request: Request<Full<Bytes>>) -> Response<Body> {
        let io = TokioIo::new(self.connect(app).await);
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap()
    }

    /// A request to the application with these headers.
    pub(crate) fn get(&self, app: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
        let mut request = Request::builder().uri(path).header(header::HOST, self.host(app));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::default()).unwrap()
    }

    /// Takes the right away.
    pub(crate) async fn revoke(&self) {
        let mut change = self.scene.change().await;
        change.delete::<Grant>(&self.grant, Expect::Any).await.unwrap();
        self.scene.commit(change).await;
    }
}

pub(crate) async fn publish(scene: &Scene, site: SiteId, called: &str, web: Web) -> ResourceId {
    let id = ResourceId::mint(now(), rand::random());
    let mut change = scene.change().await;
    let resource = Resource {
        id,
        name: name(called),
        site,
        kind: ResourceKind::Http,
        target: "10.0.0.5:3000".parse().unwrap(),
        labels: Default::default(),
        host_keys: Vec::new(),
        web: Some(Arc::new(web)),
    };
    change.put(&resource, Expect::New).await.unwrap();
    scene.commit(change).await;
    id
}

pub(crate) async fn allow(scene: &Scene, person: &Person, app: ResourceId) -> GrantId {
    let id = GrantId::mint(now(), rand::random());
    let mut change = scene.change().await;
    let grant = Grant {
        id,
        name: name("use-the-app"),
        subjects: vec![Subject::User(person.id)],
        resources: Selector::Ids(vec![app]),
        actions: vec![ActionKind::Http],
        conditions: Default::default(),
        expires_at: None,
        outage: Default::default(),
    };
    change.put(&grant, Expect::New).await.unwrap();
    scene.commit(change).await;
    id
}

pub(crate) async fn text(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

async fn serve_app(mut incoming: Incoming, seen: Seen) {
    while let Some(event) = incoming.next().await {
        let Event::Open(lane) = event else { continue };
        let lane = lane.accept(Bytes::new());
        *seen.connections.lock().unwrap() += 1;
        let seen = seen.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let seen = seen.clone();
                async move { Ok::<_, Infallible>(answer(request, &seen).await) }
            });
            let served =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(lane), service);
            let _ = served.with_upgrades().await;
        });
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(mut request: Request<Body>, seen: &Seen) -> Answer {
    let target = request.uri().to_string();
    seen.heads.lock().unwrap().push((target.clone(), request.headers().clone()));
    match request.uri().path() {
        "/socket" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut io = TokioIo::new(upgrade.await.unwrap());
                // One text frame, then silence.
                io.write_all(&[0x81, 2, b'h', b'i']).await.unwrap();
                let _ = io.read(&mut [0; 1]).await;
            });
            Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(header::CONNECTION, "upgrade")
                .header(header::UPGRADE, "websocket")
                .body(BoxBody::default())
                .unwrap()
        }
        "/events" => {
            let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(4);
            tokio::spawn(async move {
                sender.send(Ok(Frame::data(Bytes::from_static(b"data: 1\n\n")))).await.unwrap();
                sender.closed().await;
            });
            let stream = futures_util::stream::unfold(receiver, async |mut receiver| {
                receiver.recv().await.map(|frame| (frame, receiver))
            });
            let body = http_body_util::StreamBody::new(Box::pin(stream));
            Response::builder()
                .header(header::CONTENT_TYPE, "text/event-stream")
                .body(BoxBody::new(body))
                .unwrap()
        }
        "/cookies" => Response::builder()
            .header(header::SET_COOKIE, "a=1; Path=/")
            .header(header::SET_COOKIE, "__Host-postern-app=x; Path=/; Secure")
            .header(header::SET_COOKIE, "b=1; Domain=apps.test")
            .body(BoxBody::default())
            .unwrap(),
        _ => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let said = format!("{target} {}", body.len());
            Response::new(Full::new(Bytes::from(said)).boxed())
        }
    }
}
