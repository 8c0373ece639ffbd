//! The head of a request: a request line and its fields, each with one reading or none.

use super::{HEAD_MAX, TARGET_MAX, Version};
use crate::Refused;

/// Fields of one head; the HTTP library has the same limit.
const FIELDS_MAX: usize = 100;
/// A request line with the longest target, a method and a version.
const LINE_MAX: usize = TARGET_MAX + 64;
const END: &[u8] = b"\r\n\r\n";

/// How the body of a request is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Sized(u64),
    Chunked,
}

/// What framing has to know of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) body: Body,
    pub(super) upgrades: bool,
}

impl Head {
    /// The head at the front of `bytes`, of which `seen` were looked at before; `None` when its end has not come yet.
    pub(super) fn read(bytes: &[u8], seen: usize) -> Result<Option<Self>, Refused> {
        let within = bytes.get(..HEAD_MAX.min(bytes.len())).unwrap_or(bytes);
        let from = seen.saturating_sub(END.len());
        let fresh = within.get(from..).unwrap_or_default();
        let Some(end) = fresh.windows(END.len()).position(|window| window == END) else {
            return incomplete(bytes, from);
        };
        let end = from + end;
        let length = end + END.len();
        let head = bytes.get(..end).unwrap_or_default();
        let mut lines = lines(head)?.into_iter();
        let line = request_line(lines.next().unwrap_or_default())?;
        let mut fields = Fields::default();
        for (index, line) in lines.enumerate() {
            if index >= FIELDS_MAX {
                return Err(Refused::HeadTooLarge);
            }
            fields.take(line)?;
        }
        let (body, upgrades) = fields.judge(line)?;
        Ok(Some(Self { length, body, upgrades }))
    }
}

/// No end yet: what is there may be refused already, so that nobody waits for the rest of what can only be bad.
fn incomplete(bytes: &[u8], from: usize) -> Result<Option<Head>, Refused> {
    if bytes.get(..LINE_MAX).is_some_and(|line| !line.contains(&b'\n')) {
        return Err(Refused::TargetTooLong);
    }
    if bytes.len() >= HEAD_MAX {
        return Err(Refused::HeadTooLarge);
    }
    // A bare line end is wrong wherever it stands; a CR at the very end may become CRLF.
    let known = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    has_only_crlf(known, from.min(known.len())).then_some(None).ok_or(Refused::Head)
}

/// Whether each line end from `from` on is CRLF, and the first line is not empty: that would be no request.
fn has_only_crlf(bytes: &[u8], from: usize) -> bool {
    let mut before = from.checked_sub(1).and_then(|index| bytes.get(index)).copied().unwrap_or(0);
    let fresh = bytes.get(from..).unwrap_or_default();
    for &byte in fresh {
        if (byte == b'\n') != (before == b'\r') {
            return false;
        }
        before = byte;
    }
    before != b'\r' && !bytes.starts_with(b"\r")
}

fn lines(head: &[u8]) -> Result<Vec<&[u8]>, Refused> {
    if !has_only_crlf(head, 0) {
        return Err(Refused::Head);
    }
    Ok(head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect())
}

/// What framing has to know of a request line.
#[derive(Debug, Clone, Copy)]
struct RequestLine<'a> {
    method: &'a [u8],
    version: Version,
}

fn request_line(line: &[u8]) -> Result<RequestLine<'_>, Refused> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refused::Head);
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Refused::Head);
    }
    // What follows CONNECT is another protocol; TRACE gives headers back to scripts that must not see them.
    if matches!(method, b"CONNECT" | b"TRACE" | b"TRACK") {
        return Err(Refused::Method);
    }
    if target.len() > TARGET_MAX {
        return Err(Refused::TargetTooLong);
    }
    // A fragment never leaves a browser; the HTTP library would cut it off without a word.
    if target.is_empty() || !target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        return Err(Refused::Target);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        _ if version.starts_with(b"HTTP/") => return Err(Refused::Version),
        _ => return Err(Refused::Head),
    };
    Ok(RequestLine { method, version })
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The fields that framing depends on.
#[derive(Debug, Default)]
struct Fields<'a> {
    length: Option<&'a [u8]>,
    coding: Option<&'a [u8]>,
    hosts: usize,
    upgrade: bool,
    connection_upgrade: bool,
    keep_alive: bool,
    twice: bool,
}

impl<'a> Fields<'a> {
    fn take(&mut self, line: &'a [u8]) -> Result<(), Refused> {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            self.twice |= self.length.replace(value).is_some();
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.twice |= self.coding.replace(value).is_some();
        } else if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                self.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    fn judge(&self, line: RequestLine<'_>) -> Result<(Body, bool), Refused> {
        if self.hosts != 1 {
            return Err(Refused::Host);
        }
        if line.version == Version::Http10 {
            self.judge_http10(line.method)?;
        }
        let body = match (self.length, self.coding) {
            _ if self.twice => return Err(Refused::Framing),
            (Some(_), Some(_)) => return Err(Refused::Framing),
            (None, None) => Body::None,
            (Some(length), None) => Body::Sized(decimal(length).ok_or(Refused::Framing)?),
            (None, Some(coding)) => {
                let is_chunked = line.version == Version::Http11 && coding.eq_ignore_ascii_case(b"chunked");
                if !is_chunked {
                    return Err(Refused::Framing);
                }
                Body::Chunked
            }
        };
        let upgrades = self.upgrade && self.connection_upgrade;
        // Where such a body ends and the other protocol begins would be anybody's guess.
        if upgrades && !matches!(body, Body::None | Body::Sized(0)) {
            return Err(Refused::Framing);
        }
        Ok((body, upgrades))
    }

    /// HTTP/1.0 knows neither persistent connections nor bodies that end with the connection: where one request ends and
    /// the next begins was a matter of each server's extensions (RFC 9112 section 9.3 and appendix C).
    fn judge_http10(&self, method: &[u8]) -> Result<(), Refused> {
        let has_body = matches!(method, b"POST" | b"PUT" | b"PATCH");
        let has_length = self.length.is_some();
        if self.keep_alive || (has_body && !has_length) { Err(Refused::Framing) } else { Ok(()) }
    }
}

/// A name without space around it, and a value without control characters.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refused> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Refused::Head)?;
    let (name, rest) = line.split_at(colon);
    let value = rest.get(1..).unwrap_or_default();
    let is_name = !name.is_empty() && name.iter().all(|byte| is_token(*byte));
    let is_value = value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
    if is_name && is_value { Ok((name, value.trim_ascii())) } else { Err(Refused::Head) }
}

/// Whether a line is one good field; for trailers.
pub(super) fn is_field_line(line: &[u8]) -> bool {
    field(line).is_ok()
}

/// Digits only: no sign, no list, no overflow.
fn decimal(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.len() <= 18 && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}
