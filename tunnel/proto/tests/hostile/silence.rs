//! Peers that fall silent, or stop to read (T5).

use crate::pair::epoch;
use crate::peer::{victim, victim_with_lane};
use postern_tunnel_proto::{Config, EndedBy, Link, Outcome, Side, Transmit};
use std::time::Duration;

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
