//! The code that ends a hand-over: who signed in, for whom it is, and where they wanted to go.

use super::Asked;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_ids::{SignInId, Timestamp, UserId};
use postern_store::Store;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use subtle::ConstantTimeEq;

const PURPOSE: &str = "hand_over_code";

/// The browser follows at once (O15).
pub(super) const LASTS: Duration = Duration::from_secs(30);

/// How far the clock of another gateway may be ahead of ours.
pub(super) const SKEW: Duration = Duration::from_secs(5);

/// Who arrived at an application's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// With which sign-in.
    pub sign_in: SignInId,
    /// Who.
    pub user: UserId,
    /// Where they wanted to go: path and query at this host.
    pub next: String,
    /// Further hosts to hand over to.
    pub also: Vec<String>,
}

/// Why a code is not redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandOverInvalid {
    /// It is not one of ours, or not for this host.
    #[error("the code is not one of this gateway's for this host")]
    Foreign,
    /// It came too late.
    #[error("the code has expired")]
    Late,
    /// Another browser asked for it.
    #[error("the code belongs to another browser")]
    OtherBrowser,
    /// It was redeemed before.
    #[error("the code was used before")]
    Used,
    /// More codes are under way than are remembered.
    #[error("too many people arrive at once")]
    Busy,
}

impl HandOverInvalid {
    /// The word for logs and the audit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Foreign => "handoff_foreign",
            Self::Late => "handoff_expired",
            Self::OtherBrowser => "handoff_other_browser",
            Self::Used => "handoff_used",
            Self::Busy => "handoff_busy",
        }
    }
}

/// What a code says.
#[derive(Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) id: u128,
    sign_in: SignInId,
    user: UserId,
    binding: String,
    next: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<String>,
    at: i64,
}

impl Code {
    pub(super) fn new(asked: &Asked, sign_in: SignInId, user: UserId, now: Timestamp) -> Self {
        Self {
            id: rand::random(),
            sign_in,
            user,
            binding: URL_SAFE_NO_PAD.encode(asked.binding),
            next: asked.next.clone(),
            also: asked.also.clone(),
            at: now.as_micros(),
        }
    }

    pub(super) fn seal(&self, store: &Store, host: &str) -> String {
        let json = serde_json::to_vec(self).expect("texts and numbers are JSON");
        store.seal_for(PURPOSE, host, &json)
    }

    pub(super) fn open(store: &Store, host: &str, code: &str) -> Option<Self> {
        serde_json::from_slice(&store.open_for(PURPOSE, host, code)?).ok()
    }

    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        let at = Timestamp::from_micros(self.at);
        now.since(at) <= LASTS && at <= now.plus(SKEW)
    }

    pub(super) fn check(&self, binding: &[u8; 32], now: Timestamp) -> Result<(), HandOverInvalid> {
        if !self.is_fresh(now) {
            return Err(HandOverInvalid::Late);
        }
        let wanted = URL_SAFE_NO_PAD.encode(binding);
        let same = bool::from(self.binding.as_bytes().ct_eq(wanted.as_bytes()));
        if same { Ok(()) } else { Err(HandOverInvalid::OtherBrowser) }
    }

    pub(super) fn arrived(self) -> Arrived {
        Arrived { sign_in: self.sign_in, user: self.user, next: self.next, also: self.also }
    }
}
