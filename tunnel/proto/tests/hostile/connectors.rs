//! What a hostile connector says to a gateway (T15).

use crate::pair::epoch;
use crate::peer::{KIB, code, data, drain, raw, say, victim, victim_with_lane};
use bytes::Bytes;
use postern_tunnel_proto::{Event, LaneId, Open, frame::Kind};

#[test]
fn t15_frames_for_foreign_lanes_are_a_violation() {
    let foreign = [
        data(2, 1),
        raw(Kind::Opened, 2, b""),
        raw(Kind::Refused, 2, &[0; 2]),
        raw(Kind::Credit, 4, &[0, 0, 0, 1]),
        raw(Kind::Fin, 2, b""),
        raw(Kind::Reset, 6, &[0; 2]),
        raw(Kind::Opened, 1, b""),
        data(3, 1),
    ];
    for frame in foreign {
        let mut link = victim_with_lane();
        say(&mut link, &[frame]);
        assert_eq!(code(&mut link), Some(1002));
    }
}

#[test]
fn t15_answers_to_an_answered_open_are_a_violation() {
    for second in [raw(Kind::Opened, 2, b""), raw(Kind::Refused, 2, &[0; 2])] {
        let mut link = victim();
        assert_eq!(link.open(Open::default()).unwrap(), LaneId(2));
        say(&mut link, &[raw(Kind::Opened, 2, b""), second]);
        assert_eq!(code(&mut link), Some(1002));
    }
}

#[test]
fn t15_text_of_a_peer_loses_its_control_characters_and_its_length() {
    let mut link = victim();
    let hint = format!("\u{1b}[2J\r\n{}\u{202e}", "x".repeat(240));
    say(&mut link, &[raw(Kind::GoAway, 0, &[&[0, 1], hint.as_bytes()].concat())]);
    let Some(Event::GoAway { hint, .. }) = drain(&mut link).pop() else { panic!("no goaway") };
    assert!(!hint.chars().any(char::is_control) && !hint.contains('\u{202e}'), "{hint:?}");
    assert!(hint.chars().count() <= 256);
}

#[test]
fn t15_a_peer_that_never_reads_costs_no_more_than_the_link_may_hold() {
    // As it is shipped: a gateway's link to a connector.
    let bound = 32 * KIB * KIB;
    let mut link = victim();
    for _ in 0..900 {
        let lane = link.open(Open::default()).unwrap();
        say(&mut link, &[raw(Kind::Opened, lane.0, b"")]);
        let mut bytes = Bytes::from(vec![0; 256 * KIB]);
        link.write(lane, &mut bytes).unwrap();
    }
    assert!((bound / 2..=bound).contains(&link.buffered()), "{} bytes", link.buffered());
}

#[test]
fn t15_small_parts_of_a_large_message_do_not_keep_it_in_memory() {
    let filling: Vec<u8> = (0..8_000).flat_map(|_| raw(Kind::Ping, 0, &[0; 8])).collect();
    // A stream that is over, with code 1.
    let entry = [&[7; 32][..], &[0, 0, 0, 1, 2, 0, 1, 0, 0]].concat();
    let mut request = [&[0; 8][..], &[0, 3], b"abc"].concat();
    request.extend(b"early");
    for part in [
        raw(Kind::Keys, 0, b"keys"),
        raw(Kind::Inventory, 0, &entry),
        raw(Kind::Open, 3, &request),
        data(1, 100),
    ] {
        let mut link = victim_with_lane();
        drain(&mut link);
        let message = Bytes::from([&filling[..], &part].concat());
        assert!(message.len() > 64 * KIB);
        link.handle_message(message.clone(), epoch());
        assert!(link.ended().is_none());
        let events = drain(&mut link);
        assert!(!events.is_empty() && message.is_unique(), "{events:?} keeps {} bytes", message.len());
    }
}
