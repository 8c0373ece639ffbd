//! What is accepted as a new password, and a password on its way to be checked.

use std::fmt;
use zeroize::Zeroizing;

/// A new password that is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too few characters.
    #[error("a password needs at least {} characters", Password::MIN_CHARS)]
    TooShort,
    /// Too many bytes.
    #[error("a password has at most {} bytes", Password::MAX_BYTES)]
    TooLong,
    /// It is, or contains little but, the user name.
    #[error("the password must not consist of the user name")]
    UserName,
    /// One or two characters repeated.
    #[error("the password repeats the same few characters")]
    Monotone,
}

/// A password. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The fewest characters of a new password (NIST SP 800-63B asks for eight, ASVS for twelve).
    pub const MIN_CHARS: usize = 12;
    /// The most bytes: hashing time does not depend on it, reading time does.
    pub const MAX_BYTES: usize = 1024;
    /// The fewest different characters: `aaaaaaaaaaaa` has one.
    const MIN_DISTINCT: usize = 4;

    /// A password that someone presents to be checked; whatever it is.
    pub fn presented(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// A new password for this user name. No rules about kinds of characters: length is what counts.
    pub fn new(text: String, user_name: &str) -> Result<Self, PasswordError> {
        let password = Self::presented(text);
        let text = password.0.as_str();
        if text.chars().count() < Self::MIN_CHARS {
            return Err(PasswordError::TooShort);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let mut distinct: Vec<char> = text.chars().collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < Self::MIN_DISTINCT {
            return Err(PasswordError::Monotone);
        }
        let without_name = text.to_lowercase().replace(&user_name.to_lowercase(), "");
        if !user_name.is_empty() && without_name.chars().count() < Self::MIN_CHARS / 2 {
            return Err(PasswordError::UserName);
        }
        Ok(password)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Result<(), PasswordError> {
        Password::new(text.to_owned(), "alice").map(drop)
    }

    #[test]
    fn a_new_password_is_long_and_varied_and_not_the_name() {
        assert_eq!(verdict("hunter2"), Err(PasswordError::TooShort));
        assert_eq!(verdict(&"ab".repeat(20)), Err(PasswordError::Monotone));
        assert_eq!(verdict("AliceAlice12"), Err(PasswordError::UserName));
        assert_eq!(verdict(&"abcdefgh".repeat(200)), Err(PasswordError::TooLong));
        assert_eq!(verdict("correct horse battery"), Ok(()));
        assert_eq!(verdict("пароль-из-слов"), Ok(()), "characters are counted, not bytes");
    }
}
