//! The tokens of a sign-in.

use super::Home;
use crate::failure::Failure;
use postern_api::oauth::TokenReply;
use postern_ids::Timestamp;
use postern_private_file as private_file;
use serde::{Deserialize, Serialize};
use std::{fmt, fs, io, time::Duration};
use zeroize::Zeroize;

const FILE: &str = "tokens.json";

/// A token this close to its end is not used any more: the request has to arrive while it is good.
const MARGIN: Duration = Duration::from_secs(20);

/// An access token with the refresh token that gets the next one. Times are by this machine's clock.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// The gateway that issued them; they are sent nowhere else.
    pub gateway: String,
    /// The bearer token.
    pub access_token: String,
    /// Gets the next pair.
    pub refresh_token: String,
    /// When they came.
    pub obtained_at: Timestamp,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

impl Tokens {
    /// What the token endpoint answered.
    pub fn from_reply(reply: TokenReply, gateway: &str, now: Timestamp) -> Self {
        Self {
            gateway: gateway.to_owned(),
            access_token: reply.access_token,
            refresh_token: reply.refresh_token,
            obtained_at: now,
            expires_at: now.plus(Duration::from_secs(reply.expires_in)),
        }
    }

    /// The kept tokens of this gateway; nothing if nobody is signed in there.
    pub fn load(home: &Home, gateway: &str) -> Result<Option<Self>, Failure> {
        let Some(mut text) = private_file::read(&home.file(FILE))? else { return Ok(None) };
        let tokens: Option<Self> = serde_json::from_slice(&text).ok();
        text.zeroize();
        Ok(tokens.filter(|tokens| tokens.gateway == gateway))
    }

    /// Keeps them.
    pub fn save(&self, home: &Home) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(self).map_err(|e| Failure::usage(e.to_string()))?;
        let saved = private_file::write(&home.file(FILE), &text);
        text.zeroize();
        Ok(saved?)
    }

    /// Forgets them.
    pub fn remove(home: &Home) -> Result<(), Failure> {
        match fs::remove_file(home.file(FILE)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Failure::usage(format!("the tokens could not be removed: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether the access token may still be used.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        // A clock that was set back makes the token's age meaningless; a refresh settles it.
        now >= self.obtained_at.minus(MARGIN) && now.plus(MARGIN) < self.expires_at
    }

    /// Whether half of the access token's life is over.
    pub fn is_past_half_life(&self, now: Timestamp) -> bool {
        now.since(self.obtained_at) > self.expires_at.since(self.obtained_at) / 2
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("gateway", &self.gateway)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn tokens() -> Tokens {
        let reply = TokenReply {
            access_token: "secret-access".into(),
            token_type: "Bearer".into(),
            expires_in: 900,
            refresh_token: "secret-refresh".into(),
            gateways: Vec::new(),
        };
        Tokens::from_reply(reply, "https://gw.example/", Timestamp::from_secs(1_000))
    }

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(Some(&dir.path().join("state"))).unwrap();
        (dir, home)
    }

    #[test]
    fn o13_tokens_lie_in_a_0600_file_in_a_0700_directory() {
        let (_dir, home) = home();
        tokens().save(&home).unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home.file(FILE)), 0o600);
        assert_eq!(mode(home.dir()), 0o700);
        assert_eq!(Tokens::load(&home, "https://gw.example/").unwrap(), Some(tokens()));
    }

    #[test]
    fn o13_a_linked_or_readable_token_file_is_refused() {
        let (dir, home) = home();
        tokens().save(&home).unwrap();
        fs::set_permissions(home.file(FILE), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Tokens::load(&home, "https://gw.example/").unwrap_err().sentence.contains("chmod 600"));
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(home.file(FILE), &elsewhere).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&elsewhere, home.file(FILE)).unwrap();
        assert!(Tokens::load(&home, "https://gw.example/").is_err());
    }

    #[test]
    fn o13_tokens_go_to_no_other_gateway_and_into_no_log() {
        let (_dir, home) = home();
        tokens().save(&home).unwrap();
        assert_eq!(Tokens::load(&home, "https://evil.example/").unwrap(), None);
        assert!(!format!("{:?}", tokens()).contains("secret"));
    }

    #[test]
    fn tokens_age() {
        let tokens = tokens();
        let at = Timestamp::from_secs;
        assert!(tokens.is_fresh(at(1_000)) && !tokens.is_past_half_life(at(1_000)));
        assert!(tokens.is_fresh(at(1_500)) && tokens.is_past_half_life(at(1_500)));
        assert!(!tokens.is_fresh(at(1_890)), "too close to its end");
        assert!(!tokens.is_fresh(at(500)), "the clock was set back");
    }
}
