//! The chains of relays that are measured.

use crate::{
    certificates::Certificates,
    process::{Role, Sample},
    scene::Scene,
};
use anyhow::{Context, Result};
use std::net::SocketAddr;

/// One chain: a local port, the relays behind it, and the target.
pub(crate) struct Stack {
    /// Where a load generator connects: one link of one principal.
    pub(crate) entry: SocketAddr,
    /// The same over one link for each of many principals.
    pub(crate) many: SocketAddr,
    /// The target itself, for questions past the relays.
    pub(crate) target: SocketAddr,
    client: Sample,
    gateway: Sample,
    connector: Sample,
    /// What stands behind a stack of the real programs.
    pub(crate) scene: Option<Scene>,
    _roles: Vec<Role>,
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
        let mut client = Role::start("floor-client", &["--certificates", &directory, "--gateway", &at])?;
        let entry = client.address().await?;
        Self::of(entry, entry, target, vec![client, gateway, connector])
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
        let mut client = Role::start("lane-client", &["--certificates", &directory, "--gateway", &up])?;
        let entry = client.address().await?;
        Self::of(entry, entry, target, vec![client, gateway, connector])
    }

    /// The real gateway and connector, with load clients that hold service-account tokens.
    pub(crate) async fn postern(scene: Scene, target: SocketAddr) -> Result<Self> {
        let url = format!("{}/tunnel/client", scene.gateway.url());
        let ca = scene.gateway.authority().display().to_string();
        let (tokens, metadata) = (scene.tokens_directory().display().to_string(), scene.open_request());
        let one = scene.token_file(0).display().to_string();
        let common = ["--gateway", &url, "--ca-file", &ca, "--metadata", &metadata];
        let mut single = Role::start("lane-client", &[&common[..], &["--token", &one]].concat())?;
        let entry = single.address().await?;
        let mut spread = Role::start("lane-client", &[&common[..], &["--token", &tokens]].concat())?;
        let many = spread.address().await?;
        let (gateway, connector) = scene.samples()?;
        let client = single.sample()?;
        Ok(Self {
            entry,
            many,
            target,
            client,
            gateway,
            connector,
            scene: Some(scene),
            _roles: vec![single, spread],
        })
    }

    fn of(entry: SocketAddr, many: SocketAddr, target: SocketAddr, roles: Vec<Role>) -> Result<Self> {
        let samples = roles.iter().map(Role::sample).collect::<Result<Vec<_>>>()?;
        let [client, gateway, connector] = samples.try_into().ok().context("three relays")?;
        Ok(Self { entry, many, target, client, gateway, connector, scene: None, _roles: roles })
    }

    /// CPU time so far of the client, the gateway and the connector, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<[f64; 3]> {
        Ok([self.client.cpu_seconds()?, self.gateway.cpu_seconds()?, self.connector.cpu_seconds()?])
    }

    /// Memory of the gateway and of the connector in KiB.
    pub(crate) fn pss_kib(&self) -> Result<(f64, f64)> {
        Ok((self.gateway.pss_kib()?, self.connector.pss_kib()?))
    }
}

fn directory_of(certificates: &Certificates) -> Result<String> {
    let directory = certificates.ca.parent().context("a directory")?;
    Ok(directory.to_str().context("a directory with a plain name")?.to_owned())
}
