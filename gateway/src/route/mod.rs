//! Where a request of the public port goes: by its host to an application; else the two tunnel paths, and everything else
//! to our own pages and API.

mod problem;
mod tunnel;
mod upgrade;

pub use tunnel::Tunnel;

use crate::{
    ingress::browser::BrowserIngress,
    listen::{Client, Handler},
};
use axum::body::Body;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use postern_canonical::{CanonicalRequest, Host, Refused};
use postern_web::ClientAddr;
use std::{net::Ipv4Addr, sync::Arc};
use tower::ServiceExt;
use url::Url;

/// The request target that is looked at; browsers and our own programs stay far below (H17).
const URI_MAX: usize = 8 * 1024;
/// All names and values of a request's head (H17).
const HEADERS_MAX: usize = 32 * 1024;

/// The router of the public port.
#[derive(Clone)]
pub struct Router {
    tunnel: Arc<Tunnel>,
    browser: Arc<BrowserIngress>,
    web: axum::Router,
    /// The names at which our own pages are.
    own: Arc<[Box<str>]>,
}

impl Router {
    /// Hosts of applications to `browser`, tunnels to `tunnel`, everything else at the hosts of `urls` to `web`.
    pub fn new(
        tunnel: Arc<Tunnel>,
        browser: Arc<BrowserIngress>,
        web: axum::Router,
        urls: impl IntoIterator<Item = Url>,
    ) -> Self {
        let own = urls.into_iter().filter_map(|url| url.host_str().map(Into::into)).collect();
        Self { tunnel, browser, web, own }
    }

    /// Whether our own pages are at this host. By an address they are: it is nobody's name, so no name that somebody points
    /// here can pass for it.
    fn is_own(&self, host: &Host) -> bool {
        let is_address = host.name().starts_with('[') || host.name().parse::<Ipv4Addr>().is_ok();
        is_address || self.own.iter().any(|own| **own == *host.name())
    }
}

impl Handler for Router {
    async fn handle(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        if let Err(status) = check_size(&request) {
            return problem::bare(status);
        }
        let canonical = match CanonicalRequest::read(request.method(), request.uri(), request.headers()) {
            Ok(canonical) => canonical,
            Err(refused) => return problem::refused(refused),
        };
        if client.is_misdirected(canonical.host()) {
            return problem::misdirected();
        }
        if let Some(found) = self.browser.find(&canonical) {
            return Box::pin(self.browser.serve(request, (canonical, found), client)).await;
        }
        match request.uri().path() {
            "/tunnel/connector" => Box::pin(self.tunnel.connector(request, client)).await,
            "/tunnel/client" => Box::pin(self.tunnel.client(request, client)).await,
            _ if self.is_own(canonical.host()) => Box::pin(self.page(request, client)).await,
            _ => problem::no_such_host(),
        }
    }

    fn refuse(&self, refused: Refused) -> Response<Body> {
        problem::refused(refused)
    }
}

impl Router {
    async fn page(&self, mut request: Request<Incoming>, client: Client) -> Response<Body> {
        request.extensions_mut().insert(ClientAddr(client.address));
        let Ok(response) = self.web.clone().oneshot(request.map(Body::new)).await;
        response
    }
}

fn check_size<B>(request: &Request<B>) -> Result<(), StatusCode> {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > URI_MAX {
        return Err(StatusCode::URI_TOO_LONG);
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > HEADERS_MAX { Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) } else { Ok(()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn h17_a_head_or_target_above_its_limit_is_refused() {
        let request = |uri: String, header: usize| {
            Request::builder().uri(uri).header("x-long", "v".repeat(header)).body(()).unwrap()
        };
        assert_eq!(check_size(&request("/".into(), 10)), Ok(()));
        assert_eq!(
            check_size(&request(format!("/{}", "a".repeat(URI_MAX)), 10)),
            Err(StatusCode::URI_TOO_LONG)
        );
        let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        assert_eq!(check_size(&request("/".into(), HEADERS_MAX)), Err(too_large));
    }
}
