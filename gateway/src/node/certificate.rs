//! The certificate of the public port: from files, or from the authority; renewed while the node runs.

use super::{
    files::{self, StateDir},
    first_start::{self, hex},
    foundation::chain,
};
use crate::{
    config::{CertificateFiles, Config},
    exit::Failure,
    policies::wall_clock,
    tls::{Authority, Certificates},
};
use postern_store::Store;
use std::{convert::Infallible, sync::Arc};
use url::{Host, Url};

/// Where the certificate comes from.
pub(super) enum Source {
    Files(CertificateFiles),
    Own { authority: Box<Authority>, hosts: Vec<Host<String>> },
}

/// The certificate in use and where the next one comes from.
#[derive(Clone)]
pub(super) struct Presented {
    pub(super) certificates: Arc<Certificates>,
    source: Arc<Source>,
}

impl Presented {
    pub(super) async fn load(
        config: &Config,
        (public_url, gateways): (&Url, &[Url]),
        store: &Store,
        state: &StateDir,
    ) -> Result<Self, Failure> {
        let source = match &config.certificate {
            Some(files) => Source::Files(files.clone()),
            None => {
                let hosts = hosts(public_url, gateways);
                let authority = first_start::authority(store).await?;
                files::write(&state.authority(), authority.pem().as_bytes(), 0o644)?;
                tracing::info!(
                    ca_sha256 = hex(&authority.fingerprint()),
                    "the gateway is its own certificate authority"
                );
                Source::Own { authority: Box::new(authority), hosts }
            }
        };
        let first = source.issue()?;
        Ok(Self { certificates: Certificates::new(first), source: Arc::new(source) })
    }

    /// The fingerprint that clients pin, if the gateway is its own authority.
    pub(super) fn ca_sha256(&self) -> Option<[u8; 32]> {
        match &*self.source {
            Source::Files(_) => None,
            Source::Own { authority, .. } => Some(authority.fingerprint()),
        }
    }

    /// Presents a certificate that was read or issued now. A bad one changes nothing.
    fn renew(&self) -> Result<(), Failure> {
        self.certificates.replace(self.source.issue()?);
        Ok(())
    }

    /// Presents the certificate of these files as they are now, or a new one of the own authority. A bad one changes
    /// nothing. Whether the node is its own authority is not for this to change.
    pub(super) fn renew_as(&mut self, files: Option<&CertificateFiles>) -> Result<(), Failure> {
        let source = match (files, &*self.source) {
            (Some(files), Source::Files(_)) => Arc::new(Source::Files(files.clone())),
            (Some(_) | None, Source::Own { .. }) | (None, Source::Files(_)) => Arc::clone(&self.source),
        };
        self.certificates.replace(source.issue()?);
        self.source = source;
        Ok(())
    }

    /// Renews in time, for ever.
    pub(super) async fn keep_fresh(self) -> Infallible {
        loop {
            tokio::time::sleep(Authority::renewal_after()).await;
            if let Err(error) = self.renew() {
                tracing::error!(error = %error, "the certificate could not be renewed");
            }
        }
    }
}

impl Source {
    fn issue(&self) -> Result<rustls::sign::CertifiedKey, Failure> {
        match self {
            Self::Files(files) => Certificates::read(files).map_err(|error| Failure::Config(chain(&error))),
            Self::Own { authority, hosts } => authority
                .issue(hosts, rand::random(), wall_clock())
                .map_err(|error| Failure::Software(chain(&error))),
        }
    }
}

/// Every host that somebody may dial to reach a gateway of the installation: each of them can stand in for the others.
fn hosts(public_url: &Url, gateways: &[Url]) -> Vec<Host<String>> {
    let mut hosts = Vec::new();
    for host in [public_url].into_iter().chain(gateways).filter_map(Url::host) {
        let host = host.to_owned();
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}
