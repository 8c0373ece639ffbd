//! What a link answers to a peer that breaks the rules: always a code and a reason, never a panic, never more memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod pair;

use bytes::Bytes;
use pair::{Pair, epoch};
use postern_ids::Refusal;
use postern_tunnel_proto::{
    Budget, Churn, Config, EndedBy, Event, LaneId, Limits, Link, Open, Outcome, Side, Transmit,
    frame::{Header, Hello, Kind},
};
use std::time::Duration;

const KIB: usize = 1024;

/// A frame as a hostile peer writes it.
fn raw(kind: Kind, lane: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header { kind, flags: 0, len: u32::try_from(payload.len()).unwrap(), lane: LaneId(lane) };
    [&header.to_bytes()[..], payload].concat()
}

fn hello() -> Vec<u8> {
    let hello = Hello { version_min: 1, version_max: 1, lanes_max: 1_000, window: 256 * 1024 };
    raw(Kind::Hello, 0, &hello.to_bytes())
}

fn open(lane: u32) -> Vec<u8> {
    raw(Kind::Open, lane, &[0; 10])
}

fn data(lane: u32, len: usize) -> Vec<u8> {
    raw(Kind::Data, lane, &vec![b'x'; len])
}

/// An acceptor that has heard the peer's Hello.
fn victim() -> Link {
    victim_with(Config::new(Side::Acceptor))
}

fn victim_with(config: Config) -> Link {
    let mut link = Link::new(config, epoch());
    link.handle_message(hello().into(), epoch());
    link
}

/// A victim with lane 1 open.
fn victim_with_lane() -> Link {
    let mut link = victim();
    link.handle_message(open(1).into(), epoch());
    link.accept(LaneId(1), Bytes::new()).unwrap();
    link
}

fn say(link: &mut Link, frames: &[Vec<u8>]) {
    link.handle_message(frames.concat().into(), epoch());
}

/// The code that the link was closed with, and that the peer is told it.
fn code(link: &mut Link) -> Option<u16> {
    let end = link.ended()?.clone();
    assert_eq!(end.by, EndedBy::Violation, "{end:?}");
    let mut out = Transmit::new();
    assert!(matches!(link.poll_transmit(&mut out, epoch()), Outcome::Close { code, .. } if code == end.code));
    assert_eq!((link.lanes(), link.buffered()), (0, 0));
    Some(end.code)
}

fn drain(link: &mut Link) -> Vec<Event> {
    std::iter::from_fn(|| link.poll_event()).collect()
}

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
    }
}

#[test]
fn t02_a_message_beyond_the_limit_is_too_big() {
    let mut link = victim_with_lane();
    say(&mut link, &[data(1, 65_536), data(1, 65_536)]);
    assert_eq!(code(&mut link), Some(1009));
}

