//! What works but should be thought about.

use super::{Config, Mode, apps};
use url::Url;

impl Config {
    /// A sentence for each thing.
    pub fn warnings(&self) -> Vec<String> {
        let mut said = apps::shared_domains(self);
        said.extend(unheard_port(self));
        said
    }

    /// Every address that people, commands and connectors are given.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.public_url).chain(&self.gateways)
    }
}

/// Nothing stands in front of this gateway, as far as it knows, and yet nobody is told the port that it listens on.
fn unheard_port(config: &Config) -> Option<String> {
    let port = config.listen.address.port();
    // Port 0 is whichever the listener gets.
    let leads_here = |url: &Url| url.port() == Some(0) || url.port_or_known_default() == Some(port);
    if config.listen.mode != Mode::Tls || port == 0 || config.addresses().any(leads_here) {
        return None;
    }
    let told: Vec<&str> = config.addresses().map(|url| url.as_str().trim_end_matches('/')).collect();
    Some(format!(
        "the gateway listens on port {port}, and people are told {}: nobody gets here unless something forwards to that port. \
         If nothing does, write the port into public_url, or change listen.address",
        told.join(", ")
    ))
}
