//! Why a request is not taken: one closed list, with the status that the peer sees and the word for the audit.

/// A request that is refused before anybody is asked who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// The length of the body can be read in two ways, or not at all (RFC 9112 section 6.3).
    #[error("the length of the request's body is ambiguous")]
    Framing,
    /// A line does not end in CRLF, is folded, or holds a control character (RFC 9112 sections 2.2 and 5).
    #[error("the request's head is malformed")]
    Head,
    /// The head is longer than [`crate::HEAD_MAX`], or has more than 100 fields.
    #[error("the request's head is too large")]
    HeadTooLarge,
    /// The target is longer than [`crate::TARGET_MAX`].
    #[error("the request's target is too long")]
    TargetTooLong,
    /// The target has a form that this method does not have, or a fragment.
    #[error("the request's target is malformed")]
    Target,
    /// The host is missing, given twice, or no host name.
    #[error("the request's host is invalid")]
    Host,
    /// The authority of the target is not the host.
    #[error("the request's target and its host disagree")]
    AuthorityMismatch,
    /// The path can be read in two ways, on a route that is decided by paths.
    #[error("the request's path is ambiguous")]
    PathAmbiguous,
    /// `CONNECT` and `TRACE` are for nobody here.
    #[error("the method is not allowed")]
    Method,
    /// A header that is ours, or may be taken for ours, in a form that cannot simply be dropped.
    #[error("a header that is reserved here is nominated or disguised")]
    ReservedHeader,
    /// The expectation is not `100-continue`.
    #[error("the expectation cannot be met")]
    Expectation,
    /// One of our cookies came more than once.
    #[error("a cookie was given more than once")]
    CookieAmbiguous,
    /// Another protocol version than HTTP/1.0, HTTP/1.1 or HTTP/2.
    #[error("the protocol version is not supported")]
    Version,
}

impl Refused {
    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Framing
            | Self::Head
            | Self::Target
            | Self::Host
            | Self::AuthorityMismatch
            | Self::PathAmbiguous
            | Self::ReservedHeader
            | Self::CookieAmbiguous => 400,
            Self::Method => 405,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLarge => 431,
            Self::Version => 505,
        }
    }

    /// The word for logs, metrics and the audit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Framing => "framing",
            Self::Head => "head_malformed",
            Self::HeadTooLarge => "head_too_large",
            Self::TargetTooLong => "target_too_long",
            Self::Target => "target_malformed",
            Self::Host => "host_invalid",
            Self::AuthorityMismatch => "authority_mismatch",
            Self::PathAmbiguous => "path_ambiguous",
            Self::Method => "method_not_allowed",
            Self::ReservedHeader => "reserved_header",
            Self::Expectation => "expectation",
            Self::CookieAmbiguous => "cookie_ambiguous",
            Self::Version => "version",
        }
    }
}
