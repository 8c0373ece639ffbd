//! The short code of RFC 8628 that a person carries from one screen to another.

use std::fmt;

/// Letters that are hard to confuse and make no words (RFC 8628 section 6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

const LETTERS: usize = 8;

/// Eight letters; shown as `BCDF-GHJK`, stored without the dash. 34 bits for ten minutes, with a limit on tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// A code from the caller's randomness.
    pub fn from_entropy(entropy: [u8; 16]) -> Self {
        // 2^128 is so far above 20^8 that the remainder favours no letter by any amount that counts.
        let mut value = u128::from_be_bytes(entropy);
        let letters = (0..LETTERS).map(|_| {
            let digit = usize::try_from(value % 20).unwrap_or(0);
            value /= 20;
            char::from(ALPHABET.get(digit).copied().unwrap_or(b'B'))
        });
        Self(letters.collect())
    }

    /// Reads what a person typed: case, spaces and dashes do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let letters: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '—' | '_'))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let known = letters.bytes().all(|byte| ALPHABET.contains(&byte));
        (letters.len() == LETTERS && known).then_some(Self(letters))
    }

    /// The eight letters, as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = self.0.split_at(LETTERS / 2);
        write!(f, "{left}-{right}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = UserCode::from_entropy([0xa7; 16]);
        let shown = code.to_string();
        assert_eq!(shown.len(), 9);
        for typed in
            [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), format!("  {}\n", code.as_str())]
        {
            assert_eq!(UserCode::parse(&typed), Some(code.clone()), "{typed:?}");
        }
    }

    #[test]
    fn what_is_no_code_is_not_read() {
        for bad in ["", "BCDF", "BCDF-GHJKL", "AEIO-UAEI", "BCDF-GHJ1", "'; DROP--", &"B".repeat(1000)] {
            assert_eq!(UserCode::parse(bad), None, "{bad:?}");
        }
    }
}
