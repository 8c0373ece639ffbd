//! Secrets that mean nothing by themselves: 256 random bits with a prefix that says what they are for and a checksum
//! that catches a typing error or a truncated paste before anything is looked up.
//!
//! The store keeps only [`Opaque::hash`]. Looking a token up by its hash leaks nothing about how near a guess was.

use crate::b64;
use aws_lc_rs::digest;
use std::fmt;
use zeroize::Zeroizing;

/// What an opaque token is for. A token of one kind is never looked up as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpaqueKind {
    /// A service account's bearer token.
    ServiceAccount,
    /// A person's token for one application.
    Application,
    /// An OAuth refresh token.
    Refresh,
    /// The token that makes the first owner.
    Bootstrap,
    /// The device code of RFC 8628.
    DeviceCode,
    /// An OAuth authorization code.
    AuthorizationCode,
    /// The secret inside an enrolment token.
    Enrolment,
    /// The value of the sign-in cookie.
    Cookie,
    /// The value that binds a form to the browser it was sent to.
    Form,
}

impl OpaqueKind {
    const ALL: [Self; 9] = [
        Self::ServiceAccount,
        Self::Application,
        Self::Refresh,
        Self::Bootstrap,
        Self::DeviceCode,
        Self::AuthorizationCode,
        Self::Enrolment,
        Self::Cookie,
        Self::Form,
    ];

    /// The text that tokens of this kind start with. Those that are shown as `Authorization` begin with [`SHOWN_PREFIX`], so
    /// that an application's own tokens are never taken for ours.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ServiceAccount => SHOWN_PREFIX,
            Self::Application => "pst_app_",
            Self::Refresh => "psr_",
            Self::Bootstrap => "psb_",
            Self::DeviceCode => "psd_",
            Self::AuthorizationCode => "psc_",
            Self::Enrolment => "psn_",
            Self::Cookie => "psk_",
            Self::Form => "psf_",
        }
    }
}

/// What every token begins with that may come as `Authorization` of a request for somebody else's server.
pub const SHOWN_PREFIX: &str = "pst_";

const SECRET_LEN: usize = 43;
const CHECK_LEN: usize = 6;

/// An opaque token. It prints as its kind only.
#[derive(Clone)]
pub struct Opaque {
    kind: OpaqueKind,
    text: Zeroizing<String>,
}

impl Opaque {
    /// The token of this kind over 256 bits of the caller's randomness.
    pub fn from_entropy(kind: OpaqueKind, entropy: [u8; 32]) -> Self {
        let entropy = Zeroizing::new(entropy);
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + SECRET_LEN + CHECK_LEN));
        text.push_str(kind.prefix());
        text.push_str(&Zeroizing::new(b64::encode(entropy.as_slice())));
        let check = checksum(&text);
        text.push_str(&check);
        Self { kind, text }
    }

    /// Reads text of exactly this shape; anything truncated, extended or mistyped is nothing.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        // The length decides between kinds of which one's prefix begins the other's.
        let whole = |kind: &OpaqueKind| kind.prefix().len() + SECRET_LEN + CHECK_LEN == text.len();
        let is_of = |kind: &OpaqueKind| whole(kind) && text.starts_with(kind.prefix());
        let kind = OpaqueKind::ALL.into_iter().find(is_of)?;
        let (body, check) = text.split_at(text.len() - CHECK_LEN);
        let _: [u8; 32] = b64::decode_array(body.get(kind.prefix().len()..)?)?;
        (checksum(body) == check).then(|| Self { kind, text: Zeroizing::new(text.to_owned()) })
    }

    /// Reads a token of one kind.
    pub fn parse_as(kind: OpaqueKind, text: &str) -> Option<Self> {
        Self::parse(text).filter(|token| token.kind == kind)
    }

    /// What the token is for.
    pub fn kind(&self) -> OpaqueKind {
        self.kind
    }

    /// The secret text, for the one who is to hold it.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// SHA-256 over the whole text: the only form that is stored.
    pub fn hash(&self) -> [u8; 32] {
        hash(self.text.as_bytes())
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({:?})", self.kind)
    }
}

/// SHA-256, for values that are stored only as a hash.
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

fn checksum(body: &str) -> String {
    b64::encode(crc32fast::hash(body.as_bytes()).to_be_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_form() {
        for kind in OpaqueKind::ALL {
            let token = Opaque::from_entropy(kind, [9; 32]);
            let again = Opaque::parse(token.reveal()).unwrap();
            assert_eq!((again.kind(), again.hash()), (kind, token.hash()));
        }
    }

    #[test]
    fn tokens_of_two_kinds_over_the_same_randomness_have_nothing_in_common() {
        let refresh = Opaque::from_entropy(OpaqueKind::Refresh, [9; 32]);
        assert!(Opaque::parse_as(OpaqueKind::ServiceAccount, refresh.reveal()).is_none());
        assert_ne!(refresh.hash(), Opaque::from_entropy(OpaqueKind::Cookie, [9; 32]).hash());
        let application = Opaque::from_entropy(OpaqueKind::Application, [9; 32]);
        assert!(Opaque::parse_as(OpaqueKind::ServiceAccount, application.reveal()).is_none());
        assert!(application.reveal().starts_with(OpaqueKind::ServiceAccount.prefix()));
    }

    #[test]
    fn a_token_prints_only_its_kind() {
        assert_eq!(format!("{:?}", Opaque::from_entropy(OpaqueKind::Refresh, [9; 32])), "Opaque(Refresh)");
    }
}
