//! One robot that may reach one resource, the connector that serves it, and a client of one stream.

use super::{
    Account, Enrolled, Scene,
    streams::{Carried, Holder, StreamClient},
};
use postern_ids::{Ended, GrantId, ResourceId, SessionId, SiteId};
use postern_policy::model::{Grant, Resource};
use postern_store::{Actor, AuditEntry, Expect, SessionEntry, SessionFilter};
use postern_tunnel_io::{Incoming, Link, inventory::Entry};

/// Everything that a resumable session needs.
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) site: SiteId,
    pub(crate) resource: ResourceId,
    pub(crate) account: Account,
    pub(crate) grant: GrantId,
    pub(crate) connector: Enrolled,
    pub(crate) holder: Holder,
    pub(crate) client: StreamClient,
}

/// A client's link; it lives as long as its requests are listened to.
pub(crate) type ClientLink = (Link, Incoming);

impl Stage {
    pub(crate) async fn new() -> Self {
        let scene = Scene::start().await;
        let site = scene.site("office").await;
        let resource = scene.resource(site, "db-1").await;
        let account = scene.account("robot").await;
        let grant = scene.grant(&account, resource).await;
        let connector = scene.connector(site, "edge-1").await;
        let holder = Holder::start(&scene, &connector, 0, Vec::new()).await;
        let client = StreamClient { instance: connector.instance.to_bytes(), ..StreamClient::new() };
        Self { scene, site, resource, account, grant, connector, holder, client }
    }

    pub(crate) async fn dial(&self) -> ClientLink {
        self.scene.dial_client(&self.account.token).await.unwrap()
    }

    /// Opens the session on a link of its own.
    pub(crate) async fn open(&mut self) -> (ClientLink, Carried) {
        let dialed = self.dial().await;
        let carried = self.client.open(&dialed.0, "db-1").await.unwrap();
        (dialed, carried)
    }

    /// Opens the session, and loses its link: it waits.
    pub(crate) async fn open_and_lose(&mut self) -> SessionId {
        let ((link, _incoming), carried) = self.open().await;
        link.close(1000, "lost");
        self.waits().await;
        carried.session
    }

    pub(crate) async fn waits(&self) {
        self.scene.until(|| self.scene.node.held().waiting() == 1).await;
    }

    /// Takes the right away that the session stands on.
    pub(crate) async fn revoke(&self) {
        let mut change = self.scene.change().await;
        change.delete::<Grant>(&self.grant, Expect::Any).await.unwrap();
        self.scene.commit(change).await;
    }

    /// The resource is at another site from now on.
    pub(crate) async fn move_resource(&self) {
        let elsewhere = self.scene.site("factory").await;
        let mut change = self.scene.change().await;
        let stored = change.find::<Resource>(&self.resource).await.unwrap().unwrap();
        let moved = Resource { site: elsewhere, ..stored.value };
        change.put(&moved, Expect::At(stored.version)).await.unwrap();
        self.scene.commit(change).await;
    }

    /// The gateway starts again on the same port and store; the connector's and the client's links are lost.
    pub(crate) async fn restart(self) -> Self {
        let Self { scene: Scene { node, dir }, .. } = self;
        let port = node.public.port();
        assert!(node.stop().await, "everything goes in time");
        let address = format!("127.0.0.1:{port}");
        let url = format!("https://{address}");
        let settings = [("public_url", url.as_str()), ("listen.address", address.as_str())];
        let node = Scene::node_in(&dir, &settings).await;
        Self { scene: Scene { node, dir }, ..self }
    }

    /// The connector is back, the same process, and says what it holds.
    pub(crate) async fn connector_back(&mut self, holds: Vec<Entry>) {
        self.holder = Holder::start(&self.scene, &self.connector, 0, holds).await;
    }

    /// The session as the store has it, once it looks so.
    pub(crate) async fn recorded(
        &self,
        session: SessionId,
        looks: impl Fn(&SessionEntry) -> bool,
    ) -> SessionEntry {
        let wait = async {
            loop {
                let sessions = self.scene.store().sessions(&SessionFilter::default(), 10).await.unwrap();
                if let Some(found) = sessions.into_iter().find(|entry| entry.id == session && looks(entry)) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::PATIENCE, wait).await.expect("the store's session looks so")
    }

    /// Waits until the store knows that the session ended so.
    pub(crate) async fn ended(&self, session: SessionId, how: Ended) -> SessionEntry {
        self.recorded(session, |entry| entry.ended.is_some_and(|(ended, _)| ended == how)).await
    }

    /// An administrator ends the session.
    pub(crate) async fn end_by_admin(&self, session: SessionId) {
        let by = Actor::system("test");
        let store = self.scene.store();
        let revision = store.end_session(session, Ended::EndedByAdmin, &by, super::now()).await.unwrap();
        self.scene.in_force(revision).await;
    }

    /// How many ends of the session stand in the audit.
    pub(crate) async fn ends_of(&self, session: SessionId) -> usize {
        let (store, mut ends, about) = (self.scene.store(), 0, session.to_string());
        for chain in store.audit_chains().await.unwrap() {
            let entries = store.audit_after(&chain, 0, 1_000).await.unwrap();
            let ended = |entry: &&AuditEntry| entry.kind == "session.ended" && entry.body.contains(&about);
            ends += entries.iter().filter(ended).count();
        }
        ends
    }
}
