//! The domain under which applications get their names. The console keeps out of it: an application may run anybody's code,
//! and code at a name inside it could set cookies for the console and be taken for it (C3).

use super::{Config, reader::Reader};
use postern_canonical::Host;
use url::Url;

impl Reader<'_> {
    /// The domain in its one spelling, such as `apps.example.com`.
    pub(super) fn apps_domain(&mut self, consoles: &[&Url]) -> Option<String> {
        const HINT: &str = "write a domain below which every name leads here, such as apps.example.com";
        let text = self.text("apps_domain")?;
        let at = self.at("apps_domain");
        let Some(domain) = domain(&text) else {
            self.wrong(at, format!("apps_domain = {text:?} is no domain"), HINT);
            return None;
        };
        for console in consoles {
            if host_of(console).is_some_and(|host| is_within(&host, &domain)) {
                self.wrong(
                    at.clone(),
                    format!(
                        "{} lies inside apps_domain = {domain:?}",
                        console.as_str().trim_end_matches('/')
                    ),
                    "an application could pass for the console: give one of the two a name outside the other",
                );
            }
        }
        Some(domain)
    }
}

/// A domain that applications and a gateway have in common, a sentence each.
pub(super) fn shared_domains(config: &Config) -> Vec<String> {
    let Some(apps) = &config.apps_domain else { return Vec::new() };
    let mut shared: Vec<&str> =
        config.addresses().filter_map(|url| shared_domain(url.host_str()?, apps)).collect();
    shared.dedup();
    let said = shared.into_iter().map(|domain| {
        format!(
            "apps_domain and a gateway share {domain}: an application can set cookies for all of it, which a browser \
             then sends to the console as well. Ours cannot be replaced that way; a domain of its own is still better"
        )
    });
    said.collect()
}

/// Whether a host is the domain or lies inside it.
pub fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn domain(text: &str) -> Option<String> {
    let host: Host = text.parse().ok()?;
    let is_address = host.name().starts_with('[') || host.name().parse::<std::net::Ipv4Addr>().is_ok();
    (host.port().is_none() && !is_address).then(|| host.name().to_owned())
}

/// The host of a URL as a request would spell it.
fn host_of(url: &Url) -> Option<String> {
    let host: Host = url.host_str()?.parse().ok()?;
    Some(host.name().to_owned())
}

/// The domain that two names have in common, going by their last two labels. That is one too few for the likes of
/// `co.uk`, where it names what is not shared; a list of such suffixes would be wrong the day it is released.
fn shared_domain<'a>(console: &'a str, apps: &str) -> Option<&'a str> {
    let registrable = |name: &'a str| {
        let dot = name.rmatch_indices('.').nth(1).map_or(0, |(at, _)| at + 1);
        name.get(dot..).filter(|domain| domain.contains('.'))
    };
    let console = registrable(console)?;
    is_within(apps, console).then_some(console)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c03_a_shared_domain_is_seen_by_its_last_two_labels() {
        assert_eq!(shared_domain("postern.example.com", "apps.example.com"), Some("example.com"));
        assert_eq!(shared_domain("example.com", "apps.example.com"), Some("example.com"));
        assert_eq!(shared_domain("postern.example.com", "example-apps.net"), None);
        assert_eq!(shared_domain("postern.example.com", "notexample.com"), None);
        assert_eq!(shared_domain("localhost", "apps.localhost"), None);
        assert_eq!(shared_domain("postern.localhost", "apps.localhost"), None);
    }
}
