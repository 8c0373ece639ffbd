//! The words of OAuth 2.0 as the gateway speaks them to its own command (RFC 6749, 7009, 7636, 8252, 8414, 8628).

use serde::{Deserialize, Serialize};
use std::fmt;

/// The only client.
pub const CLIENT_ID: &str = "postern-cli";

/// The path of the command's loopback redirect: `http://127.0.0.1:PORT/callback` or `http://[::1]:PORT/callback`.
pub const REDIRECT_PATH: &str = "/callback";

/// The form field in which a device says what it is called; ours, beside those of RFC 8628.
pub const DEVICE_NAME_FIELD: &str = "device_name";

/// `grant_type` of an authorization code.
pub const GRANT_AUTHORIZATION_CODE: &str = "authorization_code";
/// `grant_type` of a refresh token.
pub const GRANT_REFRESH_TOKEN: &str = "refresh_token";
/// `grant_type` of a device code.
pub const GRANT_DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A successful answer of the token endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReply {
    /// The access token.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until the access token ends.
    pub expires_in: u64,
    /// The token that gets the next ones.
    pub refresh_token: String,
    /// Where a command may dial, in this order: the addresses of the installation's gateways. Ours, beside the standard's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
}

impl fmt::Debug for TokenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReply").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// An error of the token and device endpoints (RFC 6749 section 5.2, RFC 8628 section 3.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// The standard's word: `invalid_grant`, `authorization_pending`, `slow_down`, …
    pub error: String,
    /// A sentence for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error_description: String,
}

/// The answer of the device authorization endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAuthorizationReply {
    /// The secret that the command polls with.
    pub device_code: String,
    /// The code that a person types: `BCDF-GHJK`.
    pub user_code: String,
    /// Where to type it.
    pub verification_uri: String,
    /// The same with the code filled in.
    pub verification_uri_complete: String,
    /// Seconds until both codes end.
    pub expires_in: u64,
    /// Seconds to wait between polls.
    pub interval: u64,
}

impl fmt::Debug for DeviceAuthorizationReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorizationReply")
            .field("verification_uri", &self.verification_uri)
            .finish_non_exhaustive()
    }
}

/// What `/.well-known/oauth-authorization-server` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The issuer.
    pub issuer: String,
    /// Where the browser goes.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens become access tokens.
    pub token_endpoint: String,
    /// Where a headless command begins.
    pub device_authorization_endpoint: String,
    /// Where refresh tokens end.
    pub revocation_endpoint: String,
    /// The public keys of access tokens.
    pub jwks_uri: String,
    /// Always `code`.
    pub response_types_supported: Vec<String>,
    /// The three grant types.
    pub grant_types_supported: Vec<String>,
    /// Always `S256`.
    pub code_challenge_methods_supported: Vec<String>,
    /// Always `none`: the command is a public client.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 9207: the answer of the authorization endpoint names the issuer.
    pub authorization_response_iss_parameter_supported: bool,
}
