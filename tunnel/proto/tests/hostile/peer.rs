//! A peer that breaks the rules, and the link that it does it to.

use crate::pair::epoch;
use bytes::Bytes;
use postern_tunnel_proto::{
    Config, EndedBy, Event, LaneId, Link, Outcome, Side, Transmit,
    frame::{Header, Hello, Kind},
};

pub(crate) const KIB: usize = 1024;

/// A frame as a hostile peer writes it.
pub(crate) fn raw(kind: Kind, lane: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header { kind, flags: 0, len: u32::try_from(payload.len()).unwrap(), lane: LaneId(lane) };
    [&header.to_bytes()[..], payload].concat()
}

pub(crate) fn hello() -> Vec<u8> {
    let hello = Hello { version_min: 1, version_max: 1, lanes_max: 1_000, window: 256 * 1024 };
    raw(Kind::Hello, 0, &hello.to_bytes())
}

pub(crate) fn open(lane: u32) -> Vec<u8> {
    raw(Kind::Open, lane, &[0; 10])
}

pub(crate) fn data(lane: u32, len: usize) -> Vec<u8> {
    raw(Kind::Data, lane, &vec![b'x'; len])
}

/// An acceptor that has heard the peer's Hello.
pub(crate) fn victim() -> Link {
    victim_with(Config::new(Side::Acceptor))
}

pub(crate) fn victim_with(config: Config) -> Link {
    let mut link = Link::new(config, epoch());
    link.handle_message(hello().into(), epoch());
    link
}

/// A victim with lane 1 open.
pub(crate) fn victim_with_lane() -> Link {
    let mut link = victim();
    link.handle_message(open(1).into(), epoch());
    link.accept(LaneId(1), Bytes::new()).unwrap();
    link
}

pub(crate) fn say(link: &mut Link, frames: &[Vec<u8>]) {
    link.handle_message(frames.concat().into(), epoch());
}

/// The code that the link was closed with, and that the peer is told it.
pub(crate) fn code(link: &mut Link) -> Option<u16> {
    let end = link.ended()?.clone();
    assert_eq!(end.by, EndedBy::Violation, "{end:?}");
    let mut out = Transmit::new();
    assert!(matches!(link.poll_transmit(&mut out, epoch()), Outcome::Close { code, .. } if code == end.code));
    assert_eq!((link.lanes(), link.buffered()), (0, 0));
    Some(end.code)
}

pub(crate) fn drain(link: &mut Link) -> Vec<Event> {
    std::iter::from_fn(|| link.poll_event()).collect()
}
