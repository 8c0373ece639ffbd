//! The outside of a JWS, before its signature is checked.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use std::time::Duration;

/// A provider's clock may be ahead of ours by this much (J8).
pub(super) const SKEW: Duration = Duration::from_secs(30);

/// What a JWS header says; looked at before its signature is checked, and believed for nothing but the choice of a key.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    #[serde(default)]
    pub(super) kid: Option<String>,
    #[serde(default)]
    pub(super) typ: Option<String>,
    #[serde(default)]
    pub(super) crit: Option<Value>,
}

pub(super) fn header_of(token: &str) -> Option<Header> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    serde_json::from_slice(&header).ok()
}

pub(super) fn payload_of(token: &str) -> Option<Map<String, Value>> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}
