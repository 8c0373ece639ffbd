//! How much a link queues for sending.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod pair;

use bytes::Bytes;
use pair::Pair;
use postern_tunnel_proto::{Event, LaneId};

const KIB: usize = 1024;

/// Writes as much as the lane takes.
fn fill(pair: &mut Pair, lane: LaneId) -> usize {
    pair.a.link.write(lane, &mut Bytes::from(vec![7; 1024 * KIB])).unwrap()
}

#[test]
fn a_lane_alone_queues_much_and_one_of_many_a_chunk() {
    let mut pair = Pair::new();
    let lanes: Vec<LaneId> = (1..=10).map(|flow| pair.lane(flow)).collect();
    let taken: Vec<usize> = lanes.iter().map(|&lane| fill(&mut pair, lane)).collect();
    assert_eq!((taken[0], taken[1]), (256 * KIB, 256 * KIB));
    assert_eq!((taken[8], taken[9]), (64 * KIB, 64 * KIB));
    pair.drive();
    let woken: Vec<LaneId> = pair
        .a
        .take_events()
        .into_iter()
        .filter_map(|event| if let Event::Writable(lane) = event { Some(lane) } else { None })
        .collect();
    assert!(lanes.iter().all(|lane| woken.contains(lane)), "each is asked for more: {woken:?}");
    assert_eq!(fill(&mut pair, lanes[0]), 256 * KIB, "nothing else waits");
}
