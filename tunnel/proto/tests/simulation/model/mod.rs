//! The reference model: what must hold after each step, whatever the actors do. It knows what the programs wrote and read,
//! what was recorded, what was revoked, and what each end said; it knows no lanes, windows, buffers or states of the code.
//! Each complaint begins with the invariant that is broken.

mod deadlines;
mod flow;
mod ledger;
mod spoken;
mod store;

pub(crate) use ledger::{Ledger, Side};
pub(crate) use spoken::Told;
pub(crate) use store::Store;

use crate::stage::Node;
use deadlines::Deadlines;
use ledger::Lie;
use postern_ids::{Ended, SessionId, StreamId};
use postern_tunnel_proto::stream::Over;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How a stream ends that no lane carries.
const LOST: &str = "no lane came within the window";
/// A client that has everything goes on trying to say so for twice as long.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Model {
    pub(crate) streams: BTreeMap<StreamId, Ledger>,
    pub(crate) store: Store,
    pub(crate) deadlines: Deadlines,
    window: Duration,
    may_run_out_of_memory: bool,
    /// What happened how often, so that nobody believes in a simulation in which nothing does.
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

impl Model {
    pub(crate) fn new(window: Duration, may_run_out_of_memory: bool) -> Self {
        Self {
            streams: BTreeMap::new(),
            store: Store::default(),
            deadlines: Deadlines::new(crate::epoch()),
            window,
            may_run_out_of_memory,
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// A stream that `client` will open to `connector`.
    pub(crate) fn expect(&mut self, id: StreamId, client: Node, connector: Node, expires: Option<Instant>) {
        let number = u64::try_from(self.streams.len()).unwrap();
        let mut ledger = Ledger::new(number, client, connector, expires);
        ledger.excuses.extend(expires.map(|_| Ended::Expired.code()));
        self.streams.insert(id, ledger);
    }

    pub(crate) fn stream(&mut self, id: StreamId) -> &mut Ledger {
        self.streams.get_mut(&id).unwrap()
    }

    /// The target is dialed for a stream: once, as long as the process lives that holds it.
    pub(crate) fn dialed(
        &mut self,
        id: StreamId,
        session: SessionId,
        instance: [u8; 16],
    ) -> Result<(), String> {
        let ledger = self.stream(id);
        // Long after its end, an id may be that of another stream.
        let is_new = ledger.session != Some(session) || ledger.client.is_hostile();
        let is_another = is_new && ledger.end(Side::Connector).over.is_some();
        if ledger.dialed_by.replace(instance) == Some(instance) && !is_another {
            return Err(format!("D12: the target of {id} was dialed twice"));
        }
        ledger.was_dialed_again |= ledger.generation > 0;
        (ledger.up.delivered, ledger.up.ended) = (0, false);
        (ledger.down.written, ledger.down.finished) = (0, false);
        (ledger.generation, ledger.session) = (0, None);
        (ledger.lie, ledger.was_lied_about) = (None, false);
        *ledger.end_mut(Side::Connector) = ledger::EndOf { is_there: true, ..Default::default() };
        Ok(())
    }

    /// The connector takes an attempt, under a grant for this session.
    pub(crate) fn taken(&mut self, id: StreamId, session: SessionId, generation: u32) -> Result<(), String> {
        self.store.is_admitted(session, generation)?;
        let ledger = self.stream(id);
        if *ledger.session.get_or_insert(session) != session {
            return Err(format!("D12: {id} changes its session"));
        }
        if generation <= ledger.generation {
            return Err(format!("D12: {id} takes attempt {generation} after {}", ledger.generation));
        }
        if std::mem::replace(&mut ledger.generation, generation) > 0 {
            self.saw("a stream was taken over by a newer lane");
        }
        Ok(())
    }

    /// Who opened the lane that carries it at its connector from now on.
    pub(crate) fn carries(&mut self, id: StreamId, is_lie: bool) {
        let ledger = self.stream(id);
        ledger.lie = is_lie.then_some(Lie::Carries);
        ledger.was_lied_about |= is_lie;
    }

    /// A program reads bytes of its peer.
    pub(crate) fn delivered(
        &mut self,
        id: StreamId,
        to: Side,
        chunk: &[u8],
        now: Instant,
    ) -> Result<(), String> {
        let ledger = self.streams.get_mut(&id).unwrap();
        ledger.flow(to.peer().writes()).deliver(chunk).map_err(|error| format!("{error} ({id}, {to:?})"))?;
        let lie = self.store.lie_about(ledger);
        self.deadlines.allow_bytes((id, ledger), to, lie, now)?;
        let Some(session) = ledger.session.filter(|_| to == Side::Connector) else { return Ok(()) };
        self.store.is_admitted(session, ledger.generation)?;
        // It was accepted before the end, whatever was recorded meanwhile.
        if ledger.has_finished(to) {
            return Ok(());
        }
        self.deadlines.allow_bytes_of(session, &self.store, lie, now)
    }

    /// A program reads the end of its peer's direction.
    pub(crate) fn saw_end(&mut self, id: StreamId, at: Side) -> Result<(), String> {
        let ledger = self.stream(id);
        let is_honest = ledger.is_honest();
        let flow = ledger.flow(at.peer().writes());
        let ended = flow.end();
        // A liar may have gone on after its Fin, on lanes that nobody reads any more.
        let is_true = !is_honest && (flow.finished && flow.fins.contains(&flow.delivered) || ended.is_ok());
        if is_true { Ok(()) } else { ended.map_err(|error| format!("{error} ({id}, {at:?})")) }
    }

    /// A lane carries this end, or none does any more.
    pub(crate) fn attached(&mut self, id: StreamId, side: Side, is_attached: bool, now: Instant) {
        let ledger = self.stream(id);
        let detached = &mut ledger.end_mut(side).detached;
        if is_attached {
            *detached = None;
            return;
        }
        detached.get_or_insert(now);
        if side == Side::Connector {
            ledger.lie = ledger.lie.map(|_| Lie::LetGo(now));
        }
    }

    /// This end may be ended with this code from now on.
    pub(crate) fn excuse(&mut self, id: StreamId, code: u16) {
        self.stream(id).excuses.insert(code);
    }

    /// An end of a stream is over: once, and not before its time.
    pub(crate) fn over(&mut self, id: StreamId, side: Side, over: Over, now: Instant) -> Result<(), String> {
        self.saw(over.reason);
        let (window, may_run_out) = (self.window, self.may_run_out_of_memory);
        let ledger = self.stream(id);
        if let Some((before, _)) = ledger.end_mut(side).over.replace((over, now)) {
            return Err(format!("D14: {id} ends at the {side:?} with {before:?} and with {over:?}"));
        }
        if over.code == Ended::Finished.code() || !ledger.is_honest() {
            return Ok(());
        }
        if side == Side::Connector && over.reason == LOST {
            self.was_untold(id)?;
        }
        let ledger = self.streams.get_mut(&id).unwrap();
        let since = ledger.end(side).detached;
        // What a gateway that lies brought back ends with the end that an honest one had given it.
        let ends_a_lie = ledger.was_lied_about && self.store.was_ended(ledger.session, over.code);
        let too_early = over.code == Ended::Expired.code() && ledger.expires.is_none_or(|at| now < at);
        let own = match over.reason {
            _ if too_early => false,
            LOST => since.is_some_and(|since| now >= since + window),
            "the session expired" => ledger.expires.is_some_and(|at| now >= at),
            "the streams of this process hold too much" => may_run_out,
            "ended here"
            | "ended by the peer"
            | "the lane was ended"
            | "the connector rejected the stream" => ledger.excuses.contains(&over.code) || ends_a_lie,
            _ => false,
        };
        if !own {
            return Err(format!("D12: {id} was lost at the {side:?}, detached since {since:?}: {over:?}"));
        }
        ledger.excuses.insert(over.code);
        Ok(())
    }

    /// A stream that arrived whole at its client, and then waited in vain at its connector: only trouble can explain it.
    fn was_untold(&mut self, id: StreamId) -> Result<(), String> {
        let ledger = self.stream(id);
        let client = ledger.end(Side::Client);
        let finished = client.over.filter(|(over, _)| client.is_there && over.code == Ended::Finished.code());
        let Some((_, at)) = finished else { return Ok(()) };
        self.saw("a stream that arrived whole was lost");
        if self.deadlines.is_calm_since(at + TOLD_WITHIN) {
            return Err(format!("D14: {id} arrived whole, and is lost at the Connector"));
        }
        Ok(())
    }

    /// The process at this end died: the other end may be told so, and will hear nothing of it.
    pub(crate) fn died(&mut self, id: StreamId, side: Side) {
        let ledger = self.stream(id);
        ledger.end_mut(side).is_there = false;
        ledger.excuses.extend([
            Ended::ResumeFailed.code(),
            Ended::ConnectorLost.code(),
            Ended::ClientLost.code(),
            Ended::Lost.code(),
        ]);
    }

    /// What must hold at every moment.
    pub(crate) fn check(&self, now: Instant) -> Result<(), String> {
        let check = |(id, ledger)| self.deadlines.check((id, ledger), self.store.lie_about(ledger), now);
        self.streams.iter().map(|(id, ledger)| (*id, ledger)).try_for_each(check)
    }
}
