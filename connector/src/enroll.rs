//! Enrolment: the token's secret buys one registration of our public key; from then on only the key counts.

use crate::{
    cli::TokenSource,
    http_client::{CallError, post_json},
    identity::{Enrolled, IdentityError, StateDir, sha256_text, trust},
    status::machine_now,
};
use postern_ids::Name;
use postern_token::{EnrollReply, EnrollRequest, EnrolmentToken, EnrolmentTokenError};
use postern_tunnel_io::Proxy;
use std::{
    fs, io,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use url::Url;
use zeroize::Zeroizing;

/// A token is at most a few hundred bytes.
const TOKEN_FILE_MAX_BYTES: u64 = 16 * 1024;
/// The mode bits of accounts that share nothing with the owner; a group may be how a secret is given to a container.
const OPEN_TO_ALL: u32 = 0o007;

/// The environment variable that may hold the token itself.
pub const TOKEN_VARIABLE: &str = "POSTERN_TOKEN";

/// Why there is no enrolment.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// No token was named.
    #[error("no enrolment token: give --token-file FILE (or - for standard input), or set {TOKEN_VARIABLE}")]
    NoToken,
    /// The token file cannot be read.
    #[error("the token file {path} cannot be read: {source}")]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everybody on this machine may take it.
    #[error(
        "the token file {path} is open to every account (mode {mode:04o}), and whoever has the token may register; run: chmod 600 {path}"
    )]
    TokenFileOpen {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What was read is no token.
    #[error(transparent)]
    Token(#[from] EnrolmentTokenError),
    /// The token's URL is no URL.
    #[error("the enrolment token names no usable gateway URL")]
    Url,
    /// One of the addresses that the gateway told of is none.
    #[error(
        "the gateway says that it is reached at {0:?}, which is no URL: correct `gateways` in its configuration"
    )]
    Gateways(String),
    /// The state directory.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The gateway.
    #[error("enrolment failed: {0}")]
    Call(#[from] CallError),
}

impl EnrollError {
    /// Whether the same call may succeed later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Call(CallError::Refused { status, .. }) => {
                status.is_server_error() || *status == http::StatusCode::TOO_MANY_REQUESTS
            }
            Self::Call(call) => !matches!(call, CallError::Answer(_)),
            Self::NoToken
            | Self::TokenFile { .. }
            | Self::TokenFileOpen { .. }
            | Self::Token(_)
            | Self::Url
            | Self::Gateways(_)
            | Self::Identity(_) => false,
        }
    }
}

/// The token that `source` or the environment names.
pub fn read_token(source: &TokenSource, configured: Option<&Path>) -> Result<EnrolmentToken, EnrollError> {
    let text = match source.token_file.as_deref().or(configured) {
        Some(path) => read_token_file(path)?,
        None => std::env::var(TOKEN_VARIABLE).map(Zeroizing::new).map_err(|_| EnrollError::NoToken)?,
    };
    Ok(text.trim().parse()?)
}

fn read_token_file(path: &Path) -> Result<Zeroizing<String>, EnrollError> {
    let mut text = Zeroizing::new(String::new());
    let unread = |source| EnrollError::TokenFile { path: path.to_path_buf(), source };
    if path == Path::new("-") {
        io::stdin().take(TOKEN_FILE_MAX_BYTES).read_to_string(&mut text).map_err(unread)?;
        return Ok(text);
    }
    let file = fs::File::open(path).map_err(unread)?;
    let found = file.metadata().map_err(unread)?;
    let mode = found.permissions().mode() & 0o7777;
    if found.is_file() && mode & OPEN_TO_ALL != 0 {
        return Err(EnrollError::TokenFileOpen { path: path.to_path_buf(), mode });
    }
    file.take(TOKEN_FILE_MAX_BYTES).read_to_string(&mut text).map_err(unread)?;
    Ok(text)
}

/// Registers this connector's key and keeps what the gateway says.
pub async fn enroll(
    token: &EnrolmentToken,
    name: Option<Name>,
    ca_files: &[PathBuf],
    state: &StateDir,
) -> Result<Enrolled, EnrollError> {
    let gateway: Url = token.url.parse().map_err(|_| EnrollError::Url)?;
    let key = state.key()?;
    let request = EnrollRequest {
        secret: token.secret.reveal().to_owned(),
        public_key: key.verifying().to_jwk(),
        name,
    };
    let mut url = gateway.clone();
    url.set_path("/api/v1/enroll");
    let trust = trust(token.ca_sha256, ca_files);
    let reply: EnrollReply = post_json(&url, &request, &trust, &Proxy::from_env()).await?;
    let enrolled = Enrolled {
        connector: reply.connector,
        name: reply.name,
        site: reply.site,
        issuer: reply.issuer,
        gateways: learned(reply.gateways, gateway)?,
        ca_sha256: token.ca_sha256.as_ref().map(sha256_text),
        grant_keys: reply.grant_keys,
        enrolled_at: machine_now(),
    };
    state.keep(&enrolled)?;
    Ok(enrolled)
}

/// The addresses that the gateway told of; those of an older one are the address that was asked.
fn learned(told: Vec<String>, asked: Url) -> Result<Vec<Url>, EnrollError> {
    if told.is_empty() {
        return Ok(vec![asked]);
    }
    told.into_iter().map(|text| text.parse().map_err(|_| EnrollError::Gateways(text))).collect()
}
