//! What must hold at the end of a run, and what the run came to.

use super::World;
use crate::model::{Ledger, Side};
use postern_ids::{Ended, StreamId};
use std::collections::BTreeMap;

/// What a run came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) hash: u64,
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

impl World {
    /// Every stream is over at both ends and forgotten, and every session has its end.
    pub(super) fn is_over(&self) -> bool {
        self.stage.net.now >= self.chaos.calm_at
            && self.client.streams.iter().all(|attempt| attempt.carrier.is_done())
            && self.connector.held.is_empty()
            && self.gateways.iter().all(|gateway| gateway.down_until.is_none() && gateway.holds() == (0, 0))
            && self.stage.model.store.sessions.values().all(|record| record.ended.is_some())
    }

    /// What is not over when it should be.
    pub(super) fn unfinished(&self) -> String {
        let streams = self.client.streams.iter().map(|attempt| &attempt.carrier.stream);
        let open: Vec<_> =
            streams.filter(|stream| stream.over().is_none()).map(|stream| stream.id()).collect();
        let held: Vec<_> = self.connector.held.keys().collect();
        let sessions: Vec<_> =
            self.stage.model.store.sessions.iter().filter(|(_, record)| record.ended.is_none()).collect();
        let gateways: Vec<_> = self.gateways.iter().map(crate::gateway::Gateway::sessions).collect();
        format!(
            "D14: it does not come to an end: client {open:?}, connector {held:?}, gateways {gateways:?}, unrecorded {sessions:?}"
        )
    }

    pub(super) fn judge(&mut self) -> Result<Report, String> {
        let ids: Vec<StreamId> = self.stage.model.streams.keys().copied().collect();
        for id in ids {
            let ledger = self.stage.model.stream(id);
            if ledger.is_honest() && !ledger.was_dialed_again {
                judge(id, ledger)?;
            }
        }
        self.judge_records()?;
        let seen = std::mem::take(&mut self.stage.model.seen);
        Ok(Report { hash: self.stage.net.trace.hash, seen })
    }

    /// D14: a session is recorded with the end that one of its ends saw, or as lost.
    fn judge_records(&self) -> Result<(), String> {
        let finished = Ended::Finished.code();
        for (session, record) in &self.stage.model.store.sessions {
            let Some(ledger) = self.stage.model.streams.get(&record.stream) else { continue };
            let Some((code, _)) = record.ended.filter(|_| ledger.is_honest()) else { continue };
            let carried = ledger.session == Some(*session)
                && ledger.end(Side::Connector).is_there
                && !ledger.was_dialed_again;
            // A program that died with its process read no more, whatever had come for it.
            let came = !ledger.end(Side::Client).is_there && ledger.has_finished(Side::Client);
            let whole = ledger.up.is_whole() && (ledger.down.is_whole() || came);
            let in_words = self.stage.terms.ends_with_record || ledger.was_ended_in_words();
            if carried && code == finished && !whole && !in_words {
                return Err(format!("D14: {session} is recorded as finished and was not: {ledger:?}"));
            }
        }
        Ok(())
    }
}

/// D12: a stream that finished at both ends carried everything.
fn judge(id: StreamId, ledger: &Ledger) -> Result<(), String> {
    // A program that died with its process read no more.
    if ledger.has_finished(Side::Client) && ledger.end(Side::Client).is_there && !ledger.down.is_whole() {
        return Err(format!("D12: {id} finished at the client without its last byte"));
    }
    if ledger.has_finished(Side::Connector) && ledger.end(Side::Connector).is_there && !ledger.up.is_whole() {
        return Err(format!("D12: {id} finished at the target without its last byte"));
    }
    Ok(())
}
