//! Bytes that are no frames, and greetings that are none (T2).

use crate::pair::epoch;
use crate::peer::{code, data, hello, open, raw, say, victim, victim_with_lane};
use postern_tunnel_proto::{
    Config, EndedBy, Event, Link, Side,
    frame::{Hello, Kind},
};

#[test]
fn t02_every_malformed_frame_is_answered_with_1002() {
    let long_metadata = [&[0; 8][..], &(20_000u16).to_be_bytes(), &[0; 20_000]].concat();
    let early = [&[0; 10][..], &[0; 17_000]].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty message", vec![]),
        ("unknown kind", vec![0xee, 0, 0, 0, 0, 0, 0, 0]),
        ("kind zero", vec![0; 8]),
        ("truncated header", vec![0x05, 0, 0]),
        ("truncated payload", data(1, 100)[..50].to_vec()),
        ("trailing bytes", [data(1, 10), vec![1]].concat()),
        ("payload beyond 64 KiB", data(1, 65_537)),
        ("reserved flag on data", [&[0x05, 0x10, 0, 1, 0, 0, 0, 1][..], b"x"].concat()),
        ("reserved flag on reset", [&[0x08, 0x20, 0, 2, 0, 0, 0, 1][..], b"xx"].concat()),
        ("data on lane 0", data(0, 5)),
        ("ping on a lane", raw(Kind::Ping, 1, &[0; 8])),
        ("short ping", raw(Kind::Ping, 0, &[0; 7])),
        ("long pong", raw(Kind::Pong, 0, &[0; 9])),
        ("empty data", data(1, 0)),
        ("fin with payload", raw(Kind::Fin, 1, b"x")),
        ("short reset", raw(Kind::Reset, 1, b"x")),
        ("short credit", raw(Kind::Credit, 1, b"xxx")),
        ("credit of nothing", raw(Kind::Credit, 1, &[0; 4])),
        ("negative credit", raw(Kind::Credit, 1, &[0xff; 4])),
        ("short open", raw(Kind::Open, 3, &[0; 9])),
        ("open with metadata beyond its end", raw(Kind::Open, 3, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1])),
        ("open with too much metadata", raw(Kind::Open, 3, &long_metadata)),
        ("open with too much early data", raw(Kind::Open, 3, &early)),
        ("too much metadata in opened", raw(Kind::Opened, 2, &[0; 16_385])),
        ("a refusal with a novel", raw(Kind::Refused, 2, &[0; 259])),
        ("a goaway with a novel", raw(Kind::GoAway, 0, &[0; 259])),
        ("short kill", raw(Kind::Kill, 0, &[0; 17])),
        ("an inventory that ends inside an entry", raw(Kind::Inventory, 0, &[0; 38])),
        ("a second hello", hello()),
    ];
    for (name, bytes) in cases {
        let mut link = victim_with_lane();
        link.handle_message(bytes.into(), epoch());
        assert_eq!(code(&mut link), Some(1002), "{name}");
        let reason = link.ended().unwrap().reason.clone();
        assert!(
            reason.starts_with("frame: ") || reason.starts_with("hello: "),
            "{name} is told as {reason:?}"
        );
    }
}

#[test]
fn t02_a_message_beyond_the_limit_is_too_big() {
    let mut link = victim_with_lane();
    say(&mut link, &[data(1, 65_536), data(1, 65_536)]);
    assert_eq!(code(&mut link), Some(1009));
}

#[test]
fn a_violation_that_the_transport_sees_closes_the_link_with_its_code() {
    let mut link = victim();
    link.handle_violation(1002, "frame: text message");
    assert_eq!(code(&mut link), Some(1002));
}

#[test]
fn t02_a_handshake_that_is_none_is_answered_with_1002() {
    let bad_window = Hello { version_min: 1, version_max: 1, lanes_max: 1, window: 1 };
    let bad_range = Hello { version_min: 2, version_max: 1, lanes_max: 1, window: 65_536 };
    for bytes in [
        open(1),
        raw(Kind::Hello, 0, b"PSTN"),
        raw(Kind::Hello, 0, b"HTTP/1.1 400 Bad"),
        raw(Kind::Hello, 0, &[0; 300]),
        raw(Kind::Hello, 0, &bad_window.to_bytes()),
        raw(Kind::Hello, 0, &bad_range.to_bytes()),
    ] {
        let mut link = Link::new(Config::new(Side::Acceptor), epoch());
        link.handle_message(bytes.into(), epoch());
        let end = link.ended().unwrap();
        assert_eq!((end.by, end.code), (EndedBy::Violation, 1002));
    }
}

#[test]
fn t02_a_peer_without_a_common_version_is_told_so_with_1002() {
    for (version_min, version_max) in [(2, 9), (0, 0), (u16::MAX, u16::MAX)] {
        let hello = Hello { version_min, version_max, lanes_max: 1, window: 65_536 };
        let mut link = Link::new(Config::new(Side::Acceptor), epoch());
        link.handle_message(raw(Kind::Hello, 0, &hello.to_bytes()).into(), epoch());
        let end = link.ended().unwrap();
        assert_eq!((end.code, &*end.reason), (1002, "hello: no common version"));
    }
}

#[test]
fn t02_fields_of_a_later_version_after_hello_are_ignored() {
    let hello = Hello { version_min: 1, version_max: 9, lanes_max: 1, window: 65_536 };
    let mut link = Link::new(Config::new(Side::Acceptor), epoch());
    link.handle_message(raw(Kind::Hello, 0, &[&hello.to_bytes()[..], &[7; 100]].concat()).into(), epoch());
    assert_eq!(link.poll_event(), Some(Event::Established { version: 1 }));
}
