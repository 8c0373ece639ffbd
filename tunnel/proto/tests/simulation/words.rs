//! What the shells say to each other in metadata: requests, grants and tickets. Toys with the properties that count: a grant
//! can only be made by a gateway, a ticket is no grant, and a proof needs the key of its stream.

use crate::stage::Node;
use bytes::{Buf, Bytes};
use postern_ids::{SessionId, StreamId};
use postern_tunnel_proto::stream::Attach;
use std::time::{Duration, Instant};

const GATEWAYS_KEY: [u8; 32] = [0x6a; 32];
const MAC_LEN: usize = 64;
/// A stream that is over is remembered for longer, so that a recording cannot make it anew.
const GRANT_LIFE: Duration = Duration::from_secs(5);

/// What a client asks a gateway for, next to the Attach in its early data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Open { connector: Node },
    Resume { ticket: Bytes },
}

/// What a gateway signed about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) session: SessionId,
    pub(crate) stream: StreamId,
    pub(crate) key: [u8; 32],
    pub(crate) principal: Node,
    pub(crate) connector: Node,
    pub(crate) expires: Option<Instant>,
}

/// A toy signature: whoever knows the key can make it, nobody guesses it.
pub(crate) fn sign(message: &[u8], key: [u8; 32]) -> [u8; 64] {
    let mut state =
        key.iter().fold(7u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    for &byte in message {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut proof = [0; 64];
    proof.chunks_mut(8).for_each(|chunk| {
        state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (state >> 29);
        chunk.copy_from_slice(&state.to_be_bytes());
    });
    proof
}

pub(crate) fn is_proven(attach: &Attach) -> bool {
    sign(&attach.proof_message(), attach.key) == attach.proof
}

impl Ask {
    pub(crate) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Open { connector } => vec![0, letter(*connector)].into(),
            Self::Resume { ticket } => [&[1], ticket.as_ref()].concat().into(),
        }
    }

    pub(crate) fn read(mut bytes: Bytes) -> Option<Self> {
        match bytes.try_get_u8().ok()? {
            0 => Some(Self::Open { connector: node(bytes.try_get_u8().ok()?)? }),
            1 => Some(Self::Resume { ticket: bytes }),
            _ => None,
        }
    }
}

impl Facts {
    /// For the connector: it may carry this session, if the lane comes soon.
    pub(crate) fn grant(&self, now: Instant) -> Bytes {
        self.signed(b'g', &micros(now + GRANT_LIFE).to_be_bytes())
    }

    /// With the time until which a lane may be opened with it; in an inventory it is good for longer.
    pub(crate) fn read_grant(bytes: &Bytes) -> Option<(Self, Instant)> {
        let (facts, rest) = Self::read(b'g', bytes)?;
        let until = u64::from_be_bytes(rest.as_ref().try_into().ok()?);
        Some((facts, crate::epoch() + Duration::from_micros(until)))
    }

    /// For the client: this session, held by this instance of its connector.
    pub(crate) fn ticket(&self, instance: [u8; 16]) -> Bytes {
        self.signed(b't', &instance)
    }

    pub(crate) fn read_ticket(bytes: &Bytes) -> Option<(Self, [u8; 16])> {
        let (facts, rest) = Self::read(b't', bytes)?;
        Some((facts, rest.as_ref().try_into().ok()?))
    }

    fn signed(&self, kind: u8, rest: &[u8]) -> Bytes {
        let expires = self.expires.map_or(0, |at| micros(at) + 1);
        let mut bytes = vec![kind, letter(self.principal), letter(self.connector)];
        bytes.extend(expires.to_be_bytes());
        bytes.extend(self.session.to_bytes());
        bytes.extend(self.stream.to_bytes());
        bytes.extend(self.key);
        bytes.extend_from_slice(rest);
        let mac = sign(&bytes, GATEWAYS_KEY);
        bytes.extend(mac);
        bytes.into()
    }

    fn read(kind: u8, bytes: &Bytes) -> Option<(Self, Bytes)> {
        let body = bytes.slice(..bytes.len().checked_sub(MAC_LEN)?);
        if sign(&body, GATEWAYS_KEY) != bytes[body.len()..] || *body.first()? != kind {
            return None;
        }
        let mut rest = body;
        rest.advance(1);
        let (principal, connector) = (node(rest.get_u8())?, node(rest.get_u8())?);
        let expires = rest.get_u64().checked_sub(1).map(|at| crate::epoch() + Duration::from_micros(at));
        let session = SessionId::from_bytes(array(&mut rest));
        let stream = StreamId::from_bytes(array(&mut rest));
        let key = array(&mut rest);
        Some((Self { session, stream, key, principal, connector, expires }, rest))
    }
}

fn micros(at: Instant) -> u64 {
    u64::try_from(at.duration_since(crate::epoch()).as_micros()).unwrap()
}

fn array<const N: usize>(bytes: &mut Bytes) -> [u8; N] {
    let array = bytes[..N].try_into().unwrap();
    bytes.advance(N);
    array
}

fn letter(node: Node) -> u8 {
    match node {
        Node::Client => 0,
        Node::Connector => 1,
        Node::HostileClient => 2,
        Node::HostileConnector => 3,
        Node::Gateway(number) => 16 + u8::try_from(number).unwrap(),
    }
}

fn node(letter: u8) -> Option<Node> {
    [Node::Client, Node::Connector, Node::HostileClient, Node::HostileConnector]
        .get(usize::from(letter))
        .copied()
}
