//! Who asks for a session, or for one to go on, and whether they prove what they say.

use super::{Gateway, Home, Peer};
use crate::{
    stage::{LaneAt, Node, Stage},
    words::{Ask, Facts, is_proven},
};
use bytes::Bytes;
use postern_ids::{Refusal, SessionId};
use postern_tunnel_proto::stream::{Attach, Intake};

/// What a client wants that proved who it is.
pub(super) struct Wanted {
    pub(super) asker: LaneAt,
    pub(super) facts: Facts,
    /// The process that holds the stream, where that is known.
    pub(super) home: Option<Home>,
    /// It was admitted before.
    pub(super) is_recorded: bool,
    pub(super) generation: u32,
    pub(super) early: Bytes,
}

/// Early data must begin with a whole Attach that its key signed; what is asked for decides the rest.
pub(super) fn examine(
    gateway: &Gateway,
    asker: LaneAt,
    metadata: Bytes,
    early: Bytes,
    stage: &mut Stage,
) -> Result<Wanted, u16> {
    let bad = Refusal::BadRequest.code();
    let Some(Peer::Client(principal)) = gateway.peers.get(&asker.0) else { return Err(bad) };
    let attach = Intake::new().read(&mut early.clone()).ok().flatten().ok_or(bad)?;
    if !is_proven(&attach) {
        return Err(Refusal::ProofFailed.code());
    }
    let (facts, home, is_recorded) = match Ask::read(metadata).ok_or(bad)? {
        Ask::Open { connector } if !attach.resume_only => match gateway.find(attach.stream, attach.key) {
            Some(held) if held.facts.principal == *principal && held.facts.connector == connector => {
                (held.facts, held.home, held.is_recorded)
            }
            Some(_) => return Err(Refusal::ProofFailed.code()),
            None => (fresh(&attach, *principal, connector, stage)?, None, false),
        },
        Ask::Resume { ticket } if attach.resume_only => {
            let (facts, home) = resumed(&ticket, &attach, *principal)?;
            (facts, Some(home), true)
        }
        Ask::Open { .. } | Ask::Resume { .. } => return Err(bad),
    };
    Ok(Wanted { asker, facts, home, is_recorded, generation: attach.generation, early })
}

fn fresh(attach: &Attach, principal: Node, connector: Node, stage: &mut Stage) -> Result<Facts, u16> {
    // Each stream stands for a resource of its own, which its client alone may reach.
    let resource = stage.model.streams.get(&attach.stream);
    let resource = resource.filter(|resource| resource.client == principal).ok_or(Refusal::Denied.code())?;
    Ok(Facts {
        session: SessionId::from_bytes(stage.net.rng.id()),
        stream: attach.stream,
        key: attach.key,
        principal,
        connector,
        expires: resource.expires,
    })
}

fn resumed(ticket: &Bytes, attach: &Attach, principal: Node) -> Result<(Facts, Home), u16> {
    let (facts, instance) = Facts::read_ticket(ticket).ok_or(Refusal::ResumeUnknown.code())?;
    let is_theirs = facts.stream == attach.stream
        && facts.key == attach.key
        && facts.principal == principal
        && instance == attach.instance;
    if is_theirs {
        Ok((facts, Home { connector: facts.connector, instance }))
    } else {
        Err(Refusal::ProofFailed.code())
    }
}
