//! The two tunnel paths: who dials is proven before 101, and a refusal is an HTTP problem, so that a peer can tell "stop"
//! from "try again".

use super::{problem, upgrade};
use crate::{
    connectors::{
        Challenges, Connectors, DialRefused, Dialer, NONCE_HEADER, SCHEME, Shares, TIME_HEADER, verify,
    },
    ingress::client::{Authenticator, Caller, ClientIngress, NotAuthenticated, serve},
    listen::{AsksBack, Client, ConnectionLimits},
    policies::{Policies, wall_clock},
    sessions::PrincipalLimits,
};
use arc_swap::ArcSwap;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use postern_api::ProblemCode;
use postern_ids::Timestamp;
use postern_tunnel_io::{LinkConfig, SUBPROTOCOL, UpgradeRefused, upgrade_response};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// A connector that has just enrolled, perhaps at another gateway, may dial before its snapshot is here: one turn of the
/// change feed and a build.
const ENROLMENT_LAG: Duration = Duration::from_millis(2_500);
/// After how long a peer that was told to wait may come again.
const RETRY_SECONDS: u64 = 5;

/// What the tunnel paths need. There is one per node.
pub struct Tunnel {
    /// The gateway's own URL, as connectors sign it.
    pub issuer: Arc<str>,
    /// The policy in force.
    pub policies: Arc<Policies>,
    /// The challenges of connectors.
    pub challenges: Challenges,
    /// The connectors.
    pub connectors: Connectors,
    /// Proves who a client is.
    pub authenticator: Arc<Authenticator>,
    /// Serves clients.
    pub ingress: Arc<ClientIngress>,
    /// How often one address may try (R2).
    pub attempts: Arc<ConnectionLimits>,
    /// How many sessions one principal may have, and how fast it may open them (T4).
    pub principals: Arc<PrincipalLimits>,
    /// The limits of each client's link; they may change while the node runs.
    pub client_links: ArcSwap<LinkConfig>,
    /// The limits of each connector's link.
    pub connector_links: LinkConfig,
    /// What all links of one connector may hold.
    pub connector_shares: Shares,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

impl Tunnel {
    /// `GET /tunnel/connector`.
    pub async fn connector(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        client: Client,
    ) -> Response<Body> {
        let answer = match self.check(&request, &client) {
            Ok(answer) => answer,
            Err(response) => return *response,
        };
        let dialer = match self.dialer(request.headers()).await {
            Ok(dialer) => dialer,
            Err(refused) => return self.dial_refused(refused),
        };
        let (tunnel, upgrade) = (Arc::clone(self), hyper::upgrade::on(&mut request));
        let dialed = Instant::now();
        self.ingress.lifecycle.spawn(async move { tunnel.attach(dialer, dialed, upgrade, client).await });
        switching(answer)
    }

    async fn attach(&self, dialer: Dialer, dialed: Instant, upgrade: OnUpgrade, client: Client) {
        let share = self.connector_shares.enter(dialer.connector);
        let config = LinkConfig { budget: share.budget(), ..self.connector_links.clone() };
        let Some((link, incoming)) = upgrade::link(upgrade, config).await else { return };
        self.connectors.attach(dialer, dialed, link.clone(), incoming).await;
        link.closed().await;
        drop((client, share));
    }

    async fn dialer(&self, headers: &HeaderMap) -> Result<Dialer, DialRefused> {
        let snapshot = self.policies.snapshot();
        let attempt = |snapshot: &_| verify(headers, snapshot, &self.challenges, &self.issuer, wall_clock());
        match attempt(&snapshot) {
            Err(DialRefused::Unknown)
                if self.policies.newer_than(snapshot.revision(), ENROLMENT_LAG).await =>
            {
                attempt(&self.policies.snapshot())
            }
            verdict => verdict,
        }
    }

