//! What stands behind `Authorization: Bearer`.

use postern_token::opaque::{Opaque, OpaqueKind};

/// A header value that carries no bearer credential of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `Bearer` and an access token or a token that begins with pst_")]
pub struct NotBearer;

/// A bearer credential, not yet checked against anything.
#[derive(Debug, Clone)]
pub enum Bearer<'a> {
    /// An access token, to be verified.
    Access(&'a str),
    /// A service account's token, to be looked up by its hash.
    ServiceAccount(Opaque),
}

impl<'a> Bearer<'a> {
    /// Reads the value of an `Authorization` header.
    pub fn parse(header: &'a str) -> Result<Self, NotBearer> {
        let (scheme, credential) = header.split_once(' ').ok_or(NotBearer)?;
        if !scheme.eq_ignore_ascii_case("Bearer") || credential.is_empty() || credential.contains(' ') {
            return Err(NotBearer);
        }
        if credential.starts_with(OpaqueKind::ServiceAccount.prefix()) {
            let token = Opaque::parse_as(OpaqueKind::ServiceAccount, credential).ok_or(NotBearer)?;
            return Ok(Self::ServiceAccount(token));
        }
        Ok(Self::Access(credential))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_token_is_whole_or_nothing() {
        let token = Opaque::from_entropy(OpaqueKind::ServiceAccount, [1; 32]);
        let good = format!("Bearer {}", token.reveal());
        assert!(
            matches!(Bearer::parse(&good), Ok(Bearer::ServiceAccount(read)) if read.hash() == token.hash())
        );
        assert!(Bearer::parse(&good[..good.len() - 1]).is_err());
        let refresh = Opaque::from_entropy(OpaqueKind::Refresh, [1; 32]);
        assert!(matches!(Bearer::parse(&format!("bearer {}", refresh.reveal())), Ok(Bearer::Access(_))));
    }

    #[test]
    fn other_schemes_and_shapes_are_refused() {
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "pst_x"] {
            assert!(Bearer::parse(bad).is_err(), "{bad:?}");
        }
    }
}
