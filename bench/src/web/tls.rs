//! Connections to the gateway's public port as a browser has them.

use anyhow::{Context, Result};
use postern_tunnel_io::tls::Trust;
use rustls_pki_types::ServerName;
use std::{net::SocketAddr, path::PathBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Where to, and whom to trust.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Destination {
    #[arg(long)]
    pub(super) address: SocketAddr,
    /// The host of the application, with the port.
    #[arg(long)]
    pub(super) authority: String,
    #[arg(long)]
    ca_file: PathBuf,
}

/// Connects again and again.
pub(super) struct Dialler {
    connector: TlsConnector,
    address: SocketAddr,
    name: ServerName<'static>,
}

impl Destination {
    pub(super) fn dialler(&self) -> Result<Dialler> {
        let trust = Trust { ca_files: vec![self.ca_file.clone()], ..Trust::default() };
        let connector = TlsConnector::from(trust.client_config(&[b"http/1.1"])?);
        let name = self.authority.split(':').next().unwrap_or_default().to_owned();
        Ok(Dialler { connector, address: self.address, name: name.try_into()? })
    }
}

impl Dialler {
    pub(super) async fn dial(&self) -> Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await.context("connecting to the gateway")?;
        tcp.set_nodelay(true)?;
        self.connector.connect(self.name.clone(), tcp).await.context("TLS with the gateway")
    }
}
