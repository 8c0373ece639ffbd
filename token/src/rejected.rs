//! Why a token was not accepted.

/// The one reason for which a token was refused. The label goes to the audit record, never to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejected {
    /// No algorithm, `none`, or something that is not a name of one.
    #[error("the token names no permitted algorithm")]
    AlgNotAllowed,
    /// The header names another algorithm than the one this key is bound to.
    #[error("the token's algorithm is not the one of its key")]
    AlgKeyMismatch,
    /// The pinned keys of the expected issuer hold no key of this name.
    #[error("the token is signed with a key that is not known here")]
    KidUnknown,
    /// The signature does not verify.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// The audience is missing, of the wrong shape, or not exactly the expected one.
    #[error("the token is meant for another audience")]
    AudInvalid,
    /// The issuer is missing, of the wrong shape, or not exactly the expected one.
    #[error("the token comes from another issuer")]
    IssInvalid,
    /// The `typ` header is missing or names another kind of token.
    #[error("the token is of another kind")]
    TypInvalid,
    /// The token's time is over.
    #[error("the token has expired")]
    Expired,
    /// The token's time has not come: its `nbf` or `iat` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A claim is missing, of the wrong type, out of range, or given twice.
    #[error("a claim of the token is malformed")]
    ClaimFormat,
    /// The header holds anything but `alg`, `typ` and `kid`, holds one twice, or this is an encrypted token.
    #[error("the token's header asks for something that is not supported")]
    UnsupportedHeader,
    /// The token is longer than the limit.
    #[error("the token is too large")]
    TooLarge,
    /// This is not a token at all.
    #[error("this is not a token")]
    Malformed,
}

impl Rejected {
    /// The word for logs, metrics and audit records.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AlgNotAllowed => "alg_not_allowed",
            Self::AlgKeyMismatch => "alg_key_mismatch",
            Self::KidUnknown => "kid_unknown",
            Self::BadSignature => "bad_signature",
            Self::AudInvalid => "aud_invalid",
            Self::IssInvalid => "iss_invalid",
            Self::TypInvalid => "typ_invalid",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::ClaimFormat => "claim_format",
            Self::UnsupportedHeader => "unsupported_header",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
        }
    }
}
