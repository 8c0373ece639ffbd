//! How a web application is published: under which names, how the gateway speaks to it, and what it is told.

use postern_ids::{GroupId, ResourceId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// What a resource of kind `http` says beyond its target. Rules never look at it; the gateway's browser ingress does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// Host names of its own, canonical and without a port; the first is the main one. Empty: the resource's name under the
    /// gateway's `apps_domain`.
    pub hosts: Vec<Arc<str>>,
    /// Names it had: they lead to the main host.
    pub former_hosts: Vec<Arc<str>>,
    /// The part of its hosts that is its own, such as `/api`: by whole segments, without a slash at the end. The longest
    /// match wins among the resources of a host. Empty: all of it.
    pub path: Arc<str>,
    /// Take `path` off before a request is forwarded.
    pub strip_path: bool,
    /// Applications that a person is handed over to in the same chain of redirects, because pages of this one call them.
    pub sign_in_with: Vec<ResourceId>,
    /// Origins (`https://host[:port]`) whose pages may call this one with the person's cookies.
    pub origins: Vec<Arc<str>>,
    /// Answer preflights of `origins` here, instead of letting the application do it.
    pub answer_preflight: bool,
    /// How the application is spoken to.
    pub upstream: Upstream,
    /// What it is told about who asks.
    pub identity: Identity,
    /// Headers that are set or removed on the way.
    pub headers: HeaderRules,
    /// Paths for which nobody has to sign in.
    pub public: Vec<PublicPath>,
    /// How paths are read.
    pub paths: PathReading,
    /// What happens to header names with an underscore.
    pub underscore_headers: UnderscoreRule,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Whether an application token may come as the password of Basic authentication.
    pub basic_tokens: bool,
}

/// How the gateway speaks to an application.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// TLS towards the target; none is plain HTTP inside the tunnel.
    pub tls: Option<UpstreamTls>,
    /// The protocol.
    pub protocol: UpstreamProtocol,
    /// The `Host` that it sees.
    pub host: UpstreamHost,
}

/// How the certificate of an `https` target is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// PEM of the only authorities that are believed; none means those of the gateway's system.
    pub ca: Option<Arc<str>>,
    /// The name that is asked for and checked; none means the target's host.
    pub server_name: Option<Arc<str>>,
    /// Check nothing. Whoever can stand between the connector and the target can then read and change everything.
    pub insecure: bool,
}

/// The HTTP version towards an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    /// HTTP/1.1, which everything speaks.
    #[default]
    Http1,
    /// HTTP/2: by prior knowledge in plain, by ALPN over TLS. gRPC needs it.
    Http2,
}

/// The `Host` that an application sees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamHost {
    /// The one that the browser asked for.
    #[default]
    Public,
    /// The target's own `host:port`.
    Target,
    /// This one.
    Fixed(Arc<str>),
}

/// What an application is told about who asks, besides the signed assertion.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The groups it may hear of; others are not named to it.
    pub groups: Vec<GroupId>,
    /// The headers of other products that it understands.
    pub compatible: Vec<Compatible>,
}

/// Products whose identity headers can be written as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compatible {
    /// `X-Pomerium-Jwt-Assertion` and its claim headers.
    Pomerium,
    /// `Cf-Access-Jwt-Assertion`, `Cf-Access-Authenticated-User-Email`.
    CloudflareAccess,
    /// `X-Forwarded-User`, `-Email`, `-Groups`, `-Preferred-Username`, and `X-Auth-Request-*`.
    Oauth2Proxy,
    /// `Tailscale-User-Login`, `-Name`.
    TailscaleServe,
    /// `Remote-User`, `-Name`, `-Email`, `-Groups`.
    RemoteUser,
}

/// Headers that are set or removed, by lower-case name. Removing comes first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderRules {
    /// Set on requests.
    pub request_set: BTreeMap<String, String>,
    /// Removed from requests.
    pub request_remove: Vec<String>,
    /// Set on answers.
    pub response_set: BTreeMap<String, String>,
    /// Removed from answers.
    pub response_remove: Vec<String>,
}

/// A path for which nobody has to sign in. It is asked for by nobody ([`super::PrincipalId::Anonymous`]), through the same
/// door as everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicPath {
    /// The canonical path, or with `/*` at the end everything below it.
    pub path: Arc<str>,
    /// The methods; empty is `GET` and `HEAD`.
    #[serde(default)]
    pub methods: Vec<Box<str>>,
}

impl PublicPath {
    /// Whether it covers a request with this canonical path.
    pub fn covers(&self, method: &str, path: &str) -> bool {
        let by_method = match self.methods.as_slice() {
            [] => matches!(method, "GET" | "HEAD"),
            methods => methods.iter().any(|known| &**known == method),
        };
        let by_path = match self.path.strip_suffix("/*") {
            Some(above) => path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')),
            None => *self.path == *path,
        };
        by_method && by_path
    }
}

/// How the paths of requests are read (H13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathReading {
    /// As one of the two below: strictly where a rule or a public path can ask for the path, else as it comes.
    #[default]
    Auto,
    /// A path that can be read in two ways is refused.
    Strict,
    /// The same, but `%2f` is a letter of its segment.
    StrictOpaqueSlash,
    /// As it comes, for applications with odd paths. Rules see no path then: one that asks for it does not permit.
    Verbatim,
}

/// What happens to header names with an underscore, which many servers read as a hyphen (H10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnderscoreRule {
    /// They pass, unless the name with hyphens is one of ours.
    #[default]
    Pass,
    /// They are dropped.
    Drop,
    /// The request is refused.
    Reject,
}

/// How long an application may take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From the request to the head of the answer.
    pub response_s: u32,
    /// Without a byte in either direction while a body or an upgraded connection is under way.
    pub idle_s: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { response_s: 60, idle_s: 3600 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h14_a_public_path_covers_exactly_what_it_names() {
        let exact = PublicPath { path: "/healthz".into(), methods: Vec::new() };
        assert!(exact.covers("GET", "/healthz") && exact.covers("HEAD", "/healthz"));
        for (method, path) in
            [("POST", "/healthz"), ("OPTIONS", "/healthz"), ("GET", "/healthz/"), ("GET", "/healthz2")]
        {
            assert!(!exact.covers(method, path), "{method} {path}");
        }
        let below = PublicPath { path: "/hooks/*".into(), methods: vec!["POST".into()] };
        assert!(below.covers("POST", "/hooks/a/b"));
        for (method, path) in [("GET", "/hooks/a"), ("POST", "/hooks"), ("POST", "/hooksx/a")] {
            assert!(!below.covers(method, path), "{method} {path}");
        }
    }
}
