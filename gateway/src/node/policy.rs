//! Putting the stored policy in force.

use super::foundation::{Foundation, on_store};
use crate::{
    connectors::Connectors,
    exit::{Failure, chain},
    ingress::client::ClientLinks,
    lifecycle::Lifecycle,
    policies::{Follower, Policies, Principals, wall_clock},
    sessions::HeldSessions,
};
use postern_policy::{Snapshot, SnapshotSource};
use std::{collections::BTreeSet, sync::Arc, time::Instant};

/// Loads the policy, puts it in force, and follows what changes it.
pub(super) async fn follow_policy(
    ground: &Foundation,
    held: &Arc<HeldSessions>,
    connectors: &Connectors,
    clients: &Arc<ClientLinks>,
    lifecycle: &Lifecycle,
) -> Result<Arc<Policies>, Failure> {
    let mut loader = ground.store.snapshot_loader();
    let loaded_at = Instant::now();
    let source = loader.load(wall_clock()).await.map_err(|error| on_store(&error))?;
    let feed = ground.store.feed(source.revision);
    let (first, is_refused) = first_snapshot(source)?;
    let principals = Principals::new(ground.store.clone());
    let policies = Policies::new(first, loaded_at, feed.confirmed(), principals);
    policies.set_refusing(is_refused);
    let (connectors, clients, waiting) = (connectors.clone(), Arc::clone(clients), Arc::clone(held));
    let tasks = lifecycle.clone();
    let follower = Follower {
        policies: Arc::clone(&policies),
        live: Arc::clone(held.live()),
        journal: ground.journal.clone(),
        loader,
        feed,
        reconciled: Box::new(move |snapshot| {
            connectors.reconcile(snapshot);
            clients.reconcile(snapshot, wall_clock(), &tasks);
        }),
        looked: Box::new(move || waiting.sweep()),
        unread: BTreeSet::new(),
        owed: None,
    };
    lifecycle.maintain("policy", follower.run());
    Ok(policies)
}

/// The stored policy, or, if it does not compile, one that allows nobody anything but leaves the administrators in.
fn first_snapshot(source: SnapshotSource) -> Result<(Snapshot, bool), Failure> {
    let without_rules = SnapshotSource { rules: Arc::default(), ..source.clone() };
    match Snapshot::build(source) {
        Ok(snapshot) => Ok((snapshot, false)),
        Err(error) => {
            tracing::error!(error = %error, "policy.refused: the store's policy does not compile, so nothing is allowed");
            let bare = Snapshot::build(without_rules).map_err(|error| Failure::Software(chain(&error)))?;
            Ok((bare, true))
        }
    }
}
