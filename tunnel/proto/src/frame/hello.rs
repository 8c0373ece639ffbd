//! The handshake: the first frame of each side.

use super::{CREDIT_MAX, Cursor, FrameError, PAYLOAD_MAX, TEXT_MAX};
use bytes::Bytes;

const MAGIC: [u8; 4] = *b"PSTN";
/// Bytes of the part that version 1 defines; what follows belongs to later versions and is ignored.
const LEN: usize = 16;

/// What a side speaks and how much it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The oldest version that it speaks.
    pub version_min: u16,
    /// The newest version that it speaks.
    pub version_max: u16,
    /// Lanes that its peer may have open at once.
    pub lanes_max: u32,
    /// Bytes that its peer may send on a lane before the first Credit.
    pub window: u32,
}

impl Hello {
    /// The payload as it goes over the wire.
    pub fn to_bytes(self) -> [u8; LEN] {
        let [a, b, c, d] = MAGIC;
        let [e, f] = self.version_min.to_be_bytes();
        let [g, h] = self.version_max.to_be_bytes();
        let [i, j, k, l] = self.lanes_max.to_be_bytes();
        let [m, n, o, p] = self.window.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// Reads and checks a payload.
    pub fn parse(payload: Bytes) -> Result<Self, FrameError> {
        if payload.len() > TEXT_MAX {
            return Err(FrameError::TooLong);
        }
        let mut cursor = Cursor::new(payload);
        let hello = Self::fields(&mut cursor).ok_or(FrameError::Malformed("hello"))?;
        // The smallest legal window holds one whole frame, so a sender never has to cut one because of it.
        let window_min = u32::try_from(PAYLOAD_MAX).unwrap_or(u32::MAX);
        if hello.version_min > hello.version_max || !(window_min..=CREDIT_MAX).contains(&hello.window) {
            return Err(FrameError::Malformed("hello"));
        }
        Ok(hello)
    }

    fn fields(cursor: &mut Cursor) -> Option<Self> {
        if cursor.array::<4>()? != MAGIC {
            return None;
        }
        Some(Self {
            version_min: cursor.u16()?,
            version_max: cursor.u16()?,
            lanes_max: cursor.u32()?,
            window: cursor.u32()?,
        })
    }
}
