//! What the authorization server says about itself (RFC 8414), and its public keys.

use crate::WebState;
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use postern_api::oauth::{GRANT_AUTHORIZATION_CODE, GRANT_DEVICE_CODE, GRANT_REFRESH_TOKEN, Metadata};
use postern_token::VerifyingKey;
use serde_json::json;

pub(crate) async fn metadata(State(state): State<WebState>) -> Json<Metadata> {
    let at = |path: &str| format!("{}{path}", state.issuer());
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Json(Metadata {
        issuer: state.issuer().to_owned(),
        authorization_endpoint: at("/oauth/authorize"),
        token_endpoint: at("/oauth/token"),
        device_authorization_endpoint: at("/oauth/device_authorization"),
        revocation_endpoint: at("/oauth/revoke"),
        jwks_uri: at("/.well-known/jwks.json"),
        response_types_supported: words(&["code"]),
        grant_types_supported: words(&[GRANT_AUTHORIZATION_CODE, GRANT_REFRESH_TOKEN, GRANT_DEVICE_CODE]),
        code_challenge_methods_supported: words(&["S256"]),
        token_endpoint_auth_methods_supported: words(&["none"]),
        authorization_response_iss_parameter_supported: true,
    })
}

pub(crate) async fn jwks(State(state): State<WebState>) -> Response {
    let keys: Vec<_> = state.config().keys.keys().access_public().map(VerifyingKey::to_jwk).collect();
    // Keys are published two hours before they sign: five minutes in a cache harm nobody.
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(json!({ "keys": keys }))).into_response()
}
