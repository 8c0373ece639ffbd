//! Keeps the store under the master key that its gateways were given, and says how far a change of it is.

use crate::{exit::chain, policies::wall_clock};
use postern_ids::NodeId;
use postern_store::{SealNews, Store};
use std::{convert::Infallible, time::Duration};

/// How often the seals are looked at: a row or two are read.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longer than any gateway waits for its next look and for one statement: by then all of them seal under the key in force.
const SETTLED_AFTER: Duration = Duration::from_secs(15);

/// Looks after them for ever.
pub(super) fn keep(store: &Store, node: NodeId) -> impl Future<Output = Infallible> + use<> {
    let mut keeper = store.seal_keeper(node, SETTLED_AFTER);
    async move {
        let mut told = SealNews::Settled;
        loop {
            match keeper.look(wall_clock()).await {
                Ok(news) if news == told => {}
                Ok(news) => {
                    tell(&news);
                    told = news;
                }
                Err(error) => tracing::debug!(error = chain(&error), "the seals could not be looked at"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn tell(news: &SealNews) {
    match news {
        SealNews::Settled | SealNews::Settling => {}
        SealNews::Waiting { nodes } => {
            let nodes = nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
            tracing::warn!(
                nodes,
                "master_key.waiting: the store stays under the previous master key until these gateways have the new one \
                too; one that is gone for good is not waited for after ten minutes"
            );
        }
        SealNews::Changed { from, to } => {
            tracing::info!(from, to, "master_key.changed: the store is sealed under the new master key");
        }
        SealNews::Resealed { values } => {
            tracing::info!(values, "master_key.resealed: stored secrets were sealed anew");
        }
        SealNews::Retired { keys } => tracing::info!(
            keys,
            "master_key.retired: nothing in the store is sealed under these keys any more; \
            previous_master_key_files can be removed"
        ),
        SealNews::Unknown { key } => tracing::error!(
            key,
            "master_key.unknown: the store is sealed under a master key that this gateway does not have: name its file \
            in master_key_file and reload"
        ),
    }
}
