//! The way out of a network: directly, or through an HTTP proxy with CONNECT.

use url::Url;

/// Which proxy to use for which host.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    url: Option<Url>,
    except: Vec<String>,
}

impl Proxy {
    /// No proxy.
    pub fn direct() -> Self {
        Self::default()
    }

    /// As `HTTPS_PROXY` and `NO_PROXY` (either case) say.
    pub fn from_env() -> Self {
        let read = |name: &str| {
            std::env::var(name)
                .or_else(|_| std::env::var(name.to_ascii_lowercase()))
                .ok()
                .filter(|v| !v.is_empty())
        };
        Self::new(read("HTTPS_PROXY").as_deref(), read("NO_PROXY").as_deref())
    }

    /// From the values of `HTTPS_PROXY` and `NO_PROXY`. A proxy without a scheme is an `http` one.
    pub fn new(https_proxy: Option<&str>, no_proxy: Option<&str>) -> Self {
        let url = https_proxy.and_then(|text| {
            if text.contains("://") {
                Url::parse(text).ok()
            } else {
                Url::parse(&format!("http://{text}")).ok()
            }
        });
        let except = no_proxy
            .unwrap_or_default()
            .split([',', ' '])
            .map(|entry| entry.trim().to_ascii_lowercase())
            .filter(|entry| !entry.is_empty())
            .collect();
        Self { url, except }
    }

    /// The proxy for this host, if one is to be used.
    pub fn for_host(&self, host: &str) -> Option<&Url> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let excepted = self.except.iter().any(|entry| {
            let suffix = entry.trim_start_matches('*').trim_start_matches('.');
            entry == "*"
                || host == suffix
                || host.strip_suffix(suffix).is_some_and(|rest| !suffix.is_empty() && rest.ends_with('.'))
        });
        self.url.as_ref().filter(|_| !excepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_under_no_proxy_goes_directly() {
        let proxy = Proxy::new(Some("proxy.corp:3128"), Some("internal.example, .lan,127.0.0.1"));
        assert_eq!(proxy.for_host("gw.example").map(Url::as_str), Some("http://proxy.corp:3128/"));
        for direct in ["internal.example", "a.internal.example", "nas.lan", "127.0.0.1"] {
            assert_eq!(proxy.for_host(direct), None, "{direct}");
        }
        assert!(proxy.for_host("notinternal.example").is_some());
        assert_eq!(Proxy::new(Some("http://p:1"), Some("*")).for_host("gw.example"), None);
        assert_eq!(Proxy::direct().for_host("gw.example"), None);
    }
}
