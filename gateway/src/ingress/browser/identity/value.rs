//! Text as the value of a header. Nothing that a provider says of a person can end a line or begin another header.

use http::HeaderValue;

/// The longest encoded word (RFC 2047 section 2).
const WORD_MAX: usize = 75;
const WORD_BEGINS: &str = "=?utf-8?q?";
const WORD_ENDS: &str = "?=";

/// ASCII as it is; anything else as encoded words of UTF-8 (RFC 2047, `Q`), as Tailscale does. Text that only looks like
/// an encoded word is encoded too, so that decoding always gives the text.
pub(super) fn ascii(text: &str) -> Option<HeaderValue> {
    let is_plain = |c: char| matches!(c, ' '..='~');
    if text.chars().all(is_plain) && !text.contains("=?") {
        return HeaderValue::from_str(text).ok();
    }
    HeaderValue::try_from(encoded_words(text)).ok()
}

fn encoded_words(text: &str) -> String {
    let room = WORD_MAX - WORD_BEGINS.len() - WORD_ENDS.len();
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let letter = letter(c);
        // A character is never cut in two.
        if word.len() + letter.len() > room {
            words.push(std::mem::take(&mut word));
        }
        word.push_str(&letter);
    }
    words.push(word);
    words.iter().map(|word| format!("{WORD_BEGINS}{word}{WORD_ENDS}")).collect::<Vec<_>>().join(" ")
}

fn letter(c: char) -> String {
    match c {
        ' ' => "_".to_owned(),
        '=' | '?' | '_' => format!("={:02X}", u32::from(c)),
        '!'..='~' => c.to_string(),
        other => {
            let mut bytes = [0; 4];
            other.encode_utf8(&mut bytes).bytes().map(|byte| format!("={byte:02X}")).collect()
        }
    }
}

/// UTF-8 as it is, as Pomerium, Cloudflare, oauth2-proxy and the servers that speak of `Remote-User` do; control characters
/// become spaces.
pub(super) fn utf8(text: &str) -> Option<HeaderValue> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    HeaderValue::from_bytes(text.trim().as_bytes()).ok()
}

/// Whether this can be an address, whoever says so: one word with an `@`, and nothing that separates addresses.
pub(super) fn is_address(email: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"');
    email.contains('@') && !email.contains(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Option<HeaderValue>) -> String {
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    }

    #[test]
    fn names_are_encoded_as_tailscale_encodes_them() {
        for (plain, encoded) in [
            ("Alice Smith", "Alice Smith"),
            ("Krūmiņa", "=?utf-8?q?Kr=C5=ABmi=C5=86a?="),
            ("a=?b", "=?utf-8?q?a=3D=3Fb?="),
            ("", ""),
        ] {
            assert_eq!(text(ascii(plain)), encoded, "{plain}");
        }
    }

    #[test]
    fn a_long_name_becomes_words_that_are_each_whole() {
        let encoded = text(ascii(&"ū".repeat(100)));
        for word in encoded.split(' ') {
            assert!(word.len() <= WORD_MAX, "{word}");
            let inner = word.strip_prefix(WORD_BEGINS).and_then(|word| word.strip_suffix(WORD_ENDS));
            assert!(inner.is_some_and(|inner| inner.len() % 6 == 0), "{word}");
        }
        assert_eq!(encoded.matches("=C5=AB").count(), 100);
    }

    #[test]
    fn h10_no_name_ends_a_line_or_begins_a_header() {
        for hostile in ["a\r\nX-Postern-User: root", "a\nb", "a\0b", "a\u{7f}", "a\u{85}b", "\u{2028}"] {
            for value in [text(ascii(hostile)), text(utf8(hostile))] {
                assert!(!value.contains(['\r', '\n', '\0', '\u{7f}']), "{value:?}");
            }
            assert!(!is_address(&format!("{hostile}@example.com")), "{hostile:?}");
        }
        assert_eq!(text(ascii("a\r\nb")), "=?utf-8?q?a=0D=0Ab?=");
        assert_eq!(text(utf8("a\r\nÜ")), "a  Ü");
        for address in ["a,b@example.com", "Ada <ada@example.com>", "ada", ""] {
            assert!(!is_address(address), "{address:?}");
        }
        assert!(is_address("ada@example.com") && is_address("ü@example.com"));
    }
}
