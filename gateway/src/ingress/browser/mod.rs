//! The browser's way in: any web application behind the installation's sign-in. A request is read in its one form, found
//! to be somebody's, decided on its own, and forwarded inside a session that was recorded before its first byte.

mod answer;
mod bearer;
mod body;
mod cors;
mod forward;
mod hosts;
mod identity;
mod interim;
mod outward;
mod own;
mod pool;
mod request;
mod right;
mod table;
#[cfg(test)]
mod test_store;
mod up;
mod upgrade;
mod upstream;
mod verifier;
mod websocket;
mod who;

pub use hosts::{App, Found, Hosts};

use crate::{
    connectors::Lanes,
    ingress::client::Authenticator,
    lifecycle::Lifecycle,
    listen::Client,
    policies::{Policies, wall_clock},
    sessions::{Asking, Door},
};
use answer::{About, Trouble, bad_request, say, told};
use axum::body::Body;
use forward::Exchange;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use identity::Asserter;
use own::{PREFIX, not_known, redirect};
use postern_canonical::{CanonicalRequest, EncodedSlash, Refused};
use postern_policy::{Action, Asked, HttpRequest, Permit, model::PathReading};
use postern_store::Store;
use postern_web::{KeyRing, apps::AppPage, hand_over::HandOver};
use request::Nature;
use std::{fmt, sync::Arc};
use table::{Key, Place, Sessions};
use upstream::Ways;
use verifier::Verifiers;
use who::{Asker, Unknown};

/// The way in, for the record.
const INGRESS: &str = "browser";

/// What the browser ingress is built from.
pub struct Parts {
    /// The one door.
    pub door: Arc<Door>,
    /// The policy in force.
    pub policies: Arc<Policies>,
    /// Who is behind a sign-in or token.
    pub authenticator: Arc<Authenticator>,
    /// The lanes to applications.
    pub lanes: Lanes,
    /// The hosts of applications.
    pub hosts: Arc<Hosts>,
    /// The way between our own host and theirs.
    pub hand_over: HandOver,
    /// The signing keys.
    pub keys: Arc<KeyRing>,
    /// The store, for what a person does: signing out.
    pub store: Store,
    /// Our own URL, without a slash at the end.
    pub issuer: Arc<str>,
    /// The node's life.
    pub lifecycle: Lifecycle,
}

/// Serves the hosts of applications.
pub struct BrowserIngress {
    door: Arc<Door>,
    policies: Arc<Policies>,
    authenticator: Arc<Authenticator>,
    hosts: Arc<Hosts>,
    hand_over: HandOver,
    asserter: Asserter,
    keys: Arc<KeyRing>,
    store: Store,
    issuer: Arc<str>,
    sessions: Arc<Sessions>,
    ways: Ways,
}

impl fmt::Debug for BrowserIngress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserIngress")
    }
}