    fn dial_refused(&self, refused: DialRefused) -> Response<Body> {
        metrics::counter!("postern_dial_refused_total", "peer" => "connector", "reason" => refused.label())
            .increment(1);
        match refused {
            DialRefused::Challenge => self.challenge(wall_clock()),
            DialRefused::Unknown => {
                tracing::warn!(reason = refused.label(), "connector.rejected");
                problem::of(
                    ProblemCode::ConnectorUnknown,
                    "no connector with this id and key is enrolled here",
                    "enroll it with a new enrolment token",
                )
            }
            DialRefused::Revoked => {
                tracing::warn!(reason = refused.label(), "connector.rejected");
                problem::of(
                    ProblemCode::ConnectorRevoked,
                    "this connector was revoked",
                    "enroll it with a new enrolment token if it should come back",
                )
            }
            DialRefused::Proof(_) => {
                tracing::warn!(reason = refused.label(), "connector.rejected");
                self.challenge(wall_clock())
            }
            DialRefused::TooMany => too_many(),
        }
    }

    fn challenge(&self, now: Timestamp) -> Response<Body> {
        let mut response = problem::of(
            ProblemCode::Unauthenticated,
            "a challenge has to be answered",
            "repeat the request with a token that contains the nonce",
        );
        response.extensions_mut().insert(AsksBack);
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(SCHEME));
        if let Ok(nonce) = HeaderValue::try_from(self.challenges.issue(rand::random(), now)) {
            headers.insert(NONCE_HEADER, nonce);
        }
        headers.insert(TIME_HEADER, HeaderValue::from(now.as_micros()));
        response
    }

    /// `GET /tunnel/client`.
    pub async fn client(self: &Arc<Self>, mut request: Request<Incoming>, client: Client) -> Response<Body> {
        let answer = match self.check(&request, &client) {
            Ok(answer) => answer,
            Err(response) => return *response,
        };
        let caller = match self.authenticator.caller(request.headers(), wall_clock()).await {
            Ok(caller) => caller,
            Err(refused) => return not_authenticated(refused),
        };
        let (tunnel, upgrade) = (Arc::clone(self), hyper::upgrade::on(&mut request));
        self.ingress.lifecycle.spawn(async move { tunnel.serve(caller, upgrade, client).await });
        switching(answer)
    }

    async fn serve(&self, caller: Caller, upgrade: OnUpgrade, client: Client) {
        let Some(link) = upgrade::link(upgrade, LinkConfig::clone(&self.client_links.load())).await else {
            return;
        };
        serve(Arc::clone(&self.ingress), caller, client.address, client.ticket, link).await;
    }

    /// What holds for both paths before anybody is asked who they are.
    fn check(&self, request: &Request<Incoming>, client: &Client) -> Result<HeaderMap, Box<Response<Body>>> {
        if self.ingress.lifecycle.is_stopping() {
            let (detail, next) =
                ("the gateway is restarting", "try another gateway, or this one in a moment");
            return Err(Box::new(problem::later(ProblemCode::Draining, detail, next, 1)));
        }
        if self.attempts.enter(client.address, Instant::now()).is_err() {
            return Err(Box::new(too_many()));
        }
        upgrade_response(request.headers()).map_err(|refused| Box::new(not_an_upgrade(&refused)))
    }
}

fn switching(headers: HeaderMap) -> Response<Body> {
    let mut response = problem::bare(StatusCode::SWITCHING_PROTOCOLS);
    *response.headers_mut() = headers;
    response
}

fn not_an_upgrade(refused: &UpgradeRefused) -> Response<Body> {
    let mut response = problem::of(
        ProblemCode::BadRequest,
        &format!("this path takes WebSocket upgrades only: {refused}"),
        "use postern or postern-connector; a proxy on the way must pass WebSocket upgrades",
    );
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    response
}

fn too_many() -> Response<Body> {
    problem::later(
        ProblemCode::RateLimited,
        "too many dials from this address",
        "wait and try again",
        RETRY_SECONDS,
    )
}

fn not_authenticated(refused: NotAuthenticated) -> Response<Body> {
    metrics::counter!("postern_dial_refused_total", "peer" => "client", "reason" => refused.label())
        .increment(1);
    tracing::debug!(reason = refused.label(), "authn.rejected");
    match refused {
        NotAuthenticated::Stale => problem::later(
            ProblemCode::PolicyStale,
            "the gateway cannot reach its store and has not seen this sign-in before",
            "try again in a moment",
            RETRY_SECONDS,
        ),
        NotAuthenticated::Missing
        | NotAuthenticated::Token(_)
        | NotAuthenticated::Unknown
        | NotAuthenticated::Ended => {
            let (detail, next) = ("the token is missing or no longer good", "run `postern login`");
            let mut response = problem::of(ProblemCode::Unauthenticated, detail, next);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}
