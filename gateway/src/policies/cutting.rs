//! Looking at all live sessions again, off the threads that move bytes: cut first, record after.

use super::{Live, Policies};
use postern_ids::{Ended, Timestamp};
use postern_policy::live::{Cut as TableCut, Filter, Pass};
use postern_store::journal::Journal;
use postern_tunnel_io::Cut;
use std::sync::Arc;

/// Sessions looked at in one slice: at a few µs each well below 5 ms, so that a session that enters waits no longer.
const SLICE: usize = 256;

/// Which sessions to look at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope {
    /// All: something other than the time changed.
    All,
    /// Those whose boundary has come.
    Due,
}

/// Decides the sessions in scope again and cuts those that must end. Gives how many were cut. It blocks: run it on a
/// thread of its own.
pub(super) fn cut_what_must_end(
    scope: Scope,
    live: &Live,
    policies: &Policies,
    journal: &Journal,
    now: Timestamp,
) -> usize {
    let (snapshot, staleness) = policies.current();
    let mut pass: Pass<'_, Cut> = match scope {
        Scope::All => live.reconcile(Arc::clone(&snapshot), staleness, now),
        Scope::Due => live.due(Arc::clone(&snapshot), staleness, now),
    };
    let mut cuts = Vec::new();
    while !pass.is_done() {
        cuts.extend(pass.step(SLICE).into_iter().inspect(give));
        std::thread::yield_now();
    }
    record(&cuts, journal);
    cuts.len()
}

/// Ends the sessions that a filter selects: cut first, recorded after. Gives how many there were.
pub fn end_sessions(live: &Live, filter: &Filter, ended: Ended, journal: &Journal) -> usize {
    let cuts = live.end(filter, ended);
    cuts.iter().for_each(give);
    record(&cuts, journal);
    cuts.len()
}

fn give(cut: &TableCut<Cut>) {
    cut.handle.cut(cut.ended);
}

fn record(cuts: &[TableCut<Cut>], journal: &Journal) {
    for deny in cuts.iter().filter_map(|cut| cut.deny.as_ref()) {
        journal.denied(deny);
    }
}
