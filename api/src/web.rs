//! How a web application is published, as an administrator writes it down: the part `web` of a resource.

use postern_ids::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a web application is published. Everything has a default: `web: {}` is enough.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebDocument {
    /// Host names of its own, the main one first. None: the resource's name below the gateway's `apps_domain`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Names it had, which lead to the main host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub former_hosts: Vec<String>,
    /// The part of its hosts that is its own, such as `/api`. Empty: all of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Take `path` off before a request is forwarded.
    #[serde(skip_serializing_if = "is_default")]
    pub strip_path: bool,
    /// Applications that people sign in to in the same go, because pages of this one call them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sign_in_with: Vec<Name>,
    /// Origins (`https://host[:port]`) whose pages may call this one with the person's cookies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Answer preflights of `origins` at the gateway.
    #[serde(skip_serializing_if = "is_default")]
    pub answer_preflight: bool,
    /// How the application is spoken to.
    #[serde(skip_serializing_if = "is_default")]
    pub upstream: Upstream,
    /// What it is told about who asks.
    #[serde(skip_serializing_if = "is_default")]
    pub identity: Identity,
    /// Headers that are set or removed on the way.
    #[serde(skip_serializing_if = "is_default")]
    pub headers: HeaderRules,
    /// Paths for which nobody has to sign in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub public: Vec<PublicPath>,
    /// How paths are read.
    #[serde(skip_serializing_if = "is_default")]
    pub paths: PathReading,
    /// What happens to header names with an underscore.
    #[serde(skip_serializing_if = "is_default")]
    pub underscore_headers: UnderscoreRule,
    /// How long it may take.
    #[serde(skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// Whether an application token may come as the password of Basic authentication.
    #[serde(skip_serializing_if = "is_default")]
    pub basic_tokens: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How the gateway speaks to an application.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// TLS towards the target (`tls: {}`); none is plain HTTP inside the tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<UpstreamTls>,
    /// The protocol.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: UpstreamProtocol,
    /// The `Host` that it sees.
    #[serde(skip_serializing_if = "is_default")]
    pub host: UpstreamHost,
}

/// How the certificate of an `https` target is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// PEM of the only authorities that are believed; none means those of the gateway's system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The name that is asked for and checked; none means the target's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Check nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub insecure: bool,
}

/// The HTTP version towards an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, which gRPC needs.
    Http2,
}

/// The `Host` that an application sees: `public`, `target`, or `{fixed: name}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UpstreamHost {
    /// The one that the browser asked for.
    #[default]
    Public,
    /// The target's own `host:port`.
    Target,
    /// This one.
    Fixed(String),
}

/// What an application is told about who asks, besides the signed assertion.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The groups it may hear of; others are not named to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    /// The headers of other products that it understands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compatible: Vec<Compatible>,
}

/// Products whose identity headers can be written as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compatible {
    /// Pomerium.
    Pomerium,
    /// Cloudflare Access.
    CloudflareAccess,
    /// oauth2-proxy.
    Oauth2Proxy,
    /// Tailscale serve.
    TailscaleServe,
    /// `Remote-User` and its like.
    RemoteUser,
}

/// Headers that are set or removed, by lower-case name. Removing comes first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderRules {
    /// Set on requests.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub request_set: BTreeMap<String, String>,
    /// Removed from requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_remove: Vec<String>,
    /// Set on answers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub response_set: BTreeMap<String, String>,
    /// Removed from answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_remove: Vec<String>,
}

/// A path for which nobody has to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicPath {
    /// The path, or with `/*` at the end everything below it.
    pub path: String,
    /// The methods; none is `GET` and `HEAD`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// How the paths of requests are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathReading {
    /// Strictly where a rule or a public path can ask for the path, else as it comes.
    #[default]
    Auto,
    /// A path that can be read in two ways is refused.
    Strict,
    /// The same, but `%2f` is a letter of its segment.
    StrictOpaqueSlash,
    /// As it comes. Rules see no path.
    Verbatim,
}

/// What happens to header names with an underscore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnderscoreRule {
    /// They pass, unless the name with hyphens is one of the gateway's.
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
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_the_default_and_what_is_the_default_is_left_out() {
        let empty: WebDocument = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, WebDocument::default());
        assert_eq!(serde_json::to_string(&empty).unwrap(), "{}");
        let text = r#"{"upstream":{"tls":{},"host":{"fixed":"app.internal"}},"timeouts":{"response_s":5,"idle_s":3600}}"#;
        let some: WebDocument = serde_json::from_str(text).unwrap();
        assert_eq!(some.upstream.host, UpstreamHost::Fixed("app.internal".to_owned()));
        assert_eq!(serde_json::to_string(&some).unwrap(), text);
    }

    #[test]
    fn l06_a_word_that_is_not_known_is_refused_at_every_depth() {
        for bad in [
            r#"{"host":[]}"#,
            r#"{"upstream":{"tsl":{}}}"#,
            r#"{"upstream":{"tls":{"insecur":true}}}"#,
            r#"{"upstream":{"host":{"other":"x"}}}"#,
            r#"{"identity":{"group":[]}}"#,
            r#"{"headers":{"request":{}}}"#,
            r#"{"public":[{"path":"/x","method":"GET"}]}"#,
            r#"{"timeouts":{"response":5}}"#,
            r#"{"paths":"lenient"}"#,
        ] {
            assert!(serde_json::from_str::<WebDocument>(bad).is_err(), "{bad}");
        }
    }
}
