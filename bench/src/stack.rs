//! The chains of relays that are measured.

use crate::{certificates::Certificates, process::Role};
use anyhow::{Context, Result};
use std::net::SocketAddr;

/// One chain: a local port, the relays behind it, and the target.
pub(crate) struct Stack {
    /// Where a load generator connects.
    pub(crate) entry: SocketAddr,
    /// The target itself, for questions past the relays.
    pub(crate) target: SocketAddr,
    client: Role,
    gateway: Role,
    connector: Role,
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
        Ok(Self { entry: client.address().await?, target, client, gateway, connector })
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
        Ok(Self { entry: client.address().await?, target, client, gateway, connector })
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
