//! What an application's cookie says: which sign-in, whose, since when.

use postern_ids::{SignInId, Timestamp, UserId};

const LEN: usize = 40;

/// A sign-in as it is known at an application's host. Whether it still lives is for the sign-in feed to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppCookie {
    /// Which sign-in.
    pub sign_in: SignInId,
    /// Whose.
    pub user: UserId,
    /// When the cookie was made.
    pub issued_at: Timestamp,
}

impl AppCookie {
    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let parts = self.sign_in.to_bytes().into_iter().chain(self.user.to_bytes());
        let parts = parts.chain(self.issued_at.as_micros().to_be_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sign_in, rest) = bytes.split_first_chunk::<16>()?;
        let (user, rest) = rest.split_first_chunk::<16>()?;
        let issued_at = i64::from_be_bytes(rest.try_into().ok()?);
        Some(Self {
            sign_in: SignInId::from_bytes(*sign_in),
            user: UserId::from_bytes(*user),
            issued_at: Timestamp::from_micros(issued_at),
        })
    }
}
