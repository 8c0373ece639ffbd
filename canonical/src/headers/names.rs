//! The lists: what is for one hop, what is ours, what may be nominated.

/// Fields for one hop (RFC 9110 section 7.6.1), and those that only proxies exchange.
pub(super) const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Names that say who somebody is or where a request came from: ours to write, or nobody's. They are what this gateway
/// and its peers send to applications, which believe them.
const RESERVED: &[&str] = &[
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "forwarded-for",
    // CGI reads it as HTTP_PROXY.
    "proxy",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-http-host-override",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-originating-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-rewrite-url",
    "x-user",
    "x-username",
    "x-webauth-user",
    "x-ssl-client-cert",
    "x-client-cert",
    "x-client-dn",
    "ssl-client-cert",
];

/// The same by what they begin with.
const RESERVED_PREFIXES: &[&str] = &[
    "cf-access-",
    "remote-",
    "tailscale-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-authenticated-",
    "x-authentik-",
    "x-envoy-",
    "x-forwarded",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-pomerium-",
    "x-postern-",
    "x-remote-",
    "x-ssl-client-",
    "x-token-user-",
    "x-webauth-",
];

/// Whether a header of this name (lower case) comes from the gateway or not at all.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a header of this name (lower case) is for one hop only, and never forwarded.
pub fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// What `Connection` may say without naming a field that has to go.
pub(super) fn is_connection_word(option: &str) -> bool {
    ["close", "keep-alive", "upgrade"].iter().any(|word| option.eq_ignore_ascii_case(word))
}

/// Fields that decide something at the gateway or the application, and so cannot be declared to be for one hop.
const DECISIVE: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "origin",
    "range",
    "referer",
    "transfer-encoding",
];

/// Whether `Connection` may name this field.
pub(super) fn may_be_nominated(name: &str) -> bool {
    !DECISIVE.contains(&name) && !is_reserved(name) && !name.starts_with("sec-")
}
