//! The closed list of algorithms.

/// The two algorithms that this project signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alg {
    /// ECDSA on P-256 with SHA-256: access tokens, for verifiers that know no Ed25519.
    Es256,
    /// Ed25519: everything between our own programs.
    EdDsa,
}

impl Alg {
    /// The name in a token's header (RFC 7518, RFC 8037).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}
