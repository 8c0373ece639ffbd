//! A whole gateway on loopback with a store of its own, and peers that speak the real protocol to it.

pub(crate) mod app;
mod credentials;
pub(crate) mod holder;
pub(crate) mod person;
pub(crate) mod raw_peer;
mod served;
pub(crate) mod siblings;
pub(crate) mod stage;
pub(crate) mod streams;

pub(crate) use credentials::{Account, Bearer, Enrolled, Prover};
pub(crate) use served::Served;
pub(crate) use stage::Stage;

use bytes::Bytes;
use postern_gateway::{config::Config, node::Node};
use postern_ids::{
    ConnectorId, GrantId, InstanceId, Name, ResourceId, ServiceAccountId, SiteId, Timestamp, TokenId,
};
use postern_policy::model::{
    ActionKind, Connector, ConnectorState, Grant, Resource, ResourceKind, Selector, Site, Subject,
};
use postern_store::{Actor, Change, Expect, SecretHash, ServiceAccount, ServiceToken, Store};
use postern_token::{
    Alg, SigningKey,
    opaque::{Opaque, OpaqueKind},
};
use postern_tunnel_io::{
    Credentials, Dial, DialError, Event, Incoming, Link, LinkConfig, Open, OpenError, Opened, Proxy, dial,
    tls::Trust,
};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::io::AsyncWriteExt;

/// Nothing on loopback takes longer unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A running gateway.
pub(crate) struct Scene {
    pub(crate) node: Node,
    pub(crate) dir: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = Self::node_in(&dir, settings).await;
        Self { node, dir }
    }

    pub(crate) async fn node_in(dir: &tempfile::TempDir, settings: &[(&str, &str)]) -> Node {
        let state = dir.path().join("state");
        let mut flags = vec![
            ("test", "public_url", "https://127.0.0.1:0"),
            ("test", "state_dir", state.to_str().unwrap()),
            ("test", "listen.address", "127.0.0.1:0"),
            ("test", "internal.address", "127.0.0.1:0"),
        ];
        flags.extend(settings.iter().map(|(key, value)| ("test", *key, *value)));
        Node::start(Config::load(None, [], &flags).unwrap()).await.unwrap()
    }

    pub(crate) fn store(&self) -> &Store {
        self.node.store()
    }

    pub(crate) async fn change(&self) -> Change {
        self.store().change(Actor::system("test"), now()).await.unwrap()
    }

    /// Commits and waits until the gateway decides by it.
    pub(crate) async fn commit(&self, change: Change) {
        let revision = change.commit().await.unwrap();
        self.in_force(revision).await;
    }

    pub(crate) async fn in_force(&self, revision: u64) {
        assert!(
            self.node.policies().newer_than(revision - 1, PATIENCE).await,
            "revision {revision} is not in force"
        );
    }

    pub(crate) async fn site(&self, site: &str) -> SiteId {
        let id = SiteId::mint(now(), rand::random());
        let mut change = self.change().await;
        change.put(&Site { id, name: name(site) }, Expect::New).await.unwrap();
        self.commit(change).await;
        id
    }

    pub(crate) async fn resource(&self, site: SiteId, resource: &str) -> ResourceId {
        let id = ResourceId::mint(now(), rand::random());
        let mut change = self.change().await;
        let resource = Resource {
            id,
            name: name(resource),
            site,
            kind: ResourceKind::Ssh,
            target: "10.0.0.5:22".parse().unwrap(),
            labels: Default::default(),
            host_keys: Vec::new(),
            web: None,
        };
        change.put(&resource, Expect::New).await.unwrap();
        self.commit(change).await;
        id
    }

    /// A connector that is enrolled.
    pub(crate) async fn connector(&self, site: SiteId, connector: &str) -> Enrolled {
        let id = ConnectorId::mint(now(), rand::random());
        let key = SigningKey::generate(Alg::EdDsa).unwrap();
        let mut change = self.change().await;
        let connector = Connector {
            id,
            site,
            name: name(connector),
            public_key: key.verifying().raw().unwrap(),
            state: ConnectorState::Active,
            ephemeral: false,
        };
        change.put(&connector, Expect::New).await.unwrap();
        self.commit(change).await;
        Enrolled { id, key, instance: InstanceId::mint(now(), rand::random()) }
    }

    /// A service account with a token.
    pub(crate) async fn account(&self, account: &str) -> Account {
        let id = ServiceAccountId::mint(now(), rand::random());
        let token = Opaque::from_entropy(OpaqueKind::ServiceAccount, rand::random());
        let token_id = TokenId::mint(now(), rand::random());
        let mut change = self.change().await;
        let record = ServiceAccount { id, name: name(account), note: String::new(), disabled: false };
        change.put(&record, Expect::New).await.unwrap();
        let issued = ServiceToken {
            id: token_id,
            account: id,
            note: String::new(),
            created_at: now(),
            expires_at: None,
            revoked_at: None,
        };
        change.put_service_token(&issued, SecretHash(token.hash())).await.unwrap();
        self.commit(change).await;
        Account { id, token: token.reveal().to_owned(), token_id }
    }

    /// Lets an account connect to a resource.
    pub(crate) async fn grant(&self, account: &Account, resource: ResourceId) -> GrantId {
        let id = GrantId::mint(now(), rand::random());
        let mut change = self.change().await;
        let grant = Grant {
            id,
            name: name(&format!("grant-{}", id.to_string().trim_start_matches("gra_"))),
            subjects: vec![Subject::ServiceAccount(account.id)],
            resources: Selector::Ids(vec![resource]),
            actions: vec![ActionKind::Connect],
            conditions: Default::default(),
            expires_at: None,
            outage: Default::default(),
        };
        change.put(&grant, Expect::New).await.unwrap();
        self.commit(change).await;
        id
    }

    pub(crate) async fn dial(
        &self,
        path: &str,
        credentials: &mut dyn Credentials,
    ) -> Result<(Link, Incoming), DialError> {
        let mut url = self.node.public_url.join(path).unwrap();
        // The public URL of an installation may lead to another of its gateways.
        url.set_port(Some(self.node.public.port())).unwrap();
        if self.node.is_plain() {
            url = format!("http://{}{path}", self.node.public).parse().unwrap();
        }
        let trust = Trust::pinned(self.node.ca_sha256().unwrap());
        dial(Dial {
            url,
            tls: trust.into(),
            proxy: Proxy::direct(),
            credentials,
            config: LinkConfig::default(),
        })
        .await
    }

    pub(crate) async fn dial_client(&self, token: &str) -> Result<(Link, Incoming), DialError> {
        self.dial("/tunnel/client", &mut Bearer(token.to_owned())).await
    }

    pub(crate) async fn dial_connector(
        &self,
        connector: &Enrolled,
        slot: u8,
    ) -> Result<(Link, Incoming), DialError> {
        let issuer = self.node.public_url.as_str().trim_end_matches('/').to_owned();
        let mut credentials = Prover { issuer, connector: connector.clone(), slot };
        self.dial("/tunnel/connector", &mut credentials).await
    }

    /// A connector whose targets echo.
    pub(crate) async fn echo(&self, connector: &Enrolled) -> Echo {
        let (link, incoming) = self.dial_connector(connector, 0).await.unwrap();
        link.send_inventory(Bytes::new(), true);
        let echo = Echo { link, grants: Arc::default(), ends: Arc::default() };
        tokio::spawn(serve_echo(incoming, Arc::clone(&echo.grants), Arc::clone(&echo.ends)));
        self.online(connector.id).await;
        echo
    }

    /// Waits until lanes can be opened to the connector.
    pub(crate) async fn online(&self, connector: ConnectorId) {
        self.until(|| self.node.connectors().registry().is_usable(connector)).await;
    }

    /// Waits until the condition holds.
    pub(crate) async fn until(&self, holds: impl Fn() -> bool) {
        let wait = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the condition never held");
    }
}

