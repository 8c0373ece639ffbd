//! What the pages and the API may know of the present moment.

use crate::{
    connectors::Connectors,
    policies::{Live, Policies, end_sessions},
    sessions::HeldSessions,
};
use postern_ids::{ConnectorId, Ended, SessionId, SignInId};
use postern_policy::{
    Snapshot, Staleness,
    live::{Filter, LiveView},
};
use postern_store::journal::Journal;
use postern_web::{LiveSessions, Snapshots};
use std::{collections::HashSet, sync::Arc};

/// The node, as the web sees it.
#[derive(Clone)]
pub(super) struct Present {
    pub(super) policies: Arc<Policies>,
    pub(super) live: Arc<Live>,
    pub(super) journal: Journal,
    pub(super) connectors: Connectors,
    pub(super) held: Arc<HeldSessions>,
}

impl Snapshots for Present {
    fn current(&self) -> (Arc<Snapshot>, Staleness) {
        self.policies.current()
    }
}

impl LiveSessions for Present {
    fn list(&self, filter: &Filter) -> Vec<LiveView> {
        self.live.matching(filter)
    }

    fn end(&self, session: SessionId, ended: Ended) -> bool {
        let lived = end_sessions(&self.live, &Filter::Session(session), ended, &self.journal) > 0;
        self.held.sweep();
        lived
    }

    fn connectors_online(&self) -> Vec<ConnectorId> {
        self.connectors.online()
    }

    fn sign_ins_in_use(&self) -> Vec<SignInId> {
        let sign_ins = self.live.matching(&Filter::All).into_iter().filter_map(|view| view.sign_in);
        sign_ins.collect::<HashSet<_>>().into_iter().collect()
    }
}
