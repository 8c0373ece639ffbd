//! One robot that may reach one resource, `db-1`, the connector that serves it with an echo, and the robot's link.

use super::{Account, Echo, Enrolled, Scene};
use postern_ids::{GrantId, ResourceId, SiteId};
use postern_tunnel_io::{Incoming, Link};

/// Everything that a session which ends with its link needs.
pub(crate) struct Served {
    pub(crate) scene: Scene,
    pub(crate) site: SiteId,
    pub(crate) resource: ResourceId,
    pub(crate) account: Account,
    pub(crate) grant: GrantId,
    pub(crate) connector: Enrolled,
    pub(crate) echo: Echo,
    pub(crate) link: Link,
    /// The link lives as long as its requests are listened to.
    pub(crate) incoming: Incoming,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let scene = Scene::start_with(settings).await;
        let site = scene.site("office").await;
        let resource = scene.resource(site, "db-1").await;
        let account = scene.account("robot").await;
        let grant = scene.grant(&account, resource).await;
        let connector = scene.connector(site, "edge-1").await;
        let echo = scene.echo(&connector).await;
        let (link, incoming) = scene.dial_client(&account.token).await.unwrap();
        Self { scene, site, resource, account, grant, connector, echo, link, incoming }
    }
}
