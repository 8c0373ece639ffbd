//! A second reading of `docs/protocol.md`, section 10: what an honest end may say on a lane, record by record, compared
//! with what it accepted, what its peer said, and what its program wrote. It shares no code with the protocol.

use super::{Model, Side};
use postern_ids::StreamId;
use std::collections::BTreeMap;

/// What each side may send before the first Ack.
const INITIAL_LIMIT: u64 = 65_536;
const DATA_MAX: usize = 65_536;

/// What one end said, over all its lanes.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The attempt that its last greeting was for.
    generation: u32,
    /// The receive offset in each greeting.
    stated: BTreeMap<u32, u64>,
    /// The greatest receive offset in any record.
    received: u64,
    limit: u64,
    /// Where its Data on this lane went on to; none before the first.
    next: Option<u64>,
    fin: bool,
    end: bool,
    /// How far its Data ever went.
    sent: u64,
}

/// What an end is and has when it speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) side: Side,
    pub(crate) generation: u32,
    /// What it accepted of its peer's direction; Fin counts as one byte.
    pub(crate) received: u64,
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

impl Model {
    /// An end gives whole records to its lane. A line about them comes back for the log.
    pub(crate) fn spoke(&mut self, id: StreamId, told: Told, mut records: &[u8]) -> Result<String, String> {
        let mut line = String::new();
        while let [kind, a, b, c, rest @ ..] = records {
            let len = usize::try_from(number(&[*a, *b, *c])).unwrap();
            let (payload, rest) = rest.split_at_checked(len).ok_or("D12: half a record was sent")?;
            let said = self.on_record(id, told, *kind, payload);
            line.push_str(&said.map_err(|error| format!("D12: {id}, {told:?}: {error}"))?);
            records = rest;
        }
        if records.is_empty() { Ok(line) } else { Err("D12: less than a record was sent".into()) }
    }

    /// What was written and never sent is still held, whatever a peer acknowledges.
    pub(crate) fn holds_the_unsent(&mut self, id: StreamId, side: Side, held: usize) -> Result<(), String> {
        let ledger = self.stream(id);
        let sent = ledger.end(side).said.sent;
        let unsent = ledger.flow(side.writes()).written.saturating_sub(sent);
        if u64::try_from(held).unwrap() >= unsent {
            return Ok(());
        }
        Err(format!("D12: {id} dropped bytes at the {side:?} that it never sent"))
    }

    fn on_record(&mut self, id: StreamId, told: Told, kind: u8, payload: &[u8]) -> Result<String, String> {
        let ledger = self.stream(id);
        let said = &mut ledger.end_mut(told.side).said;
        let is_greeting = match told.side {
            Side::Client => kind == 1,
            Side::Connector => kind == 2,
        };
        if is_greeting {
            return said.greet(told, payload);
        }
        if said.generation != told.generation {
            return Err(format!("record {kind} before the greeting"));
        }
        if said.end {
            return Err(format!("record {kind} after the end"));
        }
        match (kind, payload) {
            (4, [offset @ .., _]) if offset.len() >= 8 => self.on_data(id, told, payload),
            (5, payload) if payload.len() == 16 => said.ack(told, payload),
            (6, payload) if payload.len() == 8 => self.on_fin(id, told.side, number(payload)),
            (7, [a, b]) => {
                said.end = true;
                Ok(format!(" end {}", number(&[*a, *b])))
            }
            _ => Err(format!("record {kind} of {} bytes", payload.len())),
        }
    }

    fn on_data(&mut self, id: StreamId, told: Told, payload: &[u8]) -> Result<String, String> {
        let (offset, bytes) = payload.split_at(8);
        let (offset, end) = (number(offset), number(offset) + u64::try_from(bytes.len()).unwrap());
        let ledger = self.stream(id);
        let peer = &ledger.end(told.side.peer()).said;
        let allowed = peer.limit.max(INITIAL_LIMIT);
        // Before it is welcomed a client starts at the first byte; a greeting of the peer lets it go on further.
        let stated = peer.stated.get(&told.generation).copied();
        let own = &ledger.end(told.side).said;
        let goes_on = match (own.next, told.side) {
            (Some(next), Side::Client) => {
                offset == next || stated.is_some_and(|at| at == offset && at > next)
            }
            (Some(next), Side::Connector) => offset == next,
            (None, Side::Client) => offset == 0 || stated == Some(offset),
            (None, Side::Connector) => stated == Some(offset),
        };
        // What a liar stated is not known here.
        let allows = !ledger.is_honest() || (goes_on && end <= allowed);
        let flow = ledger.flow(told.side.writes());
        if !allows || bytes.len() > DATA_MAX || end > flow.written || !flow.holds(offset, bytes) {
            return Err(format!(
                "data {offset}..{end} of {}, stated {stated:?}, up to {allowed}",
                flow.written
            ));
        }
        let said = &mut ledger.end_mut(told.side).said;
        if said.fin {
            return Err("data after the fin".into());
        }
        (said.next, said.sent) = (Some(end), said.sent.max(end));
        Ok(format!(" data {offset}..{end}"))
    }

    fn on_fin(&mut self, id: StreamId, side: Side, length: u64) -> Result<String, String> {
        let ledger = self.stream(id);
        let flow = ledger.flow(side.writes());
        let right = flow.finished && flow.written == length;
        let said = &mut ledger.end_mut(side).said;
        if !right || said.next.is_some_and(|next| next < length) || std::mem::replace(&mut said.fin, true) {
            return Err(format!("fin {length}"));
        }
        Ok(format!(" fin {length}"))
    }
}

impl Said {
    /// It said its end on the lane that it spoke on last.
    pub(super) fn has_ended(&self) -> bool {
        self.end
    }

    /// Attach or Welcome.
    fn greet(&mut self, told: Told, payload: &[u8]) -> Result<String, String> {
        let (generation, offset, fits) = match told.side {
            Side::Client => (payload.get(53..57), payload.get(57..65), payload.len() == 145),
            Side::Connector => (payload.get(2..6), payload.get(6..14), payload.len() == 30),
        };
        let generation = u32::try_from(generation.map_or(0, number)).unwrap();
        let offset = offset.map_or(0, number);
        // A Welcome states what was accepted when its lane came: early data may have been since.
        let true_of = match told.side {
            Side::Client => offset == told.received,
            Side::Connector => offset <= told.received,
        };
        let right = fits && generation == told.generation && true_of;
        if !right || generation <= self.generation || offset < self.received {
            return Err(format!("greeting for attempt {generation} at {offset}"));
        }
        let mut stated = std::mem::take(&mut self.stated);
        stated.insert(generation, offset);
        *self = Self {
            generation,
            stated,
            received: offset,
            limit: self.limit,
            sent: self.sent,
            ..Self::default()
        };
        Ok(format!(" greeting {generation} at {offset}"))
    }

    fn ack(&mut self, told: Told, payload: &[u8]) -> Result<String, String> {
        let (received, limit) = (number(&payload[..8]), number(&payload[8..]));
        if received != told.received || received < self.received || limit < self.limit {
            return Err(format!("ack {received} up to {limit}"));
        }
        (self.received, self.limit) = (received, limit);
        Ok(format!(" ack {received} up to {limit}"))
    }
}
