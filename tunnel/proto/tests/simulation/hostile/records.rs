//! Records of any content, written from `docs/protocol.md` and not by the code under test.

use crate::stage::rng::Rng;
use postern_tunnel_proto::stream::Attach;

/// No program here writes as much.
pub(super) const NEVER_WRITTEN: u64 = 1 << 30;

pub(super) fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![kind, a, b, c];
    bytes.extend_from_slice(payload);
    bytes
}

/// An Attach with whatever it says, and this proof.
pub(super) fn attach(attach: &Attach) -> Vec<u8> {
    let signed = attach.proof_message();
    record(1, &[&signed[24..], &attach.proof].concat())
}

pub(super) fn welcome(version: u16, generation: u32, received: u64, instance: [u8; 16]) -> Vec<u8> {
    let mut payload = version.to_be_bytes().to_vec();
    payload.extend(generation.to_be_bytes());
    payload.extend(received.to_be_bytes());
    payload.extend(instance);
    record(2, &payload)
}

pub(super) fn data(offset: u64, bytes: &[u8]) -> Vec<u8> {
    record(4, &[&offset.to_be_bytes(), bytes].concat())
}

pub(super) fn ack(received: u64, limit: u64) -> Vec<u8> {
    record(5, &[received.to_be_bytes(), limit.to_be_bytes()].concat())
}

pub(super) fn fin(length: u64) -> Vec<u8> {
    record(6, &length.to_be_bytes())
}

pub(super) fn end(code: u16) -> Vec<u8> {
    record(7, &code.to_be_bytes())
}

/// Something that is out of place anywhere, or has no meaning.
pub(super) fn noise(rng: &mut Rng) -> Vec<u8> {
    match rng.below(9) {
        0 => (0..rng.between(1, 200)).map(|_| u8::try_from(rng.below(256)).unwrap()).collect(),
        1 => record(u8::try_from(rng.below(256)).unwrap(), &[0; 9]),
        // A length far beyond what follows, or beyond every limit.
        2 => vec![4, 0xff, 0xff, 0xff, 0, 0],
        3 => vec![u8::try_from(rng.between(1, 7)).unwrap(), 0, 0, 0],
        4 => record(1, &[7; 145]),
        5 => welcome(1, 1, 0, [1; 16]),
        6 => record(3, &4410u16.to_be_bytes()),
        7 => end(u16::try_from(rng.below(65_536)).unwrap()),
        _ => data(u64::MAX - rng.below(20), &[0; 30]),
    }
}
