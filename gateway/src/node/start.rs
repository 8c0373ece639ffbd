//! The composition of a node: a straight list, from the ground up. Nothing is accepted before the journal is recovered and
//! a policy is in force.

use super::{
    bind::{bind, cannot_bind, gateways, public_url},
    browser::browser,
    certificate::Presented,
    files, first_start, foundation,
    internal::{self, Health},
    maintain::maintain,
    policy::follow_policy,
    present::Present,
    tunable::Tunable,
    tunnel::tunnel,
};
use crate::{
    config::{Config, Mode},
    connectors::Connectors,
    exit::{Failure, chain},
    ingress::client::ClientLinks,
    lifecycle::Lifecycle,
    listen::{Deadlines, Door as FrontDoor, Listener},
    policies::{Live, Policies, wall_clock},
    route::Router,
    sessions::{Door, HeldSessions, keep},
    signing::Signer,
    telemetry::metric,
    tls::server_config,
};
use postern_store::Store;
use postern_web::{Clock, KeyRing, WebConfig, WebState};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpListener;
use url::Url;

/// A node that serves.
pub struct Node {
    /// The public listener's address.
    pub public: SocketAddr,
    /// The internal listener's address.
    pub internal: SocketAddr,
    /// The URL that people and connectors use.
    pub public_url: Url,
    pub(super) config: Config,
    pub(super) lifecycle: Lifecycle,
    pub(super) presented: Presented,
    pub(super) present: Present,
    pub(super) clients: Arc<ClientLinks>,
    pub(super) door: Arc<Door>,
    pub(super) tunable: Tunable,
    pub(super) store: Store,
}

/// What tests and tools look at.
impl Node {
    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The policy in force.
    pub fn policies(&self) -> &Arc<Policies> {
        &self.present.policies
    }

    /// The live sessions.
    pub fn live(&self) -> &Arc<Live> {
        &self.present.live
    }

    /// The connectors.
    pub fn connectors(&self) -> &Connectors {
        &self.present.connectors
    }

    /// The resumable sessions.
    pub fn held(&self) -> &Arc<HeldSessions> {
        &self.present.held
    }

    /// Whether a proxy in front ends TLS.
    pub fn is_plain(&self) -> bool {
        matches!(self.config.listen.mode, Mode::HttpBehindProxy(_))
    }

    /// The fingerprint that clients pin, if the gateway is its own certificate authority.
    pub fn ca_sha256(&self) -> Option<[u8; 32]> {
        self.presented.ca_sha256()
    }
}

impl Node {
    /// Starts a node; when this returns it accepts connections.
    pub async fn start(config: Config) -> Result<Self, Failure> {
        let metrics = metric::install().map_err(|error| Failure::Software(chain(&error)))?;
        let lifecycle = Lifecycle::new();
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        let ground = foundation::lay(&config).await?;
        let (listener, internal) = bind(&config).await?;
        let public_url = public_url(&config.public_url, listener.local);
        let issuer: Arc<str> = public_url.as_str().trim_end_matches('/').into();
        let gateways = gateways(&config.gateways, &public_url);
        let names = (&public_url, gateways.as_slice());
        let presented = Presented::load(&config, names, &ground.store, &ground.state).await?;
        let keys = KeyRing::open(&ground.store, &issuer, wall_clock()).await;
        let keys = Arc::new(keys.map_err(|error| Failure::Unavailable(chain(&error)))?);
        let (live, registry) = (Arc::<Live>::default(), Arc::default());
        let held = HeldSessions::new(Arc::clone(&registry), Arc::clone(&live), ground.journal.clone());
        let signer = Signer::new(Arc::clone(&keys), Arc::clone(&issuer));
        let connectors = Connectors::new(registry, signer, Arc::clone(&held) as _, lifecycle.clone());
        let clients = Arc::<ClientLinks>::default();
        let policies = follow_policy(&ground, &held, &connectors, &clients, &lifecycle).await?;
        let present = Present {
            policies: Arc::clone(&policies),
            live: Arc::clone(&live),
            journal: ground.journal.clone(),
            connectors,
            held,
        };
        let web = WebState::new(WebConfig {
            issuer: issuer.to_string(),
            gateways: gateways.iter().map(|url| url.as_str().trim_end_matches('/').to_owned()).collect(),
            apps_domain: config.apps_domain.clone(),
            ca_sha256: presented.ca_sha256(),
            store: ground.store.clone(),
            keys: Arc::clone(&keys),
            snapshots: Arc::new(present.clone()),
            live: Arc::new(present.clone()),
            clock: Clock::new(wall_clock),
        });
        lifecycle.maintain("admin denials", web.clone().keep_denials());
        lifecycle.maintain("identity providers", postern_web::keep_asking_providers(web.clone()));
        let hand_over = web.hand_over().clone();
        let web = postern_web::router(web);
        let tunnel = Arc::new(tunnel(
            &config.limits,
            &ground,
            &present,
            &clients,
            (&keys, issuer, gateways.len() > 1),
            &lifecycle,
        ));
        let browser = browser(
            (&config, &public_url, &presented.certificates),
            &ground,
            &tunnel,
            (&keys, hand_over),
            &lifecycle,
        );
        let tunable = Tunable::new(&config, Arc::clone(&tunnel));
        let health =
            Health { lifecycle: lifecycle.clone(), policies, live, journal: ground.journal.clone(), metrics };
        let door = Arc::clone(&tunnel.ingress.door);
        lifecycle.maintain("held sessions", keep(Arc::clone(&door)));
        maintain(&lifecycle, &ground, &present, &presented, &keys, &config, health.clone());
        first_start::offer_bootstrap(&ground.store, &ground.state).await?;
        let addresses = internal.local_addr().map_err(|error| cannot_bind(config.internal, &error))?;
        let public = listener.local;
        let urls = [public_url.clone()].into_iter().chain(gateways);
        let router = Router::new(tunnel, Arc::new(browser), web, urls);
        let node = Self {
            public,
            internal: addresses,
            public_url,
            config,
            lifecycle,
            presented,
            present,
            clients,
            door,
            tunable,
            store: ground.store.clone(),
        };
        node.open(listener, internal, router, health)?;
        files::write(&ground.state.addresses(), &node.addresses(), 0o644)?;
        Ok(node)
    }

    fn open(
        &self,
        listener: Listener,
        internal: TcpListener,
        router: Router,
        health: Health,
    ) -> Result<(), Failure> {
        let certificates = Arc::clone(&self.presented.certificates);
        let door = FrontDoor {
            mode: Arc::clone(&self.tunable.mode),
            tls: server_config(certificates).map_err(|error| Failure::Software(chain(&error)))?,
            deadlines: Deadlines::default(),
            limits: Arc::clone(&self.tunable.connections),
        };
        self.lifecycle.spawn(async move {
            if let Err(error) = axum::serve(internal, internal::router(health)).await {
                tracing::error!(error = %error, "the internal listener broke");
            }
        });
        self.lifecycle.spawn(listener.run(door, router, self.lifecycle.clone()));
        Ok(())
    }

    fn addresses(&self) -> Vec<u8> {
        let addresses = serde_json::json!({
            "public": self.public.to_string(),
            "internal": self.internal.to_string(),
            "public_url": self.public_url.as_str().trim_end_matches('/'),
        });
        addresses.to_string().into_bytes()
    }
}
