//! The client's address as an extractor.

use crate::{ClientAddr, WebState, problem::Failure};
use axum::{extract::FromRequestParts, http::request::Parts};
use std::net::IpAddr;

/// The address that the gateway resolved.
pub(crate) struct Client(pub(crate) IpAddr);

impl FromRequestParts<WebState> for Client {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &WebState) -> Result<Self, Failure> {
        // Nothing is counted against "somewhere": a request without an address is the gateway's own mistake.
        let resolved = parts.extensions.get::<ClientAddr>().copied();
        resolved.map(|ClientAddr(address)| Self(address)).ok_or_else(Failure::internal)
    }
}
