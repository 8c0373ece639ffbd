//! The chains of relays that are measured.

use crate::{
    certificates::Certificates,
    process::{Role, Sample},
    scene::Scene,
};
use anyhow::{Context, Result};
use std::{net::SocketAddr, path::Path};

/// What a load client carries connections as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Streams {
    /// Lanes, which end with their link.
    Plain,
    /// Streams that outlive it.
    Resumable,
}

impl Streams {
    const ALL: [Self; 2] = [Self::Plain, Self::Resumable];

    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Resumable => &["--resume"],
        }
    }
}

/// One chain: a local port, the relays behind it, and the target.
pub(crate) struct Stack {
    /// Where a load generator connects: one link of one principal.
    pub(crate) entry: SocketAddr,
    /// The same over one link for each of many principals.
    pub(crate) many: SocketAddr,
    /// The target itself, for questions past the relays.
    pub(crate) target: SocketAddr,
    client: Sample,
    clients: Sample,
    gateway: Sample,
    connector: Sample,
    /// What stands behind a stack of the real programs.
    pub(crate) scene: Option<Scene>,
    /// The same relays, but for the load clients: they carry resumable streams.
    pub(crate) resumable: Option<Box<Self>>,
    _roles: Vec<Role>,
}

/// What lies behind the load clients.
struct Behind {
    target: SocketAddr,
    gateway: Sample,
    connector: Sample,
}

impl Stack {
    /// The bare two-hop relay.
    pub(crate) async fn floor(certificates: &Certificates, target: SocketAddr) -> Result<Self> {
        let directory = directory_of(certificates)?;
        let mut gateway = Role::start("floor-gateway", &["--certificates", &directory])?;
        let at = gateway.address().await?.to_string();
        let to = target.to_string();
        let mut connector = Role::start(
            "floor-connector",
            &["--certificates", &directory, "--gateway", &at, "--target", &to],
        )?;
        connector.address().await?;
        let client = Role::start("floor-client", &["--certificates", &directory, "--gateway", &at])?;
        let behind = Behind { target, gateway: gateway.sample()?, connector: connector.sample()? };
        let mut stack = Self::of(client, None, &behind).await?;
        stack._roles.extend([gateway, connector]);
        Ok(stack)
    }

    /// The tunnel without policy and record.
    pub(crate) async fn transport(certificates: &Certificates, target: SocketAddr) -> Result<Self> {
        let directory = directory_of(certificates)?;
        let mut gateway = Role::start("lane-gateway", &["--certificates", &directory])?;
        let url = format!("https://{}/tunnel/", gateway.address().await?);
        let (up, down, to) = (format!("{url}client"), format!("{url}connector"), target.to_string());
        let mut connector = Role::start(
            "lane-connector",
            &["--certificates", &directory, "--gateway", &down, "--target", &to],
        )?;
        connector.address().await?;
        let [plain, resumable] = Streams::ALL.map(|streams| {
            let client = ["--certificates", &directory, "--gateway", &up];
            Role::start("lane-client", &[&client[..], streams.args()].concat())
        });
        let behind = Behind { target, gateway: gateway.sample()?, connector: connector.sample()? };
        let mut stack = Self::of(plain?, None, &behind).await?;
        stack.resumable = Some(Box::new(Self::of(resumable?, None, &behind).await?));
        stack._roles.extend([gateway, connector]);
        Ok(stack)
    }

    /// The real gateway and connector, with load clients that hold service-account tokens.
    pub(crate) async fn postern(scene: Scene, target: SocketAddr) -> Result<Self> {
        let (gateway, connector) = scene.samples()?;
        let behind = Behind { target, gateway, connector };
        let [mut plain, resumable] = [
            Self::clients(&scene, Streams::Plain, &behind).await?,
            Self::clients(&scene, Streams::Resumable, &behind).await?,
        ];
        plain.resumable = Some(Box::new(resumable));
        plain.scene = Some(scene);
        Ok(plain)
    }

    async fn clients(scene: &Scene, streams: Streams, behind: &Behind) -> Result<Self> {
        let url = format!("{}/tunnel/client", scene.gateway.url());
        let ca = scene.gateway.authority().display().to_string();
        let metadata = scene.open_request(streams == Streams::Resumable);
        let start = |tokens: &Path| {
            let tokens = tokens.display().to_string();
            let args = ["--gateway", &url, "--ca-file", &ca, "--metadata", &metadata, "--token", &tokens];
            Role::start("lane-client", &[&args[..], streams.args()].concat())
        };
        Self::of(start(&scene.token_file(0))?, Some(start(&scene.tokens_directory())?), behind).await
    }

    /// The load client of one link and, if there is one, that of many.
    async fn of(mut one: Role, mut many: Option<Role>, behind: &Behind) -> Result<Self> {
        let (entry, client) = (one.address().await?, one.sample()?);
        let (many_entry, clients) = match &mut many {
            Some(many) => (many.address().await?, many.sample()?),
            None => (entry, client.clone()),
        };
        Ok(Self {
            entry,
            many: many_entry,
            target: behind.target,
            client,
            clients,
            gateway: behind.gateway.clone(),
            connector: behind.connector.clone(),
            scene: None,
            resumable: None,
            _roles: many.into_iter().chain([one]).collect(),
        })
    }

    /// CPU time so far of the client, the gateway and the connector, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<[f64; 3]> {
        Ok([self.client.cpu_seconds()?, self.gateway.cpu_seconds()?, self.connector.cpu_seconds()?])
    }

    /// Memory of the gateway and of the connector in KiB.
    pub(crate) fn pss_kib(&self) -> Result<(f64, f64)> {
        Ok((self.gateway.pss_kib()?, self.connector.pss_kib()?))
    }

    /// Memory of the client of many links in KiB.
    pub(crate) fn clients_pss_kib(&self) -> Result<f64> {
        self.clients.pss_kib()
    }
}

fn directory_of(certificates: &Certificates) -> Result<String> {
    let directory = certificates.ca.parent().context("a directory")?;
    Ok(directory.to_str().context("a directory with a plain name")?.to_owned())
}
