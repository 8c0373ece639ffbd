//! When credit goes back to a sender.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod pair;

use bytes::Bytes;
use pair::Pair;
use postern_tunnel_proto::{LaneId, Outcome, Read, Reset, ResetClass, Transmit, frame::HEADER_LEN};

const KIB: usize = 1024;
const CREDIT: usize = HEADER_LEN + size_of::<u32>();

/// Brings `bytes` to `b`, which has not read them.
fn bring(pair: &mut Pair, lane: LaneId, bytes: usize) {
    let mut left = Bytes::from(vec![7; bytes]);
    while !left.is_empty() {
        pair.a.link.write(lane, &mut left).unwrap();
        pair.drive();
    }
}

/// `b` reads and consumes `bytes` of a lane.
fn consume(pair: &mut Pair, lane: LaneId, bytes: usize) {
    let mut left = bytes;
    while left > 0 {
        let Read::Chunk(chunk) = pair.b.link.read(lane, left).unwrap() else { break };
        pair.b.link.consume(lane, chunk.len(), pair.now);
        left -= chunk.len();
    }
    assert_eq!(left, 0, "so much has come");
}

/// The length of the next message of `b`; none if it has nothing to say.
fn says(pair: &mut Pair) -> Option<usize> {
    let mut out = Transmit::new();
    let outcome = pair.b.link.poll_transmit(&mut out, pair.now);
    (outcome == Outcome::Message).then(|| {
        pair.b.link.handle_flushed(pair.now);
        out.len()
    })
}

#[test]
fn credit_that_is_due_takes_that_of_other_lanes_along() {
    let mut pair = Pair::new();
    let lanes: Vec<LaneId> = (1..=4).map(|flow| pair.lane(flow)).collect();
    lanes.iter().for_each(|&lane| bring(&mut pair, lane, 200 * KIB));
    let [due, third, also_third, little] = lanes[..].try_into().unwrap();
    consume(&mut pair, third, 80 * KIB);
    consume(&mut pair, also_third, 80 * KIB);
    consume(&mut pair, little, 40 * KIB);
    assert_eq!(says(&mut pair), None, "none of them is worth a message");
    consume(&mut pair, due, 130 * KIB);
    assert_eq!(
        says(&mut pair),
        Some(3 * CREDIT),
        "that which is due and two that have a quarter of a window"
    );
    assert_eq!(says(&mut pair), None);
    consume(&mut pair, third, 60 * KIB);
    assert_eq!(says(&mut pair), None, "what was granted counts no more");
}

#[test]
fn data_takes_credit_along_too() {
    let mut pair = Pair::new();
    let lane = pair.lane(1);
    bring(&mut pair, lane, 200 * KIB);
    consume(&mut pair, lane, 80 * KIB);
    assert_eq!(says(&mut pair), None);
    pair.b.link.write(lane, &mut Bytes::from_static(b"answer")).unwrap();
    assert_eq!(says(&mut pair), Some(CREDIT + HEADER_LEN + b"answer".len()));
}

#[test]
fn a_lane_that_is_gone_takes_its_early_credit_with_it() {
    let mut pair = Pair::new();
    let (gone, stays) = (pair.lane(1), pair.lane(2));
    bring(&mut pair, gone, 200 * KIB);
    bring(&mut pair, stays, 200 * KIB);
    consume(&mut pair, gone, 80 * KIB);
    pair.b.link.reset(gone, Reset { code: 4412, class: ResetClass::End });
    pair.drive();
    // Its place is taken by another lane, which is owed nothing.
    let heir = pair.lane(3);
    bring(&mut pair, heir, 10 * KIB);
    consume(&mut pair, stays, 130 * KIB);
    assert_eq!(says(&mut pair), Some(CREDIT));
}