#[test]
fn t02_a_text_message_closes_the_link() {
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
fn t02_fields_of_a_later_version_after_hello_are_ignored() {
    let hello = Hello { version_min: 1, version_max: 9, lanes_max: 1, window: 65_536 };
    let mut link = Link::new(Config::new(Side::Acceptor), epoch());
    link.handle_message(raw(Kind::Hello, 0, &[&hello.to_bytes()[..], &[7; 100]].concat()).into(), epoch());
    assert_eq!(link.poll_event(), Some(Event::Established { version: 1 }));
}

#[test]
fn t03_data_beyond_the_window_is_4413() {
    let mut link = victim_with_lane();
    (0..4).for_each(|_| say(&mut link, &[data(1, 64 * KIB)]));
    assert!(link.ended().is_none());
    say(&mut link, &[data(1, 1)]);
    assert_eq!(code(&mut link), Some(4413));
}

#[test]
fn t03_a_window_overflow_is_4413() {
    let mut link = victim_with_lane();
    say(&mut link, &[raw(Kind::Credit, 1, &0x7fff_ffffu32.to_be_bytes())]);
    assert_eq!(code(&mut link), Some(4413));
}

#[test]
fn t03_data_after_fin_and_a_second_fin_are_4413() {
    for more in [data(1, 1), raw(Kind::Fin, 1, b"")] {
        let mut link = victim_with_lane();
        say(&mut link, &[raw(Kind::Fin, 1, b""), more]);
        assert_eq!(code(&mut link), Some(4413));
    }
}

#[test]
fn t03_data_before_the_lane_was_accepted_is_4413() {
    for early in [data(1, 1), raw(Kind::Fin, 1, b"")] {
        let mut link = victim();
        say(&mut link, &[open(1), early]);
        assert_eq!(code(&mut link), Some(4413));
    }
    // And on a lane that we asked for, before the peer said Opened.
    let mut link = victim();
    let ours = link.open(Open::default()).unwrap();
    say(&mut link, &[data(ours.0, 1)]);
    assert_eq!(code(&mut link), Some(4413));
}

#[test]
fn t03_data_for_a_cut_lane_is_taken_up_to_what_was_granted_and_not_beyond() {
    let mut link = victim_with_lane();
    link.reset(
        LaneId(1),
        postern_tunnel_proto::Reset { code: 4412, class: postern_tunnel_proto::ResetClass::End },
    );
    (0..4).for_each(|_| say(&mut link, &[data(1, 64 * KIB)]));
    assert!(link.ended().is_none());
    say(&mut link, &[data(1, 1)]);
    assert_eq!(code(&mut link), Some(4413));
}

#[test]
fn t03_one_hostile_link_costs_the_others_nothing() {
    let budget = Budget::new(64 * KIB * KIB);
    let config = || Config { budget: budget.clone(), ..Config::new(Side::Acceptor) };
    let (mut bad, mut good) = (victim_with(config()), victim_with(config()));
    for link in [&mut bad, &mut good] {
        say(link, &[open(1)]);
        link.accept(LaneId(1), Bytes::new()).unwrap();
        say(link, &[data(1, 64 * KIB)]);
    }
    say(&mut bad, &[data(3, 1)]);
    assert_eq!(code(&mut bad), Some(1002));
    assert!(good.ended().is_none());
    assert_eq!(budget.used(), good.buffered());
}

#[test]
fn t04_one_lane_more_than_allowed_is_refused_and_counted() {
    let mut config = Config::new(Side::Acceptor);
    config.limits = Limits { lanes_max: 3, ..config.limits };
    let mut link = victim_with(config);
    say(&mut link, &[open(1), open(3), open(5), open(7)]);
    assert!(link.ended().is_none());
    assert_eq!(link.lanes(), 3);
    assert!(drain(&mut link).contains(&Event::LimitHit("lanes open at once")));
}

#[test]
fn t04_opening_and_resetting_fast_is_refused_then_cut_off_with_4429() {
    let mut config = Config::new(Side::Acceptor);
    config.churn = Some(Churn { per_second: 200, burst: 400 });
    let mut link = victim_with(config);
    let churn = |link: &mut Link, from: u32, count: u32, now| {
        for n in from..from + count {
            let id = 1 + 2 * n;
            let reset = raw(Kind::Reset, id, &[0; 2]);
            link.handle_message([open(id), reset].concat().into(), now);
        }
    };
    churn(&mut link, 0, 400, epoch());
    assert!(!drain(&mut link).iter().any(|event| matches!(event, Event::LimitHit(_))));
    churn(&mut link, 400, 10, epoch());
    let hits = drain(&mut link).iter().filter(|event| matches!(event, Event::LimitHit(_))).count();
    assert_eq!(hits, 10);
    // A second later the bucket holds two hundred again.
    churn(&mut link, 410, 200, epoch() + Duration::from_secs(1));
    assert!(!drain(&mut link).iter().any(|event| matches!(event, Event::LimitHit(_))));
    churn(&mut link, 610, 401, epoch() + Duration::from_secs(1));
    assert_eq!(link.ended().unwrap().code, 4429);
}

#[test]
fn t04_a_refused_open_says_limit() {
    let mut config = Config::new(Side::Acceptor);
    config.churn = Some(Churn { per_second: 1, burst: 1 });
    let mut pair = Pair::with(Config::new(Side::Dialer), config);
    let lanes = [(), ()].map(|()| pair.a.link.open(Open::default()).unwrap());
    pair.drive();
    let limit = Refusal::Limit.code();
    assert!(
        matches!(pair.a.take_events()[..], [Event::Refused { lane, code, .. }] if lane == lanes[1] && code == limit)
    );
}

#[test]
fn t04_lane_numbers_may_neither_skip_nor_repeat_nor_be_ours() {
    for frames in [vec![open(3)], vec![open(1), open(1)], vec![open(2)], vec![open(1), open(5)]] {
        let mut link = victim();
        say(&mut link, &frames);
        assert_eq!(code(&mut link), Some(1002));
    }
}

#[test]
fn t04_lanes_that_are_never_read_hold_their_windows_and_the_fullest_is_reset_at_the_limit() {
    let mut config = Config::new(Side::Acceptor);
    config.limits = Limits { buffered_max: 1_000 * KIB, ..config.limits };
    let mut link = victim_with(config);
    for lane in [1, 3, 5, 7] {
        say(&mut link, &[open(lane)]);
        link.accept(LaneId(lane), Bytes::new()).unwrap();
    }
    say(&mut link, &[data(7, 10 * KIB)]);
    for _ in 0..4 {
        for lane in [1, 3, 5] {
            say(&mut link, &[data(lane, 64 * KIB)]);
        }
    }
    assert_eq!(link.lanes(), 4);
    for _ in 0..4 {
        say(&mut link, &[data(7, 60 * KIB)]);
    }
    assert_eq!(link.lanes(), 3, "one of the full lanes went");
    assert!(link.buffered() <= 1_000 * KIB);
    let events = drain(&mut link);
    assert!(events.contains(&Event::LimitHit("buffered bytes")));
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Reset { lane, reset } if lane.0 != 7 && reset.code == 4429))
    );
}

