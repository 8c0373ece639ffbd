//! What lanes do between two links that keep the rules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod pair;

use bytes::Bytes;
use pair::Pair;
use postern_ids::{Refusal, SessionId, StreamId};
use postern_tunnel_proto::{
    Config, EndedBy, Event, Limits, Open, OpenError, Read, Reset, ResetClass, Side, Versions, WriteError,
    inventory::{Entry, State},
};
use std::time::Duration;

const KIB: usize = 1024;

fn bulk(len: usize) -> Bytes {
    (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect::<Vec<u8>>().into()
}

fn inventory(count: u8) -> Vec<Bytes> {
    let entry = |n| Entry {
        stream: StreamId::from_bytes([n; 16]),
        session: SessionId::from_bytes([n; 16]),
        generation: 1,
        state: State::Attached,
        grant: vec![n; 1_000].into(),
    };
    postern_tunnel_proto::inventory::parts((0..count).map(entry)).unwrap()
}

#[test]
fn both_sides_agree_on_the_newest_common_version() {
    let mut newer = Config::new(Side::Acceptor);
    newer.versions = Versions { min: 1, max: 2 };
    let mut pair = Pair::strangers(Config::new(Side::Dialer), newer);
    pair.drive();
    assert!(pair.a.events.contains(&Event::Established { version: 1 }));
    assert!(pair.b.events.contains(&Event::Established { version: 1 }));
}

#[test]
fn sides_without_a_common_version_part_with_a_reason() {
    let mut newer = Config::new(Side::Acceptor);
    newer.versions = Versions { min: 2, max: 3 };
    let mut pair = Pair::strangers(Config::new(Side::Dialer), newer);
    pair.drive();
    assert_eq!(pair.b.closed, Some((1002, "hello: no common version".into())));
}

#[test]
fn an_open_carries_its_flow_metadata_and_early_data_and_the_answer_comes_back() {
    let mut pair = Pair::new();
    let open = Open { flow: 7, metadata: "who".into(), early: "SSH-2.0".into() };
    let lane = pair.a.link.open(open).unwrap();
    pair.drive();
    let incoming = Event::Incoming { lane, flow: 7, metadata: "who".into(), early: "SSH-2.0".into() };
    assert_eq!(pair.b.take_events(), [incoming]);
    pair.b.link.accept(lane, "welcome".into()).unwrap();
    pair.drive();
    assert_eq!(pair.a.take_events(), [Event::Opened { lane, metadata: "welcome".into() }]);
}

#[test]
fn a_refusal_carries_its_code_and_a_short_detail() {
    let mut pair = Pair::new();
    let lane = pair.a.link.open(Open::default()).unwrap();
    pair.drive();
    pair.b.link.refuse(lane, 4403, &[b'x'; 1_000]);
    pair.drive();
    assert_eq!(pair.a.take_events(), [Event::Refused { lane, code: 4403, detail: vec![b'x'; 256].into() }]);
    assert_eq!((pair.a.link.lanes(), pair.b.link.lanes()), (0, 0));
}

#[test]
fn bytes_cross_in_order_both_ways_and_half_close_is_kept() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    let (up, mut sent) = (bulk(3_000_000), bulk(3_000_000));
    let mut got = vec![];
    let mut ended = false;
    while !ended {
        if !sent.is_empty() {
            pair.a.link.write(lane, &mut sent).unwrap();
        } else {
            pair.a.link.finish(lane).unwrap();
        }
        pair.drive();
        let (more, fin) = pair.b.read_all(lane, pair.now);
        got.extend(more);
        ended = fin;
    }
    assert_eq!(got, up);
    // The other direction still works after our Fin.
    pair.b.link.write(lane, &mut Bytes::from_static(b"bye")).unwrap();
    pair.b.link.finish(lane).unwrap();
    pair.drive();
    assert_eq!(pair.a.read_all(lane, pair.now), (b"bye".to_vec(), true));
    pair.drive();
    assert!(pair.a.events.contains(&Event::Done(lane)) && pair.b.events.contains(&Event::Done(lane)));
    assert_eq!((pair.a.link.lanes(), pair.b.link.lanes()), (0, 0));
    assert_eq!((pair.a.link.buffered(), pair.b.link.buffered()), (0, 0));
}

