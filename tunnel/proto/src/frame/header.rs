//! The eight bytes in front of every frame.

use super::{FrameError, PAYLOAD_MAX};
use std::fmt;

/// Bytes of a frame header.
pub const HEADER_LEN: usize = 8;

/// The number of one lane on its link: odd when the dialing side opened it, even when the accepting side did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

impl LaneId {
    /// The lane field of frames that concern the whole link.
    pub const LINK: Self = Self(0);
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lane {}", self.0)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $value:literal, link $link:literal, flags $flags:literal;)*) => {
        /// What a frame is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// The byte on the wire.
            pub const fn byte(self) -> u8 {
                match self { $(Self::$name => $value,)* }
            }

            /// The kind with this byte.
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($value => Some(Self::$name),)* _ => None }
            }

            /// Whether it concerns the link (lane 0) and not one lane.
            pub const fn is_link(self) -> bool {
                match self { $(Self::$name => $link,)* }
            }

            /// The flags that may be set.
            pub const fn flags(self) -> u8 {
                match self { $(Self::$name => $flags,)* }
            }
        }
    };
}

kinds! {
    /// Versions and limits; the first frame of each side.
    Hello = 0x01, link true, flags 0;
    /// Asks for a lane.
    Open = 0x02, link false, flags 0;
    /// Accepts a lane.
    Opened = 0x03, link false, flags 0;
    /// Refuses a lane.
    Refused = 0x04, link false, flags 0;
    /// Bytes of a lane.
    Data = 0x05, link false, flags 0;
    /// Room for more bytes of a lane.
    Credit = 0x06, link false, flags 0;
    /// The sender's last byte of a lane is sent.
    Fin = 0x07, link false, flags 0;
    /// Cuts a lane; flag 1 is `detach`.
    Reset = 0x08, link false, flags 1;
    /// Asks for a Pong.
    Ping = 0x09, link true, flags 0;
    /// Answers a Ping.
    Pong = 0x0a, link true, flags 0;
    /// No more lanes, please.
    GoAway = 0x0b, link true, flags 0;
    /// Streams that the sender holds; flag 1 is `last`.
    Inventory = 0x0c, link true, flags 1;
    /// Ends a session.
    Kill = 0x0d, link true, flags 0;
    /// New grant keys.
    Keys = 0x0e, link true, flags 0;
}

/// A parsed and checked frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub kind: Kind,
    /// Its flags, four bits.
    pub flags: u8,
    /// Bytes of its payload.
    pub len: u32,
    /// Its lane; 0 for the link.
    pub lane: LaneId,
}

const LEN_BITS: u32 = 0x000f_ffff;

impl Header {
    /// The header as it goes over the wire.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let word =
            (u32::from(self.kind.byte()) << 24) | (u32::from(self.flags & 0xf) << 20) | (self.len & LEN_BITS);
        let [a, b, c, d] = word.to_be_bytes();
        let [e, f, g, h] = self.lane.0.to_be_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// Reads and checks a header.
    pub fn parse(bytes: [u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let [kind, b, c, d, lane @ ..] = bytes;
        let kind = Kind::from_byte(kind).ok_or(FrameError::UnknownKind)?;
        let flags = b >> 4;
        let len = u32::from_be_bytes([0, b, c, d]) & LEN_BITS;
        let lane = LaneId(u32::from_be_bytes(lane));
        if flags & !kind.flags() != 0 {
            return Err(FrameError::ReservedFlags);
        }
        if usize::try_from(len).is_ok_and(|len| len > PAYLOAD_MAX) {
            return Err(FrameError::TooLong);
        }
        if kind.is_link() != (lane == LaneId::LINK) {
            return Err(FrameError::WrongLane);
        }
        Ok(Self { kind, flags, len, lane })
    }
}
