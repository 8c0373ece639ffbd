//! A chunked body (RFC 9112 section 7.1), read strictly: sizes in hexadecimal, short extensions, whole lines.

use super::head::is_field_line;
use crate::Refused;

/// The longest line of a chunk's size with its extensions; nobody uses those.
const SIZE_LINE_MAX: usize = 256;
/// The longest trailer section.
const TRAILERS_MAX: usize = 8 * 1024;
/// Digits of a size: more cannot be meant.
const DIGITS_MAX: usize = 15;

/// The state between two reads.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    part: Part,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    #[default]
    Size,
    /// So many bytes of the chunk are still to come.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    /// Trailer lines; so many bytes of them came.
    Trailers(usize),
    Complete,
}

impl Chunked {
    pub(super) fn is_complete(&self) -> bool {
        self.part == Part::Complete
    }

    /// How many bytes from the front of `rest` are admitted; they end at the end of this part or before.
    pub(super) fn release(&mut self, rest: &[u8]) -> Result<usize, Refused> {
        match self.part {
            Part::Size => {
                let Some(line) = line(rest, SIZE_LINE_MAX)? else { return Ok(0) };
                let size = size_of(line).ok_or(Refused::Framing)?;
                self.part = if size == 0 { Part::Trailers(0) } else { Part::Data(size) };
                Ok(line.len() + 2)
            }
            Part::Data(left) => {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                self.part = if left == 0 { Part::DataEnd } else { Part::Data(left) };
                Ok(taken)
            }
            Part::DataEnd => {
                let Some(line) = line(rest, 0)? else { return Ok(0) };
                self.part = Part::Size;
                Ok(line.len() + 2)
            }
            Part::Trailers(before) => {
                let Some(line) = line(rest, TRAILERS_MAX.saturating_sub(before))? else { return Ok(0) };
                if line.is_empty() {
                    self.part = Part::Complete;
                } else if is_field_line(line) {
                    self.part = Part::Trailers(before + line.len() + 2);
                } else {
                    return Err(Refused::Framing);
                }
                Ok(line.len() + 2)
            }
            Part::Complete => Ok(0),
        }
    }
}

/// The line at the front, without its CRLF; `None` when its end has not come yet.
fn line(rest: &[u8], max: usize) -> Result<Option<&[u8]>, Refused> {
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return if rest.len() > max + 1 { Err(Refused::Framing) } else { Ok(None) };
    };
    let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Refused::Framing)?;
    if line.len() > max || line.contains(&b'\r') { Err(Refused::Framing) } else { Ok(Some(line)) }
}

fn size_of(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let extension = line.get(digits.len()..).unwrap_or_default();
    let is_size =
        !digits.is_empty() && digits.len() <= DIGITS_MAX && digits.iter().all(u8::is_ascii_hexdigit);
    let is_plain = extension.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if !is_size || !is_plain {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
