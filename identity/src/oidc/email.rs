//! An e-mail address as an attribute, read strictly: it may bind a pending user once, so it must not look like another.

use std::fmt;

/// The longest address (RFC 5321 section 4.5.3.1).
const ADDRESS_MAX: usize = 254;
const LOCAL_MAX: usize = 64;

/// A checked address in lower case: no mail system in use tells `A@x` from `a@x`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(Box<str>);

/// The text is no address, or one that could be taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the e-mail address is malformed")]
pub struct EmailRefused;

impl Email {
    /// Reads an address: ASCII, one `@`, no quotes, no comments, no spaces.
    pub fn parse(text: &str) -> Result<Self, EmailRefused> {
        let (local, domain) = text.split_once('@').ok_or(EmailRefused)?;
        let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
        let good_dots = |part: &str| !part.split('.').any(str::is_empty);
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_good = text.len() <= ADDRESS_MAX
            && !local.is_empty()
            && local.len() <= LOCAL_MAX
            && local.bytes().all(is_atom)
            && good_dots(local)
            && domain.contains('.')
            && domain.split('.').all(is_label);
        if is_good { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(EmailRefused) }
    }

    /// The address, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o06_an_address_has_one_reading() {
        let parse = |text: &str| Email::parse(text).ok().map(|email| email.to_string());
        assert_eq!(parse("Alice+work@Example.com").as_deref(), Some("alice+work@example.com"));
        for bad in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "a@good.com@evil.com",
            "alice@localhost",
            "a b@example.com",
            "alice@exa mple.com",
            "\"a\"@example.com",
            "alice@example..com",
            ".a@example.com",
            "a.@example.com",
            "alice@-a.com",
            "alice@ex\u{e4}mple.com",
            "al\u{131}ce@example.com",
            "alice@example.com\n",
            "alice@example.com\0",
            "<alice@example.com>",
            "alice@[127.0.0.1]",
            "alice@example.com,b@example.com",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
