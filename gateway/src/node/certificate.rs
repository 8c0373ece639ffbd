//! The certificates of the public port: from files, or from the authority; renewed while the node runs.

use super::{
    files::{self, StateDir},
    first_start::{self, hex},
};
use crate::{
    config::{CertificateFiles, Config},
    exit::{Failure, chain},
    policies::wall_clock,
    tls::{Authority, Certificates, PerHost, covers},
};
use arc_swap::ArcSwap;
use postern_store::Store;
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use url::{Host, Url};

/// Where certificates come from.
pub(super) enum Source {
    Files(Vec<CertificateFiles>),
    Own { authority: Arc<Authority>, hosts: Vec<Host<String>> },
}

/// The certificates in use and where the next ones come from.
#[derive(Clone)]
pub(super) struct Presented {
    pub(super) certificates: Arc<Certificates>,
    /// What a reload says counts for everybody who renews.
    pub(super) source: Arc<ArcSwap<Source>>,
}

impl Presented {
    pub(super) async fn load(
        config: &Config,
        (public_url, gateways): (&Url, &[Url]),
        store: &Store,
        state: &StateDir,
    ) -> Result<Self, Failure> {
        if !config.certificates.is_empty() {
            let source = Source::Files(config.certificates.clone());
            let certificates = source.issue()?;
            tell_uncovered(&certificates, config);
            return Ok(Self::new(Certificates::several(certificates), source));
        }
        let hosts = hosts(public_url, gateways);
        let authority = Arc::new(first_start::authority(store).await?);
        files::write(&state.authority(), authority.pem().as_bytes(), 0o644)?;
        tracing::info!(
            ca_sha256 = hex(&authority.fingerprint()),
            "the gateway is its own certificate authority"
        );
        let first = issue(&authority, &hosts)?;
        let per_host = per_host(Arc::clone(&authority));
        Ok(Self::new(Certificates::issuing(first, per_host), Source::Own { authority, hosts }))
    }

    fn new(certificates: Arc<Certificates>, source: Source) -> Self {
        let presented = Self { certificates, source: Arc::new(ArcSwap::from_pointee(source)) };
        presented.tell_standing();
        presented
    }

    /// The fingerprint that clients pin, if the gateway is its own authority.
    pub(super) fn ca_sha256(&self) -> Option<[u8; 32]> {
        match &**self.source.load() {
            Source::Files(_) => None,
            Source::Own { authority, .. } => Some(authority.fingerprint()),
        }
    }

    /// Presents the certificates of this configuration's files as they are now, or new ones of the own authority. A bad
    /// one changes nothing. Whether the node is its own authority is not for this to change.
    pub(super) fn renew_as(&self, config: &Config) -> Result<(), Failure> {
        let before = self.source.load_full();
        let source = match (config.certificates.as_slice(), &*before) {
            ([_, ..], Source::Files(_)) => Arc::new(Source::Files(config.certificates.clone())),
            (_, Source::Own { .. }) | ([], Source::Files(_)) => before,
        };
        let certificates = source.issue()?;
        if let Source::Files(_) = &*source {
            tell_uncovered(&certificates, config);
        }
        self.take(certificates)?;
        self.source.store(source);
        self.tell_standing();
        Ok(())
    }
}

impl Source {
    /// At least one.
    pub(super) fn issue(&self) -> Result<Vec<CertifiedKey>, Failure> {
        match self {
            Self::Files(files) => files
                .iter()
                .map(|files| Certificates::read(files).map_err(|error| Failure::Config(chain(&error))))
                .collect(),
            Self::Own { authority, hosts } => Ok(vec![issue(authority, hosts)?]),
        }
    }
}

fn issue(authority: &Authority, hosts: &[Host<String>]) -> Result<CertifiedKey, Failure> {
    authority.issue(hosts, rand::random(), wall_clock()).map_err(|error| Failure::Software(chain(&error)))
}

/// Certificates for the names of applications.
fn per_host(authority: Arc<Authority>) -> PerHost {
    PerHost::new(move |host| match issue(&authority, &[Host::Domain(host.to_owned())]) {
        Ok(issued) => Some(issued),
        Err(error) => {
            tracing::error!(host, error = %error, "no certificate could be issued for an application");
            None
        }
    })
}

/// Browsers would refuse what no certificate covers, and only whoever owns the certificates can help.
fn tell_uncovered(certificates: &[CertifiedKey], config: &Config) {
    let Some(domain) = &config.apps_domain else { return };
    let some_application = format!("any-application.{domain}");
    if !certificates.iter().any(|certified| covers(certified, &some_application)) {
        tracing::warn!(
            apps_domain = domain,
            "no certificate of tls.certificate covers *.{domain}: browsers will refuse the applications"
        );
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
