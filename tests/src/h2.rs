//! HTTP/2 frames by hand (RFC 9113), for what no library would send.

/// What every client begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types.
pub mod kind {
    /// A body.
    pub const DATA: u8 = 0;
    /// A head, or trailers.
    pub const HEADERS: u8 = 1;
    /// The end of a stream before its time.
    pub const RST_STREAM: u8 = 3;
    /// Settings.
    pub const SETTINGS: u8 = 4;
    /// A ping.
    pub const PING: u8 = 6;
    /// The end of a connection.
    pub const GOAWAY: u8 = 7;
    /// More room.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a head.
    pub const CONTINUATION: u8 = 9;
}

/// The flag of the last frame of a stream.
pub const END_STREAM: u8 = 1;
/// The flag of the last frame of a head.
pub const END_HEADERS: u8 = 4;

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM or GOAWAY.
    pub fn error(&self) -> Option<u32> {
        let at = match self.kind {
            kind::RST_STREAM => 0,
            kind::GOAWAY => 4,
            _ => return None,
        };
        let code = self.payload.get(at..at + 4)?;
        Some(code.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = length.iter().skip(1).copied().collect::<Vec<u8>>();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The preface with settings, each an identifier and a value.
pub fn hello(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes()))
        .collect();
    [PREFACE, &frame(kind::SETTINGS, 0, 0, &payload)].concat()
}

/// A field block in which every field is written out (RFC 7541 section 6.2.2).
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            push_length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A length with a prefix of 7 bits.
fn push_length(block: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        block.push(u8::try_from(length).unwrap_or(0));
        return;
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap_or(0) | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap_or(0));
}

/// A head on a stream, with `:method`, `:path`, `:scheme` and `:authority` before the other fields.
pub fn request(stream: u32, flags: u8, line: (&str, &str, &str), more: &[(&str, &str)]) -> Vec<u8> {
    let (method, authority, path) = line;
    let mut all = vec![(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)];
    all.extend_from_slice(more);
    frame(kind::HEADERS, END_HEADERS | flags, stream, &fields(&all))
}

/// The frames that came so far, without one that is not complete.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut found = Vec::new();
    while let [l0, l1, l2, kind, flags, s0, s1, s2, s3, rest @ ..] = bytes {
        let length = usize::from(*l0) << 16 | usize::from(*l1) << 8 | usize::from(*l2);
        let Some(payload) = rest.get(..length) else { break };
        let stream = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
        found.push(Frame { kind: *kind, flags: *flags, stream, payload: payload.to_vec() });
        bytes = rest.get(length..).unwrap_or_default();
    }
    found
}

/// The status of a head that the gateway sent, if it is one of the seven in the static table, or written out.
pub fn status(head: &Frame) -> Option<u16> {
    match head.payload.as_slice() {
        [index @ 0x88..=0x8e, ..] => {
            [200, 204, 206, 304, 400, 404, 500].get(usize::from(index - 0x88)).copied()
        }
        [0x08 | 0x48 | 0x18, length, rest @ ..] => {
            let value = rest.get(..usize::from(length & 0x7f))?;
            if length & 0x80 == 0 { std::str::from_utf8(value).ok()?.parse().ok() } else { huffman(value) }
        }
        _ => None,
    }
}

/// A number in the code of RFC 7541 appendix B: the digits 0, 1 and 2 have 5 bits, the others 6.
fn huffman(bytes: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let (mut at, mut number) = (0, 0_u16);
    let read = |from: usize, count: usize| {
        Some(bits.get(from..from + count)?.iter().fold(0_u16, |sum, bit| sum << 1 | u16::from(*bit)))
    };
    while let Some(short) = read(at, 5) {
        let (digit, length) = match short {
            0..=2 => (short, 5),
            _ => match read(at, 6) {
                Some(long @ 0x19..=0x1f) => (long - 0x19 + 3, 6),
                _ => break,
            },
        };
        number = number * 10 + digit;
        at += length;
    }
    (number > 0).then_some(number)
}
