//! Where WebSocket frames end (RFC 6455 section 5.2), so that a session that is cut can be closed with a word: a close
//! frame of ours fits only between two frames of the application.

/// The close status for "policy violation" (RFC 6455 section 7.4.1).
const POLICY_VIOLATION: u16 = 1008;
/// The longest reason of a close frame.
const REASON_MAX: usize = 123;

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: Vec<u8>,
    /// Bytes of the current frame's payload that are still to come.
    left: u64,
}

impl Frames {
    /// Takes what passed.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let payload = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            if payload > 0 {
                bytes = bytes.get(payload..).unwrap_or_default();
                self.left = self.left.saturating_sub(u64::try_from(payload).unwrap_or(u64::MAX));
                continue;
            }
            if let Some((first, rest)) = bytes.split_first() {
                self.header.push(*first);
                bytes = rest;
            }
            if let Some(length) = payload_length(&self.header) {
                self.header.clear();
                self.left = length;
            }
        }
    }

    /// Whether the last frame that began has ended.
    pub(super) fn is_between(&self) -> bool {
        self.header.is_empty() && self.left == 0
    }
}

/// The length of the payload, once the header is whole; a masking key counts as payload.
fn payload_length(header: &[u8]) -> Option<u64> {
    let (_, second) = (header.first()?, *header.get(1)?);
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let length = match second & 0x7f {
        126 => u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?)),
        127 => u64::from_be_bytes(header.get(2..10)?.try_into().ok()?),
        short => u64::from(short),
    };
    Some(length.saturating_add(mask))
}

/// A close frame from the server: 1008, and why.
pub(super) fn close_frame(reason: &str) -> Vec<u8> {
    let mut end = reason.len().min(REASON_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = reason.get(..end).unwrap_or_default();
    let length = u8::try_from(reason.len() + 2).unwrap_or(125);
    let mut frame = vec![0x88, length];
    frame.extend(POLICY_VIOLATION.to_be_bytes());
    frame.extend(reason.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_followed_however_the_bytes_are_cut() {
        let mut stream = vec![0x81, 3, b'a', b'b', b'c'];
        stream.extend([0x82, 126, 1, 0]);
        stream.extend([7; 256]);
        stream.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        stream.extend([7; 65_536]);
        stream.extend([0x81, 0x81, 1, 2, 3, 4, 9]);
        stream.extend([0x8a, 0]);
        for step in [1, 2, 3, 7, 1000, stream.len()] {
            let mut frames = Frames::default();
            stream.chunks(step).for_each(|chunk| frames.pass(chunk));
            assert!(frames.is_between(), "{step}");
        }
        for cut in [1, 2, 4, 6, 8, 100, 300, stream.len() - 3] {
            let mut frames = Frames::default();
            frames.pass(stream.get(..cut).unwrap_or_default());
            assert!(!frames.is_between(), "{cut}");
        }
    }

    #[test]
    fn a_close_frame_says_why_in_at_most_125_bytes() {
        assert_eq!(close_frame("no"), [0x88, 4, 0x03, 0xf0, b'n', b'o']);
        let long = close_frame(&"\u{e4}".repeat(100));
        assert!(long.len() <= 127 && long.len() > 120);
        assert_eq!(usize::from(long.get(1).copied().unwrap_or(0)) + 2, long.len());
    }
}