#[test]
fn a_large_payload_is_never_copied() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    let data = bulk(32 * KIB);
    pair.a.link.write(lane, &mut data.clone()).unwrap();
    let mut out = postern_tunnel_proto::Transmit::new();
    pair.a.link.poll_transmit(&mut out, pair.now);
    assert!(out.slices().any(|slice| slice.as_ptr() == data.as_ptr() && slice.len() == data.len()));
    let message = out.to_bytes();
    pair.b.link.handle_message(message.clone(), pair.now);
    let Ok(Read::Chunk(chunk)) = pair.b.link.read(lane, usize::MAX) else { panic!("no chunk") };
    assert!(message.as_ptr_range().contains(&chunk.as_ptr()));
}

#[test]
fn bulk_is_not_cut_to_fill_a_message_up() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    pair.a.link.write(lane, &mut bulk(256 * KIB)).unwrap();
    pair.drive();
    while let Ok(Read::Chunk(chunk)) = pair.b.link.read(lane, usize::MAX) {
        assert!(chunk.len() >= 32 * KIB, "{}", chunk.len());
    }
}

#[test]
fn a_lane_that_nobody_reads_delays_no_other() {
    let mut pair = Pair::new();
    let (stuck, lively) = (pair.lane(1), pair.lane(1));
    pair.a.link.write(stuck, &mut bulk(256 * KIB)).unwrap();
    pair.drive();
    pair.a.link.write(stuck, &mut bulk(256 * KIB)).unwrap();
    pair.drive();
    assert_eq!(pair.a.link.writable(stuck), 0);
    for _ in 0..100 {
        pair.a.link.write(lively, &mut bulk(64 * KIB)).unwrap();
        pair.drive();
        assert_eq!(pair.b.read_all(lively, pair.now).0.len(), 64 * KIB);
    }
    // What it holds is its window, and what the sender may hold.
    assert!(pair.b.link.buffered() < 300 * KIB);
}

#[test]
fn a_small_message_overtakes_bulk_that_waits() {
    let mut pair = Pair::new();
    let (big, small) = (pair.lane(1), pair.lane(1));
    pair.a.link.write(big, &mut bulk(256 * KIB)).unwrap();
    let mut out = postern_tunnel_proto::Transmit::new();
    pair.a.link.poll_transmit(&mut out, pair.now);
    assert!(out.len() <= 66 * KIB, "one chunk at a time, {} bytes", out.len());
    pair.a.link.write(small, &mut Bytes::from_static(b"keystroke")).unwrap();
    pair.a.link.handle_flushed(pair.now);
    pair.a.link.poll_transmit(&mut out, pair.now);
    let message = out.to_bytes();
    let at = message.windows(9).position(|window| window == b"keystroke").unwrap();
    assert!(at < 100, "found at {at}");
}

#[test]
fn a_writer_that_was_cut_short_is_told_when_there_is_room() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    let mut data = bulk(600 * KIB);
    assert_eq!(pair.a.link.write(lane, &mut data).unwrap(), 256 * KIB);
    assert_eq!(pair.a.link.write(lane, &mut data).unwrap(), 0);
    pair.drive();
    assert_eq!(pair.a.take_events(), [Event::Writable(lane)]);
    pair.a.link.finish(lane).unwrap();
    assert_eq!(pair.a.link.write(lane, &mut data), Err(WriteError::NotWritable));
}

#[test]
fn what_belongs_together_is_taken_whole_however_many_pieces_it_has() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    let record = bulk(20_000);
    assert!(pair.a.link.writable(lane) >= record.len());
    for piece in record.chunks(10) {
        pair.a.link.write_whole(lane, Bytes::copy_from_slice(piece)).unwrap();
    }
    assert_eq!(pair.a.link.writable(lane), 0, "no room for more");
    pair.drive();
    assert_eq!(pair.b.read_all(lane, pair.now).0, record);
}

#[test]
fn readable_is_said_once_until_the_lane_was_read_empty() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    for _ in 0..3 {
        pair.a.link.write(lane, &mut bulk(10)).unwrap();
        pair.drive();
    }
    assert_eq!(pair.b.take_events(), [Event::Readable(lane)]);
    assert_eq!(pair.b.read_all(lane, pair.now).0.len(), 30);
    pair.a.link.write(lane, &mut bulk(10)).unwrap();
    pair.drive();
    assert_eq!(pair.b.take_events(), [Event::Readable(lane)]);
}