#[test]
fn t04_a_full_process_spares_the_links_that_hold_little() {
    let budget = Budget::new(200 * KIB);
    let config = || Config { budget: budget.clone(), ..Config::new(Side::Acceptor) };
    let (mut greedy, mut modest) = (victim_with(config()), victim_with(config()));
    for link in [&mut greedy, &mut modest] {
        say(link, &[open(1)]);
        link.accept(LaneId(1), Bytes::new()).unwrap();
    }
    (0..3).for_each(|_| say(&mut greedy, &[data(1, 64 * KIB)]));
    say(&mut modest, &[data(1, 10 * KIB)]);
    assert_eq!((greedy.lanes(), modest.lanes()), (1, 1));
    say(&mut greedy, &[data(1, 10 * KIB)]);
    assert_eq!((greedy.lanes(), modest.lanes()), (0, 1));
    assert_eq!(budget.used(), modest.buffered());
    drop(modest);
    assert_eq!(budget.used(), 0);
}

#[test]
fn t04_one_byte_frames_cost_what_they_hold() {
    let mut link = victim_with_lane();
    let tiny: Vec<u8> = (0..10_000).flat_map(|_| data(1, 1)).collect();
    link.handle_message(tiny.into(), epoch());
    assert!(link.buffered() > 1_000_000, "{} bytes counted", link.buffered());
}

#[test]
fn t04_pings_are_answered_once_however_many_come() {
    let mut link = victim();
    let mut out = Transmit::new();
    while link.poll_transmit(&mut out, epoch()) == Outcome::Message {}
    for n in 0..1_000u64 {
        say(&mut link, &[raw(Kind::Ping, 0, &n.to_be_bytes())]);
    }
    assert_eq!(link.poll_transmit(&mut out, epoch()), Outcome::Message);
    assert_eq!(out.to_bytes(), raw(Kind::Pong, 0, &999u64.to_be_bytes()));
    assert_eq!(link.poll_transmit(&mut out, epoch()), Outcome::Idle);
}

#[test]
fn t04_a_peer_that_reads_no_answers_is_cut_off() {
    let mut config = Config::new(Side::Acceptor);
    config.churn = None;
    config.limits = Limits { lanes_max: 1, ..config.limits };
    let mut link = victim_with(config);
    for n in 0..200_000u32 {
        if link.ended().is_some() {
            break;
        }
        say(&mut link, &[open(1 + 2 * n)]);
        drain(&mut link);
    }
    assert_eq!(link.ended().unwrap().code, 4429);
}

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
    let mut config = Config::new(Side::Acceptor);
    config.limits = Limits { buffered_max: 4_000 * KIB, ..config.limits };
    let mut link = victim_with(config);
    for _ in 0..200 {
        let lane = link.open(Open::default()).unwrap();
        say(&mut link, &[raw(Kind::Opened, lane.0, b"")]);
        let mut bytes = Bytes::from(vec![0; 256 * KIB]);
        link.write(lane, &mut bytes).unwrap();
    }
    assert!(link.buffered() <= 4_000 * KIB, "{} bytes", link.buffered());
}

#[test]
fn t05_a_silent_peer_is_dead_after_a_missed_ping() {
    let mut link = victim();
    let mut now = epoch();
    assert_eq!(link.poll_timeout(), Some(now + Duration::from_secs(3)));
    now += Duration::from_secs(3);
    link.handle_timeout(now);
    assert!(link.wants_transmit() && link.ended().is_none());
    assert_eq!(link.poll_timeout(), Some(epoch() + Duration::from_secs(9)));
    link.handle_timeout(epoch() + Duration::from_secs(9));
    assert_eq!(link.ended().unwrap().by, EndedBy::Timeout);
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn t05_any_byte_is_life() {
    let mut link = victim();
    for second in 1..100 {
        let now = epoch() + Duration::from_secs(second);
        link.handle_timeout(now);
        link.handle_heard(now);
    }
    assert!(link.ended().is_none());
}

#[test]
fn t05_a_write_without_progress_for_thirty_seconds_ends_the_link() {
    let mut link = victim_with_lane();
    let mut out = Transmit::new();
    assert_eq!(link.poll_transmit(&mut out, epoch()), Outcome::Message);
    for second in 1..100 {
        let now = epoch() + Duration::from_secs(second);
        link.handle_heard(now);
        if second <= 20 {
            link.handle_progress(now);
        }
        link.handle_timeout(now);
        assert_eq!(link.ended().is_some(), second >= 50, "second {second}");
    }
}

#[test]
fn t05_no_hello_within_ten_seconds_is_4408() {
    let mut link = Link::new(Config::new(Side::Acceptor), epoch());
    let due = link.poll_timeout().unwrap();
    assert_eq!(due, epoch() + Duration::from_secs(10));
    link.handle_timeout(due);
    let end = link.ended().unwrap();
    assert_eq!((end.by, end.code), (EndedBy::Timeout, 4408));
}