/// A connector's link, what it was asked for, and how the lanes ended.
pub(crate) struct Echo {
    pub(crate) link: Link,
    pub(crate) grants: Arc<Mutex<Vec<String>>>,
    pub(crate) ends: Arc<Mutex<usize>>,
}

async fn serve_echo(mut incoming: Incoming, grants: Arc<Mutex<Vec<String>>>, ends: Arc<Mutex<usize>>) {
    while let Some(event) = incoming.next().await {
        let Event::Open(lane) = event else { continue };
        grants.lock().unwrap().push(String::from_utf8(lane.metadata.to_vec()).unwrap());
        let (early, ends) = (lane.early.clone(), Arc::clone(&ends));
        let lane = lane.accept(Bytes::new());
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(lane);
            let _ = write.write_all(&early).await;
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
            *ends.lock().unwrap() += 1;
        });
    }
}

/// Asks for a session.
pub(crate) async fn open(link: &Link, resource: &str) -> Result<Opened, OpenError> {
    let request = format!(r#"{{"v":1,"resource":"{resource}","action":"connect"}}"#);
    let open = link.open(Open { flow: 0, metadata: request.into(), early: Bytes::new() });
    tokio::time::timeout(PATIENCE, open).await.expect("an answer")
}

/// The code that an open was refused with.
pub(crate) async fn refused(link: &Link, resource: &str) -> u16 {
    match open(link, resource).await {
        Err(OpenError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}
