//! Keeps an assertion within its size, whatever a provider says of a person.

use super::{ASSERTION_MAX_BYTES, AssertionClaims};

/// The longest name in an assertion, in bytes.
const NAME_MAX: usize = 200;
/// The longest address that mail can be sent to (RFC 5321), in bytes.
const EMAIL_MAX: usize = 254;

/// Header, signature and dots of a token take 223 bytes; of what is left, base64 makes four of three.
const PAYLOAD_MAX: usize = (ASSERTION_MAX_BYTES - 256) / 4 * 3;

/// The name, shortened to whole characters.
pub(super) fn name(text: &str) -> String {
    let mut end = text.len().min(NAME_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

/// An address of a length that there can be; a part of one would be another one.
pub(super) fn email(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= EMAIL_MAX).then(|| text.to_owned())
}

/// The names of claims that only a peer's shape has.
const PEERS_NAMES: usize = 64;

/// The groups that fit beside everything else, and whether any had to stay out.
pub(super) fn groups(without: &AssertionClaims, groups: &[String]) -> (Vec<String>, bool) {
    let marked = AssertionClaims { groups_truncated: true, ..without.clone() };
    // The shapes for peers say the audience twice.
    let taken = json_len(&marked) + without.aud.len() + PEERS_NAMES;
    let mut left = PAYLOAD_MAX.saturating_sub(taken);
    let mut kept = Vec::with_capacity(groups.len());
    for group in groups {
        let size = json_len(group) + 1;
        if size > left {
            return (kept, true);
        }
        left -= size;
        kept.push(group.clone());
    }
    (kept, false)
}

fn json_len(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(PAYLOAD_MAX, |json| json.len())
}