#[test]
fn a_reset_drops_what_was_queued_and_says_its_class() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    pair.a.link.write(lane, &mut bulk(256 * KIB)).unwrap();
    let reset = Reset { code: 4443, class: ResetClass::Detach };
    pair.b.link.reset(lane, reset);
    pair.drive();
    assert_eq!(pair.a.take_events(), [Event::Reset { lane, reset }]);
    assert_eq!((pair.a.link.buffered(), pair.b.link.buffered()), (0, 0));
    assert!(pair.b.link.ended().is_none(), "what was on its way is no violation");
}

#[test]
fn after_go_away_no_lane_is_opened_and_those_that_exist_go_on() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    let racing = pair.a.link.open(Open::default()).unwrap();
    pair.b.link.go_away(1012, "restart\u{1b}[31m");
    pair.drive();
    let refused = Event::Refused { lane: racing, code: Refusal::Draining.code(), detail: Bytes::new() };
    let away = Event::GoAway { code: 1012, hint: "restart\u{fffd}[31m".into() };
    assert_eq!(pair.a.take_events(), [away, refused]);
    assert_eq!(pair.a.link.open(Open::default()), Err(OpenError::GoingAway));
    pair.a.link.write(lane, &mut bulk(5)).unwrap();
    pair.drive();
    assert_eq!(pair.b.read_all(lane, pair.now).0, &bulk(5)[..]);
}

#[test]
fn kills_inventories_and_keys_arrive_as_they_were_sent() {
    let mut pair = Pair::new();
    let session = SessionId::from_bytes([9; 16]);
    pair.b.link.kill(session, 4412);
    pair.b.link.keys("keys".into());
    let parts = inventory(100);
    pair.a.link.inventory(parts[0].clone(), false);
    pair.a.link.inventory(parts[1].clone(), true);
    pair.drive();
    assert_eq!(pair.a.take_events(), [Event::Kill { session, code: 4412 }, Event::Keys("keys".into())]);
    let first = Event::Inventory { entries: parts[0].clone(), last: false };
    assert_eq!(pair.b.take_events(), [first, Event::Inventory { entries: parts[1].clone(), last: true }]);
}

#[test]
fn closing_says_first_what_was_still_to_say() {
    let mut pair = Pair::new();
    pair.b.link.kill(SessionId::from_bytes([1; 16]), 4412);
    pair.b.link.close(1012, "restart");
    pair.drive();
    assert!(matches!(pair.a.take_events()[..], [Event::Kill { .. }]));
    assert_eq!(pair.b.closed, Some((1012, "restart".into())));
    let [Event::Closed(end)] = &pair.b.take_events()[..] else { panic!("no end") };
    assert_eq!((end.by, end.code), (EndedBy::Us, 1012));
}

#[test]
fn an_idle_link_stays_alive_by_pings_and_knows_its_distance() {
    let mut pair = Pair::new();
    pair.latency = Duration::from_millis(20);
    pair.pass(Duration::from_secs(120));
    assert!(pair.a.link.ended().is_none() && pair.b.link.ended().is_none());
    assert_eq!(pair.a.link.last_rtt(), Some(Duration::from_millis(40)));
    assert_eq!(pair.a.link.rtt(), Some(Duration::from_micros(200)), "the smallest of the last minutes");
}

#[test]
fn the_local_limit_of_the_peer_is_respected_before_it_is_asked() {
    let mut few = Config::new(Side::Acceptor);
    few.limits = Limits { lanes_max: 2, ..few.limits };
    let mut pair = Pair::with(Config::new(Side::Dialer), few);
    assert!(pair.a.link.open(Open::default()).is_ok());
    assert!(pair.a.link.open(Open::default()).is_ok());
    assert_eq!(pair.a.link.open(Open::default()), Err(OpenError::LanesMax));
    assert!(pair.b.link.open(Open::default()).is_ok(), "the limit counts each side's own lanes");
}

#[test]
fn an_idle_lane_is_small() {
    let mut config = Config::new(Side::Acceptor);
    (config.limits.lanes_max, config.churn) = (10_000, None);
    let mut pair = Pair::with(Config::new(Side::Dialer), config);
    for _ in 0..5_000 {
        let lane = pair.a.link.open(Open::default()).unwrap();
        pair.drive();
        pair.b.link.accept(lane, Bytes::new()).unwrap();
    }
    pair.drive();
    assert_eq!((pair.a.link.lanes(), pair.a.link.buffered(), pair.b.link.buffered()), (5_000, 0, 0));
}
