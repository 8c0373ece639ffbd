//! The headers of HTTP/2 frames (RFC 9113 section 4.1), read as they pass by. Frames themselves are the library's.

/// The client's preface comes before the first frame.
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEADER: usize = 9;

/// What a frame is, as its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) stream: u32,
}

/// The frames that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Headers,
    Settings,
    Ping,
    Other,
}

/// Finds the frames in a stream of bytes.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes to pass over: the preface or a payload.
    skip: usize,
    header: [u8; HEADER],
    filled: usize,
}

impl Frames {
    /// At the start of a client's side.
    pub(super) fn new() -> Self {
        Self { skip: PREFACE, header: [0; HEADER], filled: 0 }
    }

    /// Reads on, telling of each frame when its header is complete.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut heard: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let (_, rest) = bytes.split_at(self.skip.min(bytes.len()));
            self.skip -= bytes.len() - rest.len();
            let (part, rest) = rest.split_at((HEADER - self.filled).min(rest.len()));
            for (to, from) in self.header.iter_mut().skip(self.filled).zip(part) {
                *to = *from;
            }
            self.filled += part.len();
            if self.filled == HEADER {
                self.filled = 0;
                heard(self.complete());
            }
            bytes = rest;
        }
    }

    fn complete(&mut self) -> Frame {
        let [high, middle, low, kind, _flags, s0, s1, s2, s3] = self.header;
        self.skip = usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX);
        let kind = match kind {
            0x1 => Kind::Headers,
            0x4 => Kind::Settings,
            0x6 => Kind::Ping,
            _ => Kind::Other,
        };
        Frame { kind, stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u8, payload: usize) -> Vec<u8> {
        let length = u8::try_from(payload).unwrap_or(u8::MAX);
        let mut bytes = vec![0, 0, length, kind, 0, 0x80, 0, 0, stream];
        bytes.extend(vec![6; usize::from(length)]);
        bytes
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        for part in [frame(4, 0, 0), frame(6, 0, 8), frame(1, 3, 200), frame(0, 3, 40), frame(4, 0, 6)] {
            bytes.extend(part);
        }
        let kinds = [Kind::Settings, Kind::Ping, Kind::Headers, Kind::Other, Kind::Settings];
        for size in 1..bytes.len() {
            let (mut frames, mut heard) = (Frames::new(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.read(piece, |frame| heard.push(frame));
            }
            assert_eq!(heard.iter().map(|frame| frame.kind).collect::<Vec<_>>(), kinds, "pieces of {size}");
            assert!(heard.iter().all(|frame| frame.stream == 0 || frame.stream == 3));
        }
    }
}
