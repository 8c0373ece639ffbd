//! Keys that are none: what examples, zeroed files and typed words look like. A random key looks like none of these but
//! once in 10^13.

use std::fmt;

/// Of 32 random bytes about 30 differ; hexadecimal digits, a short text said twice and a file of zeros have no more than this.
const DIFFERENT_MIN: usize = 17;

/// Keys of standards' examples, which people copy.
const PUBLISHED: [[u8; 32]; 1] = [
    // NIST SP 800-38A, appendix F, the AES-256 key of every example.
    [
        0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77, 0x81, 0x1f,
        0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4,
    ],
];

/// What gives a key away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It stands in a public document.
    Published,
    /// Few different bytes, over and over: zeros, one letter, hexadecimal digits.
    Repeats,
    /// Each byte is as far from the next: 0, 1, 2, 3 …
    Counts,
    /// It is text: a password, or an example's words.
    Text,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Published => "it is an example of a public document",
            Self::Repeats => "a few bytes repeat themselves",
            Self::Counts => "its bytes count up or down",
            Self::Text => "it is text that somebody typed",
        })
    }
}

/// Why this key is none, if it is none.
pub(super) fn weakness(key: &[u8; 32]) -> Option<Weakness> {
    if PUBLISHED.contains(key) {
        return Some(Weakness::Published);
    }
    if different(key) < DIFFERENT_MIN {
        return Some(Weakness::Repeats);
    }
    let mut steps = key.iter().zip(key.iter().skip(1)).map(|(one, next)| next.wrapping_sub(*one));
    let first = steps.next();
    if steps.all(|step| Some(step) == first) {
        return Some(Weakness::Counts);
    }
    key.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ').then_some(Weakness::Text)
}

fn different(key: &[u8; 32]) -> usize {
    let mut bytes = *key;
    bytes.sort_unstable();
    bytes.chunk_by(|one, next| one == next).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j15_keys_that_others_know_or_guess_are_told_apart_from_random_ones() {
        let counting = std::array::from_fn(|i| u8::try_from(i).unwrap_or_default());
        let down = std::array::from_fn(|i| 0x9f - u8::try_from(i).unwrap_or_default());
        for (key, found) in [
            ([0; 32], Weakness::Repeats),
            ([0xff; 32], Weakness::Repeats),
            (*b"0123456789abcdef0123456789abcdef", Weakness::Repeats),
            (*b"change-me-change-me-change-me-ch", Weakness::Repeats),
            (*b"The quick brown fox jumps over a", Weakness::Text),
            (counting, Weakness::Counts),
            (down, Weakness::Counts),
            (PUBLISHED[0], Weakness::Published),
        ] {
            assert_eq!(weakness(&key), Some(found), "{key:02x?}");
        }
        for _ in 0..10_000 {
            let key = rand::random();
            assert_eq!(weakness(&key), None, "{key:02x?}");
        }
    }
}