impl BrowserIngress {
    /// From its parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { door, policies, authenticator, lanes, hosts, hand_over, keys, store, issuer, lifecycle } =
            parts;
        let asserter = Asserter::new(store.clone(), Arc::clone(&keys), Arc::clone(&issuer));
        let sessions = Sessions::new(lifecycle.clone());
        let ways = Ways { lanes, verifiers: Verifiers::default(), lifecycle };
        Self {
            door,
            policies,
            authenticator,
            hosts,
            hand_over,
            asserter,
            keys,
            store,
            issuer,
            sessions,
            ways,
        }
    }

    /// What the host and path of a request lead to; none if the host is not one of applications.
    pub fn find(&self, canonical: &CanonicalRequest) -> Option<Found> {
        self.hosts.follow(&self.policies.snapshot()).find(canonical.host(), canonical.target().path())
    }

    /// Answers a request to a host of applications.
    pub async fn serve(
        &self,
        request: Request<Incoming>,
        (canonical, found): (CanonicalRequest, Found),
        client: Client,
    ) -> Response<Body> {
        let nature = Nature::of(&request);
        match found {
            Found::Nothing => say(AppPage::NotFound, &nature),
            Found::Moved(main) => {
                let location = format!("https://{main}{}", canonical.target().origin_form());
                redirect(StatusCode::PERMANENT_REDIRECT, &location)
            }
            Found::App(app) => {
                let origin = nature.origin.clone();
                let admitted = origin
                    .filter(|origin| cors::is_admitted(origin, &app.authority, app.resource.web.as_deref()));
                let own_origin = format!("https://{}", app.authority);
                let mut served = self.serve_app(request, canonical, (app, &nature), client).await;
                if let (Answered::ByUs(response), Some(origin)) = (&mut served, &admitted)
                    && *origin != own_origin
                {
                    cors::admit(response, origin);
                }
                match served {
                    Answered::ByUs(response) | Answered::ByApp(response) => response,
                }
            }
        }
    }

    async fn serve_app(
        &self,
        request: Request<Incoming>,
        canonical: CanonicalRequest,
        (app, nature): (App, &Nature),
        client: Client,
    ) -> Answered {
        let path = canonical.target().path();
        if path.starts_with(PREFIX) {
            return Answered::ByUs(self.own(request, (&canonical, &app), nature).await);
        }
        if Self::is_jwks_alias(&app, path) {
            return Answered::ByUs(self.jwks());
        }
        if let Some(response) = preflight(&request, &app, nature) {
            return Answered::ByUs(response);
        }
        let reading = self.policies.snapshot().path_reading(&app.resource);
        let action = match action(&canonical, reading) {
            Ok(action) => action,
            Err(refused) => return Answered::ByUs(bad_request(refused, nature)),
        };
        let next = canonical.target().origin_form();
        let asker = match self.asker(request.headers(), &app, (&canonical, &action)).await {
            Ok(asker) => asker,
            Err(Unknown::SignedOut) if nature.navigates => {
                return Answered::ByUs(self.lead_to_sign_in(
                    request.headers(),
                    &app,
                    next,
                    None,
                    wall_clock(),
                ));
            }
            Err(unknown) => return Answered::ByUs(not_known(unknown, (&app, nature), request.headers())),
        };
        let (name, resource) = (Arc::clone(&asker.principal), app.clone());
        match self.exchange(request, canonical, (app, nature), (asker, action), client).await {
            Ok(response) => Answered::ByApp(response),
            Err(trouble) => {
                let about = About { app: &resource, nature, user: &name.name, next: &next };
                Answered::ByUs(told(&trouble, &about))
            }
        }
    }

    /// Who asks: by a token of ours, or by the cookie; else nobody, where that is enough.
    async fn asker(
        &self,
        headers: &HeaderMap,
        app: &App,
        (canonical, action): (&CanonicalRequest, &HttpRequest),
    ) -> Result<Asker, Unknown> {
        if let Some(program) = self.program(headers, app, canonical, wall_clock()).await? {
            return Ok(program);
        }
        match self.person(headers, app, wall_clock()).await {
            Err(Unknown::SignedOut | Unknown::Unavailable) if is_public(app, action) => self.nobody().await,
            asked => asked,
        }
    }

    /// Decides, finds or begins the session, forwards.
    async fn exchange(
        &self,
        request: Request<Incoming>,
        canonical: CanonicalRequest,
        (app, nature): (App, &Nature),
        (asker, action): (Asker, HttpRequest),
        client: Client,
    ) -> Result<Response<Body>, Trouble> {
        let strip_authorization = asker.by_header;
        let may_be_nobody = is_public(&app, &action);
        let mut asking = Asking {
            principal: asker.principal,
            credential: asker.credential,
            resource: Asked::Id(app.resource.id),
            action: Action::Http(Arc::new(action)),
            source: client.address,
            ingress: INGRESS,
        };
        // Whoever is signed in has at least what everybody has.
        if may_be_nobody && !self.door.would_permit(&asking) {
            let nobody = self.nobody().await.map_err(|_| Trouble::NotAsserted)?;
            (asking.principal, asking.credential) = (nobody.principal, nobody.credential);
        }
        let denied = |refused| Trouble::Denied(Box::new(refused), self.door.would_help(&asking));
        let permit = self.door.decide_request(&asking).map_err(denied)?;
        let place = self.session((&permit, app.way), &asking).await?;
        place.session().requested(&app.authority, canonical.method());
        let nature = nature.clone();
        let exchange =
            Exchange { request, canonical, app, nature, client, permit, place, strip_authorization };
        Box::pin(self.forward(exchange)).await
    }

    /// The session of a permitted request: recorded before its first byte (D1).
    async fn session(&self, (permit, way): (&Permit, u64), asking: &Asking) -> Result<Place, Trouble> {
        let admit = || self.door.admit_web(asking.clone());
        let place = self.sessions.enter(&Key::of(permit, way), admit).await;
        place.map_err(|refused| Trouble::Denied(Box::new(refused), None))
    }
}

/// Whose answer it is: a page of another origin may read what we say, where the application is not asked.
enum Answered {
    ByUs(Response<Body>),
    ByApp(Response<Body>),
}

/// Whether nobody has to be signed in for it.
fn is_public(app: &App, action: &HttpRequest) -> bool {
    let covers = |web: &Arc<postern_policy::model::Web>| {
        web.public.iter().any(|public| public.covers(&action.method, &action.path))
    };
    app.resource.web.as_ref().is_some_and(covers)
}

fn preflight(request: &Request<Incoming>, app: &App, nature: &Nature) -> Option<Response<Body>> {
    let web = app.resource.web.as_deref()?;
    let origin = nature.origin.as_deref()?;
    let is_ours = web.answer_preflight
        && cors::is_preflight(request, nature)
        && cors::is_admitted(origin, &app.authority, Some(web));
    is_ours.then(|| cors::preflight(request.headers(), origin))
}

/// What rules see of the request (D7).
fn action(canonical: &CanonicalRequest, reading: PathReading) -> Result<HttpRequest, Refused> {
    let read = |slash| canonical.path(slash).map(|path| path.as_str().into());
    let path = match reading {
        PathReading::Verbatim => Box::default(),
        PathReading::StrictOpaqueSlash => read(EncodedSlash::Opaque)?,
        PathReading::Auto | PathReading::Strict => read(EncodedSlash::Refuse)?,
    };
    Ok(HttpRequest { method: canonical.method().as_str().into(), path })
}
