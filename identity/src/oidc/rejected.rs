//! Why a sign-in at a provider came to nothing, as one word for the audit and one sentence for the person.

/// What was wrong with what came back from the browser or the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejected {
    /// The answer belongs to no sign-in that this browser began, or to one that is over (O1).
    #[error("the answer does not belong to a sign-in of this browser")]
    State,
    /// The answer names another issuer than the one that was asked, or none where it has to (RFC 9207, O4).
    #[error("the answer comes from another provider")]
    Issuer,
    /// The ID token was made for another sign-in (O2).
    #[error("the provider's token belongs to another sign-in")]
    Nonce,
    /// The ID token is not signed with a key of the provider, not for us, or not for this time.
    #[error("the provider's token cannot be believed")]
    Token,
    /// There is no ID token where there has to be one.
    #[error("the provider sent no token")]
    NoToken,
    /// The provider does not know the code, or no longer (O12).
    #[error("the provider refused the code")]
    Code,
    /// The provider ended the sign-in: `invalid_grant` at a refresh (O9).
    #[error("the provider has ended the sign-in")]
    Ended,
    /// The subject changed within one sign-in (O8).
    #[error("the provider speaks of another person than before")]
    Subject,
    /// The groups are needed and cannot be read (O7).
    #[error("the provider did not say which groups the person is in")]
    Groups,
    /// A claim has another shape than it must have.
    #[error("the provider's token has a malformed claim")]
    Claims,
    /// The sign-in is older or weaker than was asked for.
    #[error("the provider did not ask for a fresh or strong enough sign-in")]
    NotSteppedUp,
    /// The person or the provider said no.
    #[error("the provider did not sign the person in")]
    Denied,
    /// A logout token that is none (OpenID Connect Back-Channel Logout 1.0 section 2.6, O11).
    #[error("the logout token is invalid")]
    LogoutToken,
}

impl Rejected {
    /// The word for logs and the audit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::State => "state_invalid",
            Self::Issuer => "iss_mismatch",
            Self::Nonce => "nonce_mismatch",
            Self::Token => "id_token_invalid",
            Self::NoToken => "id_token_missing",
            Self::Code => "code_refused",
            Self::Ended => "ended_by_provider",
            Self::Subject => "subject_mismatch",
            Self::Groups => "groups_unresolved",
            Self::Claims => "claim_format",
            Self::NotSteppedUp => "step_up_refused",
            Self::Denied => "denied_by_provider",
            Self::LogoutToken => "logout_token_invalid",
        }
    }
}
