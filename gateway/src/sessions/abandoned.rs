//! Sessions of gateways that are gone: nobody there will record their end any more (D14).
//!
//! What could be resumed has been resumed elsewhere by then, which moved it, or is known here, where its end will be seen.
//! What remains is lost: recorded so for the generation that the row has, so that a later word of somebody who saw more counts
//! over it.

use crate::policies::wall_clock;
use postern_ids::{Ended, NodeId, SessionId};
use postern_store::{
    Store, StoreError,
    journal::{Journal, SessionEnd},
};
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval};

/// How often a gateway gives a sign of life, and looks at those of the others.
const BEAT: Duration = Duration::from_secs(10);
/// A gateway without a sign of life for so long is gone. One that only lost the store may carry sessions for as long as
/// policy allows, five minutes by default, and after that they may wait for their clients.
const GONE_AFTER: Duration = Duration::from_secs(600);
/// Sessions ended at a time: a few hundred records are a fraction of a second for journal and store.
const BATCH: u32 = 500;

/// Looks after the sessions of other gateways.
pub struct Abandoned {
    store: Store,
    journal: Journal,
    /// Whether a session is carried or waits here.
    is_known: Box<dyn Fn(SessionId) -> bool + Send + Sync>,
    watch: Watch,
    /// Those of the last batch: their ends are on the way to the store.
    told: HashSet<SessionId>,
}

impl Abandoned {
    /// Of all gateways but the one that this journal is of.
    pub fn new(
        store: Store,
        journal: Journal,
        is_known: impl Fn(SessionId) -> bool + Send + Sync + 'static,
    ) -> Self {
        let watch = Watch { own: journal.node(), seen: HashMap::new() };
        Self { store, journal, is_known: Box::new(is_known), watch, told: HashSet::new() }
    }

    /// Looks after them for ever. While the store is away nobody's signs are seen, so nobody is gone.
    pub async fn run(mut self) -> Infallible {
        let mut tick = interval(BEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.look().await {
                tracing::debug!(error = %error, "the other gateways could not be looked at");
                self.watch.seen.clear();
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        self.store.beat(self.watch.own).await?;
        let beats = self.store.beats().await?;
        for (node, beats) in self.watch.gone(&beats, Instant::now()) {
            let unended = self.store.unended_of(node, BATCH).await?;
            if unended.is_empty() {
                self.store.forget_node(node, beats).await?;
            }
            self.end(node, &unended);
        }
        Ok(())
    }

    fn end(&mut self, node: NodeId, unended: &[(SessionId, u32)]) {
        let lost: Vec<_> = unended.iter().filter(|(session, _)| !(self.is_known)(*session)).collect();
        let told = lost.iter().map(|(session, _)| *session).collect();
        let before = std::mem::replace(&mut self.told, told);
        for &(session, generation) in lost.into_iter().filter(|(session, _)| !before.contains(session)) {
            let (ended, at) = (Ended::Lost, wall_clock());
            self.journal.ended(SessionEnd { session, generation, ended, bytes_up: 0, bytes_down: 0, at });
            tracing::warn!(session.id = %session, node.id = %node, "session lost: its gateway is gone");
        }
    }
}

/// The signs of life of the other gateways, by this one's clock.
struct Watch {
    own: NodeId,
    seen: HashMap<NodeId, (u64, Instant)>,
}

impl Watch {
    /// The gateways that are gone; none where it is for another one to look after them.
    fn gone(&mut self, beats: &[(NodeId, u64)], now: Instant) -> Vec<(NodeId, u64)> {
        let others = beats.iter().filter(|(node, _)| *node != self.own);
        let mut seen = HashMap::new();
        for &(node, beats) in others {
            let since = self.seen.get(&node).filter(|(known, _)| *known == beats).map_or(now, |(_, at)| *at);
            seen.insert(node, (beats, since));
        }
        self.seen = seen;
        let is_gone = |since| now.saturating_duration_since(since) >= GONE_AFTER;
        // One does it: of those that live the one with the smallest id.
        if self.seen.iter().any(|(node, (_, since))| *node < self.own && !is_gone(*since)) {
            return vec![];
        }
        let gone = self.seen.iter().filter(|(_, (_, since))| is_gone(*since));
        gone.map(|(node, (beats, _))| (*node, *beats)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_ids::Timestamp;

    fn node(n: u8) -> NodeId {
        NodeId::mint(Timestamp::EPOCH, [n; 10])
    }

    #[test]
    fn d14_a_gateway_without_a_sign_of_life_is_gone_for_the_first_of_those_that_live() {
        let now = Instant::now();
        let (mut first, mut second) =
            (Watch { own: node(1), seen: HashMap::new() }, Watch { own: node(2), seen: HashMap::new() });
        for minute in 0..10 {
            let beats = [(node(1), minute), (node(2), minute), (node(3), 7)];
            let at = now + Duration::from_secs(60 * minute);
            assert_eq!((first.gone(&beats, at), second.gone(&beats, at)), (vec![], vec![]), "{minute}");
        }
        let (beats, at) = ([(node(1), 10), (node(2), 10), (node(3), 7)], now + GONE_AFTER);
        assert_eq!(first.gone(&beats, at), [(node(3), 7)]);
        assert_eq!(second.gone(&beats, at), [], "one is enough");
        let beats = [(node(1), 10), (node(2), 11), (node(3), 8)];
        assert_eq!(first.gone(&beats, at + BEAT), [], "it is back");
        // The first is gone as well: it is for the second now.
        let beats = [(node(1), 10), (node(2), 99), (node(3), 8)];
        let mut gone = second.gone(&beats, at + BEAT);
        assert_eq!(gone, []);
        gone = second.gone(&beats, at + BEAT + GONE_AFTER);
        gone.sort_unstable();
        assert_eq!(gone, [(node(1), 10), (node(3), 8)]);
    }
}
