//! The gateway's own calls to providers: over TLS, to public addresses, without redirects, bounded in time and size.

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::{
    error::Error,
    fmt,
    future::Future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use url::{Host, Url};

/// A provider that takes longer is as good as away; people wait for it.
const CALL_MAX: Duration = Duration::from_secs(5);
/// Metadata, key sets and tokens are far smaller.
const ANSWER_MAX: usize = 1024 * 1024;

/// Where calls may go, and whom they trust there.
#[derive(Debug, Clone, Default)]
pub struct EgressRules {
    /// The provider lives in a private network.
    pub allow_private_address: bool,
    /// Certificates to trust besides the system's, in PEM.
    pub ca_pem: Option<String>,
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The address is no https URL, or one with credentials in it.
    #[error("{0} is not a plain https address")]
    Address(Url),
    /// The address is private, and that is not allowed for this provider.
    #[error("{0} leads to a private address: set allow_private_address for this provider if it should")]
    Private(String),
    /// The extra certificates cannot be used.
    #[error("the CA file of the provider cannot be used")]
    Certificates(#[source] reqwest::Error),
    /// No connection, no answer in time, or a broken one.
    #[error("the provider did not answer: {}", innermost(.0))]
    Exchange(#[source] reqwest::Error),
    /// The answer is longer than anything that is expected.
    #[error("the provider's answer is longer than {ANSWER_MAX} bytes")]
    TooLong,
    /// The answer is a refusal, or a redirect, which nobody follows.
    #[error("the provider answered {0}")]
    Status(u16),
}

/// Makes the calls of one provider.
#[derive(Debug, Clone)]
pub struct Egress {
    client: reqwest::Client,
    allow_private: bool,
}

impl Egress {
    /// With these rules. Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`).
    pub fn new(rules: &EgressRules) -> Result<Self, EgressError> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true)
            .timeout(CALL_MAX)
            .dns_resolver(Arc::new(Resolver { allow_private: rules.allow_private_address }))
            .user_agent(concat!("postern-gateway/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &rules.ca_pem {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(EgressError::Certificates)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(EgressError::Certificates)?;
        Ok(Self { client, allow_private: rules.allow_private_address })
    }

    /// The body of a document that has to be there.
    pub(super) async fn get(&self, url: &Url) -> Result<Vec<u8>, EgressError> {
        let request = http::Request::get(url.as_str()).header("accept", "application/json").body(Vec::new());
        let request = request.map_err(|_| EgressError::Address(url.clone()))?;
        let answer = self.send(request).await?;
        match answer.status().as_u16() {
            200 => Ok(answer.into_body()),
            status => Err(EgressError::Status(status)),
        }
    }

    /// One exchange, whatever the status.
    pub(super) async fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, EgressError> {
        let request = reqwest::Request::try_from(request).map_err(EgressError::Exchange)?;
        self.check(request.url())?;
        let mut answer = self.client.execute(request).await.map_err(exchange)?;
        let mut response = http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = answer.headers().clone();
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(exchange)? {
            if body.len().saturating_add(chunk.len()) > ANSWER_MAX {
                return Err(EgressError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        response.body(body).map_err(|_| EgressError::Status(0))
    }

    /// A literal address is never resolved, so the resolver does not see it.
    fn check(&self, url: &Url) -> Result<(), EgressError> {
        let is_plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) if is_plain => None,
            Some(Host::Domain(_)) | None => return Err(EgressError::Address(url.clone())),
        };
        match literal {
            _ if !is_plain => Err(EgressError::Address(url.clone())),
            Some(address) if !self.allow_private && !is_public(address) => {
                Err(EgressError::Private(address.to_string()))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl<'c> AsyncHttpClient<'c> for Egress {
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, EgressError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// The library's own words say only that something went wrong; the reason lies below.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The refusal of our resolver lies inside the error of the library.
fn exchange(error: reqwest::Error) -> EgressError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(PrivateAddress(name)) = inner.downcast_ref() {
            return EgressError::Private(name.clone());
        }
        cause = inner.source();
    }
    EgressError::Exchange(error)
}

/// Resolves, and refuses a name of which any address is private: what was checked is what is dialed.
#[derive(Debug)]
struct Resolver {
    allow_private: bool,
}

#[derive(Debug)]
struct PrivateAddress(String);

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} resolves to a private address", self.0)
    }
}

impl Error for PrivateAddress {}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let (name, allow_private) = (name.as_str().to_owned(), self.allow_private);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !allow_private && !found.iter().all(|address| is_public(address.ip())) {
                return Err(Box::new(PrivateAddress(name)) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Whether an address belongs to the public Internet (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_benchmark = a == 198 && (b == 18 || b == 19);
    let is_protocol = a == 192 && b == 0 && c == 0;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || is_shared
        || is_benchmark
        || is_protocol
        || a == 0
        || a >= 240)
}

/// Only 2000::/3 is handed out; in it lie ranges that carry an IPv4 address inside, or no host at all.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_handed_out = first & 0xe000 == 0x2000;
    let is_documentation = (first == 0x2001 && second == 0x0db8) || first == 0x3fff;
    let is_protocol = first == 0x2001 && second < 0x0200;
    let is_6to4 = first == 0x2002;
    is_handed_out && !is_documentation && !is_protocol && !is_6to4
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a11_only_addresses_of_the_public_internet_are_public() {
        for public in ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "192.0.0.8",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2002:7f00:1::",
            "ff02::1",
            "2001::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[tokio::test]
    async fn j13_a_provider_in_a_private_network_needs_to_be_allowed() {
        // Programs choose the provider of cryptography; here the test does.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let egress = Egress::new(&EgressRules::default()).unwrap();
        for private in
            ["https://127.0.0.1:1/", "https://[::1]:1/", "https://localhost:1/", "https://[::ffff:10.0.0.1]/"]
        {
            let answer = egress.get(&private.parse().unwrap()).await;
            let error = answer.unwrap_err();
            assert!(matches!(error, EgressError::Private(_)), "{private}: {error:?}");
            assert!(error.to_string().contains("allow_private_address"), "{error}");
        }
        for odd in
            ["http://example.com/", "https://u:p@example.com/", "ftp://example.com/", "file:///etc/passwd"]
        {
            let answer = egress.get(&odd.parse().unwrap()).await;
            assert!(answer.is_err(), "{odd}");
        }
    }
}
