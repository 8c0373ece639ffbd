//! The composition of a node: a straight list, from the ground up. Nothing is accepted before the journal is recovered and
//! a policy is in force.

use super::{
    certificate::Presented,
    files, first_start,
    foundation::{self, Foundation, chain, on_store},
    internal::{self, Health},
    present::Present,
};
use crate::{
    config::{Config, Limits, StoreUrl},
    connectors::{Challenges, Connectors, Lanes, Presence},
    exit::Failure,
    ingress::client::{Authenticator, ClientIngress, ClientLinks},
    lifecycle::Lifecycle,
    listen::{ConnectionLimits, Deadlines, Door as FrontDoor, Listener},
    policies::{Follower, Live, Policies, Principals, wall_clock},
    route::{Router, Tunnel},
    sessions::{Door, PrincipalLimits},
    telemetry::metric,
    tls::server_config,
};
use postern_policy::{Snapshot, SnapshotSource};
use postern_store::Store;
use postern_tunnel_io::{Budget, Churn, LinkConfig};
use postern_web::{Clock, KeyRing, WebConfig, WebState};
use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;

/// How often the signing keys are looked after.
const KEYS_REFRESH: Duration = Duration::from_secs(3_600);

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
}

impl Node {
    /// Starts a node; when this returns it accepts connections.
    pub async fn start(config: Config) -> Result<Self, Failure> {
        let metrics = metric::install().map_err(|error| Failure::Software(chain(&error)))?;
        let lifecycle = Lifecycle::new();
        let ground = foundation::lay(&config).await?;
        let (listener, internal) = bind(&config).await?;
        let public_url = public_url(&config.public_url, listener.local);
        let issuer: Arc<str> = public_url.as_str().trim_end_matches('/').into();
        let presented = Presented::load(&config, &public_url, &ground.store, &ground.state).await?;
        let keys = KeyRing::open(&ground.store, &issuer, wall_clock()).await;
        let keys = Arc::new(keys.map_err(|error| Failure::Unavailable(chain(&error)))?);
        let live = Arc::<Live>::default();
        let connectors = Connectors::new(lifecycle.clone());
        let clients = Arc::<ClientLinks>::default();
        let policies = follow_policy(&ground, &live, &connectors, &clients, &lifecycle).await?;
        let present = Present {
            policies: Arc::clone(&policies),
            live: Arc::clone(&live),
            journal: ground.journal.clone(),
            connectors: connectors.clone(),
        };
        let web = postern_web::router(WebState::new(WebConfig {
            issuer: issuer.to_string(),
            ca_sha256: presented.ca_sha256(),
            store: ground.store.clone(),
            keys: Arc::clone(&keys),
            snapshots: Arc::new(present.clone()),
            live: Arc::new(present.clone()),
            clock: Clock::new(wall_clock),
        }));
        let tunnel = tunnel(&config.limits, &ground, &present, &clients, &keys, issuer, &lifecycle);
        let health =
            Health { lifecycle: lifecycle.clone(), policies, live, journal: ground.journal.clone(), metrics };
        maintain(&lifecycle, &ground, &present, &presented, &keys, &config, health.clone());
        first_start::offer_bootstrap(&ground.store, &ground.state).await?;
        let addresses = internal.local_addr().map_err(|error| cannot_bind(config.internal, &error))?;
        let door = Arc::clone(&tunnel.ingress.door);
        let public = listener.local;
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
        };
        node.open(listener, internal, Router::new(Arc::new(tunnel), web), health)?;
        files::write(&ground.state.addresses(), &node.addresses(), 0o644)?;
        Ok(node)
    }

    fn open(
        &self,
        listener: Listener,
        internal: tokio::net::TcpListener,
        router: Router,
        health: Health,
    ) -> Result<(), Failure> {
        let certificates = Arc::clone(&self.presented.certificates);
        let door = FrontDoor {
            mode: self.config.listen.mode.clone(),
            tls: server_config(certificates).map_err(|error| Failure::Software(chain(&error)))?,
            deadlines: Deadlines::default(),
            limits: ConnectionLimits::new(&self.config.limits),
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

async fn bind(config: &Config) -> Result<(Listener, tokio::net::TcpListener), Failure> {
    let listener =
        Listener::bind(config.listen.address).map_err(|e| cannot_bind(config.listen.address, &e))?;
    let internal = tokio::net::TcpListener::bind(config.internal).await;
    Ok((listener, internal.map_err(|error| cannot_bind(config.internal, &error))?))
}

fn cannot_bind(address: SocketAddr, error: &io::Error) -> Failure {
    let text = format!("cannot listen on {address}: {error}");
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Failure::NotPermitted(text);
    }
    if error.kind() == io::ErrorKind::AddrInUse {
        Failure::Temporary(text)
    } else {
        Failure::Unavailable(text)
    }
}

/// The configured URL; a port 0 in it stands for the port that the listener got.
fn public_url(configured: &Url, bound: SocketAddr) -> Url {
    let mut url = configured.clone();
    if url.port() == Some(0) {
        // An https URL with a host takes every port.
        let _ = url.set_port(Some(bound.port()));
    }
    url
}

/// Loads the policy, puts it in force, and follows what changes it.
async fn follow_policy(
    ground: &Foundation,
    live: &Arc<Live>,
    connectors: &Connectors,
    clients: &Arc<ClientLinks>,
    lifecycle: &Lifecycle,
) -> Result<Arc<Policies>, Failure> {
    let mut loader = ground.store.snapshot_loader();
    let loaded_at = Instant::now();
    let source = loader.load(wall_clock()).await.map_err(|error| on_store(&error))?;
    let feed = ground.store.feed(source.revision);
    let (first, is_refused) = first_snapshot(source)?;
    let principals = Principals::new(ground.store.clone());
    let policies = Policies::new(first, loaded_at, feed.confirmed(), principals);
    policies.set_refusing(is_refused);
    let (connectors, clients) = (connectors.clone(), Arc::clone(clients));
    let follower = Follower {
        policies: Arc::clone(&policies),
        live: Arc::clone(live),
        journal: ground.journal.clone(),
        loader,
        feed,
        reconciled: Box::new(move |snapshot| {
            connectors.reconcile(snapshot);
            clients.reconcile(snapshot, wall_clock());
        }),
        unread: BTreeSet::new(),
        owed: None,
    };
    lifecycle.maintain("policy", follower.run());
    Ok(policies)
}

/// The stored policy, or, if it does not compile, one that allows nobody anything but leaves the administrators in.
fn first_snapshot(source: SnapshotSource) -> Result<(Snapshot, bool), Failure> {
    let without_rules = SnapshotSource { rules: Arc::default(), ..source.clone() };
    match Snapshot::build(source) {
        Ok(snapshot) => Ok((snapshot, false)),
        Err(error) => {
            tracing::error!(error = %error, "policy.refused: the store's policy does not compile, so nothing is allowed");
            let bare = Snapshot::build(without_rules).map_err(|error| Failure::Software(chain(&error)))?;
            Ok((bare, true))
        }
    }
}

fn tunnel(
    limits: &Limits,
    ground: &Foundation,
    present: &Present,
    clients: &Arc<ClientLinks>,
    keys: &Arc<KeyRing>,
    issuer: Arc<str>,
    lifecycle: &Lifecycle,
) -> Tunnel {
    let policies = &present.policies;
    let registry = Arc::clone(present.connectors.registry());
    let ingress = ClientIngress {
        door: Door::new(
            Arc::clone(policies),
            Arc::clone(&present.live),
            ground.journal.clone(),
            PrincipalLimits::new(limits),
        ),
        lanes: Lanes::new(registry, Arc::clone(policies), Arc::clone(keys), Arc::clone(&issuer)),
        policies: Arc::clone(policies),
        links: Arc::clone(clients),
        lifecycle: lifecycle.clone(),
    };
    // One budget: what all links together may hold.
    let base = LinkConfig { budget: Budget::default(), ..LinkConfig::default() };
    let churn = Churn { per_second: limits.opens_per_second.get(), burst: limits.opens_burst.get() };
    Tunnel {
        policies: Arc::clone(policies),
        challenges: Challenges::new(rand::random()),
        connectors: present.connectors.clone(),
        authenticator: Authenticator::new(
            ground.store.clone(),
            Arc::clone(policies),
            Arc::clone(keys),
            Arc::clone(&issuer),
        ),
        issuer,
        ingress: Arc::new(ingress),
        attempts: ConnectionLimits::new(limits),
        client_links: LinkConfig { churn: Some(churn), ..base.clone() },
        connector_links: base,
    }
}

fn maintain(
    lifecycle: &Lifecycle,
    ground: &Foundation,
    present: &Present,
    presented: &Presented,
    keys: &Arc<KeyRing>,
    config: &Config,
    health: Health,
) {
    let (journal, store, hard) = (ground.journal.clone(), ground.store.clone(), lifecycle.hard_token());
    lifecycle.spawn(async move { journal.ship(store, hard).await });
    let presence = Presence { connectors: present.connectors.clone(), store: ground.store.clone() };
    lifecycle.maintain("presence", presence.run());
    lifecycle.maintain("metrics", internal::upkeep(health.metrics));
    lifecycle.maintain("keys", refresh_keys(Arc::clone(keys), ground.store.clone()));
    if config.certificate.is_none() {
        lifecycle.maintain("certificate", presented.clone().keep_fresh());
    }
    if config.store == StoreUrl::Sqlite {
        tracing::info!("the store is embedded: one gateway, no failover");
    }
}

async fn refresh_keys(keys: Arc<KeyRing>, store: Store) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(KEYS_REFRESH).await;
        if let Err(error) = keys.refresh(&store, wall_clock()).await {
            tracing::warn!(error = %error, "the signing keys could not be refreshed");
        }
    }
}
