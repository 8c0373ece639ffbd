//! More than was granted, or at the wrong time (T3).

use crate::peer::{KIB, code, data, open, raw, say, victim, victim_with, victim_with_lane};
use bytes::Bytes;
use postern_tunnel_proto::{Budget, Config, LaneId, Open, Side, frame::Kind};

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
