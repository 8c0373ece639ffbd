//! Too many lanes, too fast, or never read (T4).

use crate::pair::Pair;
use crate::pair::epoch;
use crate::peer::{KIB, code, data, drain, open, raw, say, victim, victim_with, victim_with_lane};
use bytes::Bytes;
use postern_ids::Refusal;
use postern_tunnel_proto::{
    Budget, Churn, Config, Event, LaneId, Limits, Link, Open, Outcome, Side, Transmit, frame::Kind,
};
use std::time::Duration;

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
fn t04_a_million_opens_are_each_refused_and_hold_nothing() {
    const OPENS: u32 = 1_000_000;
    let mut link = victim_with(Config { churn: None, ..Config::new(Side::Acceptor) });
    let mut out = Transmit::new();
    let (mut refused, mut offered) = (0, 0);
    for batch in 0..OPENS / 1_000 {
        let opens: Vec<u8> = (0..1_000).flat_map(|n| open(1 + 2 * (batch * 1_000 + n))).collect();
        link.handle_message(opens.into(), epoch());
        for event in drain(&mut link) {
            refused += u32::from(matches!(event, Event::LimitHit(_)));
            offered += u32::from(matches!(event, Event::Incoming { .. }));
        }
        // The peer reads its answers; one that does not is cut off, as the next test shows.
        while link.poll_transmit(&mut out, epoch()) == Outcome::Message {
            link.handle_flushed(epoch());
        }
        assert!(link.lanes() <= 256 && link.buffered() <= 256 * KIB, "{} bytes", link.buffered());
    }
    assert!(link.ended().is_none());
    assert_eq!((offered, refused), (256, OPENS - 256));
}

#[test]
fn t04_a_million_opens_meet_the_rate_of_a_client_and_end_its_link_after_eight_hundred() {
    let mut link = victim();
    let mut heard = 0;
    for n in 0..1_000_000u32 {
        if link.ended().is_some() {
            break;
        }
        let id = 1 + 2 * n;
        say(&mut link, &[open(id), raw(Kind::Reset, id, &[0; 2])]);
        heard = n;
    }
    assert_eq!(code(&mut link), Some(4429));
    assert_eq!(heard, 800, "a burst that is let in, and as many that are refused");
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
