//! What an application's host asks our own host for.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_ids::Timestamp;
use postern_store::Store;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const PURPOSE: &str = "hand_over_request";

/// How long a person may take to sign in.
const LASTS: Duration = Duration::from_secs(3600);

/// How far the clock of another gateway may be ahead of ours.
const SKEW: Duration = Duration::from_secs(30);

/// The longest path and query that is kept across a sign-in.
const NEXT_MAX: usize = 4096;

/// The longest sealed request: with the path of the page, its address stays below what the gateway accepts.
pub(crate) const SEALED_MAX: usize = 7 * 1024;

/// A hand-over that an application's host asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The application's host, with its port if it has one, in canonical form.
    pub host: String,
    /// Where the person wants to go there: path and query.
    pub next: String,
    /// The hash of the browser's pre-cookie at that host.
    pub binding: [u8; 32],
    /// Further hosts to hand over to.
    pub also: Vec<String>,
    /// What is asked of the sign-in beyond being one.
    pub step_up: Option<StepUp>,
}

/// A fresher or stronger sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepUp {
    /// The person proved who they are at most so long ago.
    pub max_age: Option<Duration>,
    /// They proved it in this way, a word of their provider (`acr`).
    pub acr: Option<String>,
    /// They proved it with a second factor.
    pub mfa: bool,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    host: String,
    next: String,
    binding: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step_up: Option<StepUp>,
    at: i64,
}

impl Asked {
    pub(super) fn seal(&self, store: &Store, issuer: &str, now: Timestamp) -> String {
        let seal = |next: &str| {
            let sealed = Sealed {
                host: self.host.clone(),
                next: next.to_owned(),
                binding: URL_SAFE_NO_PAD.encode(self.binding),
                also: self.also.clone(),
                step_up: self.step_up.clone(),
                at: now.as_secs(),
            };
            let json = serde_json::to_vec(&sealed).expect("texts and numbers are JSON");
            store.seal_for(PURPOSE, issuer, &json)
        };
        let sealed = seal(Some(self.next.as_str()).filter(|next| is_own_path(next)).unwrap_or("/"));
        if sealed.len() <= SEALED_MAX { sealed } else { seal("/") }
    }

    pub(super) fn open(store: &Store, issuer: &str, request: &str, now: Timestamp) -> Option<Self> {
        let sealed: Sealed = serde_json::from_slice(&store.open_for(PURPOSE, issuer, request)?).ok()?;
        let at = Timestamp::from_secs(sealed.at);
        if now.since(at) > LASTS || at > now.plus(SKEW) {
            return None;
        }
        Some(Self {
            host: sealed.host,
            next: sealed.next,
            binding: URL_SAFE_NO_PAD.decode(sealed.binding).ok()?.try_into().ok()?,
            also: sealed.also,
            step_up: sealed.step_up,
        })
    }
}

/// A path and query that leads nowhere but to its own host, wherever a browser meets it.
fn is_own_path(next: &str) -> bool {
    let bytes = next.as_bytes();
    let leads_away = matches!(bytes.get(1), Some(b'/' | b'\\'));
    bytes.first() == Some(&b'/')
        && !leads_away
        && bytes.len() <= NEXT_MAX
        && bytes.iter().all(u8::is_ascii_graphic)
}
