//! Text of a peer, made safe to show.

use super::TEXT_MAX;

/// A peer's text as it may go into a log line or on a terminal: at most 256 bytes of it, without control characters.
pub fn text(bytes: &[u8]) -> String {
    let bytes = bytes.get(..TEXT_MAX).unwrap_or(bytes);
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() || is_invisible(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// Characters that reorder or hide what stands beside them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
