//! Proof Key for Code Exchange (RFC 7636), S256 only.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

/// Why a challenge was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// Another method than S256, or none.
    #[error("code_challenge_method must be S256")]
    Method,
    /// Not the base64url of a SHA-256.
    #[error("code_challenge must be 43 characters of base64url")]
    Challenge,
}

/// A checked S256 challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// Reads what the client sent; a missing method means `plain` and is refused.
    pub fn parse(challenge: &str, method: Option<&str>) -> Result<Self, PkceError> {
        if method != Some("S256") {
            return Err(PkceError::Method);
        }
        let decoded = URL_SAFE_NO_PAD.decode(challenge).map_err(|_| PkceError::Challenge)?;
        if decoded.len() != 32 {
            return Err(PkceError::Challenge);
        }
        Ok(Self(challenge.to_owned()))
    }

    /// The text that was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this verifier belongs to the challenge.
    pub fn admits(&self, verifier: &str) -> bool {
        let in_shape = (43..=128).contains(&verifier.len())
            && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        in_shape && bool::from(challenge.as_bytes().ct_eq(self.0.as_bytes()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_standard_is_admitted_and_nothing_near_it() {
        let challenge = CodeChallenge::parse(CHALLENGE, Some("S256")).unwrap();
        assert!(challenge.admits(VERIFIER));
        assert!(!challenge.admits(&VERIFIER.to_lowercase()));
        assert!(!challenge.admits(CHALLENGE));
        assert!(!challenge.admits(""));
        assert!(!challenge.admits(&format!("{VERIFIER} ")));
    }

    #[test]
    fn plain_and_missing_methods_are_refused() {
        for method in [None, Some("plain"), Some("s256"), Some("")] {
            assert_eq!(CodeChallenge::parse(CHALLENGE, method), Err(PkceError::Method));
        }
        for challenge in ["", "abc", VERIFIER.get(1..).unwrap(), &"A".repeat(86)] {
            assert_eq!(CodeChallenge::parse(challenge, Some("S256")), Err(PkceError::Challenge));
        }
    }
}
