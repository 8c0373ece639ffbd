//! An attempt that a gateway made up: it can sign any grant, and has the key of no stream.

use super::records;
use crate::{
    stage::{Node, Stage},
    words::{Facts, sign},
};
use bytes::Bytes;
use postern_ids::{SessionId, StreamId};
use postern_tunnel_proto::stream::Attach;

/// Grant and early data that look like the next attempt of this stream, and are wrong in one place.
pub(crate) fn forged(stream: StreamId, session: SessionId, stage: &mut Stage) -> (Bytes, Bytes) {
    let now = stage.net.now;
    let rng = &mut stage.net.rng;
    let key = [stream.to_bytes()[0]; 32];
    let other = key.map(|byte| byte ^ 0x55);
    let mut attach = Attach {
        version_min: 1,
        version_max: 1,
        resume_only: rng.one_in(2),
        stream,
        key,
        generation: u32::MAX - 1,
        received: rng.any(),
        instance: rng.id(),
        proof: [0; 64],
    };
    let mut facts =
        Facts { session, stream, key, principal: Node::Client, connector: Node::Connector, expires: None };
    let signed_with = match rng.below(4) {
        // A proof that is none, or of another key.
        0 => other,
        // Another key, in the grant as well.
        1 => {
            (attach.key, facts.key) = (other, other);
            other
        }
        // Another key, and the grant of the right one.
        2 => {
            attach.key = other;
            other
        }
        // Another session. That its proof is right nobody else could do: even so it attaches nowhere.
        _ => {
            facts.session = SessionId::from_bytes(rng.id());
            key
        }
    };
    attach.proof = sign(&attach.proof_message(), signed_with);
    (facts.grant(now), records::attach(&attach).into())
}
