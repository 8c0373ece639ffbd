//! A path that has one reading: what a rule matches is what the application sees (H13).

/// What `%2f` means on a route that is decided by paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodedSlash {
    /// It is refused: some applications read it as a separator, others as a letter.
    #[default]
    Refuse,
    /// It stays inside its segment, matched undecoded and forwarded as it came.
    Opaque,
}

/// The path can be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path is ambiguous")]
pub struct PathAmbiguous;

/// A path in the spelling that rules match: decoded, but for slashes that are letters of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CanonicalPath(Box<str>);

impl CanonicalPath {
    /// Reads a path as it came. Refused is whatever two applications could read differently: dot segments, empty
    /// segments, back slashes, parameters, encoded separators, control characters, double encodings, broken escapes
    /// and bytes that are no UTF-8.
    pub fn read(raw: &str, slash: EncodedSlash) -> Result<Self, PathAmbiguous> {
        let inner = raw.strip_prefix('/').ok_or(PathAmbiguous)?;
        let mut canonical = String::with_capacity(raw.len());
        let mut segments = inner.split('/').peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            // One slash at the end is common; an empty segment elsewhere is skipped by some and counted by others.
            if segment.is_empty() && !is_last {
                return Err(PathAmbiguous);
            }
            canonical.push('/');
            canonical.push_str(&decode(segment, slash)?);
        }
        Ok(Self(canonical.into()))
    }

    /// The path; begins with a slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the path is `prefix` or lies below it, by whole segments.
    pub fn is_below(&self, prefix: &str) -> bool {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        self.0.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn decode(segment: &str, slash: EncodedSlash) -> Result<String, PathAmbiguous> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            decoded.push(byte);
            rest = after;
            continue;
        }
        let (value, after) = escape(after).ok_or(PathAmbiguous)?;
        match (value, slash) {
            (b'/', EncodedSlash::Opaque) => decoded.extend(b"%2f"),
            // An escaped percent sign in front of two digits is an escape for whoever decodes once more.
            (b'/' | b'\\', _) => return Err(PathAmbiguous),
            (b'%', _) if is_escape(after) => return Err(PathAmbiguous),
            (value, _) => decoded.push(value),
        }
        rest = after;
    }
    let text = String::from_utf8(decoded).map_err(|_| PathAmbiguous)?;
    let is_odd = |c: char| c.is_control() || matches!(c, '\\' | ';' | '\u{ff0f}' | '\u{ff0e}' | '\u{2215}');
    if text == "." || text == ".." || text.chars().any(is_odd) {
        return Err(PathAmbiguous);
    }
    Ok(text)
}

/// Two hexadecimal digits at the front.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(2)?;
    let is_hexadecimal = digits.iter().all(u8::is_ascii_hexdigit);
    let value = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    is_hexadecimal.then_some((value, rest))
}

/// Whether this reads as the rest of an escape, in either notation.
fn is_escape(bytes: &[u8]) -> bool {
    escape(bytes).is_some() || bytes.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'u'))
}
