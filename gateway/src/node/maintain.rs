//! The tasks that keep a node in shape for as long as it lives.

use super::{
    certificate::Presented,
    foundation::Foundation,
    internal::{self, Health},
    present::Present,
    seals,
};
use crate::{
    config::{Config, StoreUrl},
    connectors::Presence,
    lifecycle::Lifecycle,
    policies::wall_clock,
    sessions::Abandoned,
};
use postern_policy::live::Filter;
use postern_store::{Store, journal::Sweep};
use postern_web::KeyRing;
use std::{convert::Infallible, sync::Arc, time::Duration};

/// How often the signing keys are looked after.
const KEYS_REFRESH: Duration = Duration::from_secs(3_600);

/// How long a session of the process before this one may come back: the window in which it can be resumed, and what news of
/// it may take on the way.
const RESUMABLE_FOR: Duration = Duration::from_secs(120 + 30);

/// How often spent credentials are removed from the store.
const CLEANING: Duration = Duration::from_secs(60);

pub(super) fn maintain(
    lifecycle: &Lifecycle,
    ground: &Foundation,
    present: &Present,
    presented: &Presented,
    keys: &Arc<KeyRing>,
    config: &Config,
    health: Health,
) {
    let (journal, store, hard) = (ground.journal.clone(), ground.store.clone(), lifecycle.hard_token());
    let (held, live) = (Arc::clone(&present.held), Arc::clone(&present.live));
    let is_held = move |session| held.knows(session) || !live.matching(&Filter::Session(session)).is_empty();
    if config.store == StoreUrl::Sqlite {
        tracing::info!("the store is embedded: one gateway, no failover");
    } else {
        let (store, journal) = (ground.store.clone(), ground.journal.clone());
        lifecycle.maintain("abandoned sessions", Abandoned::new(store, journal, is_held.clone()).run());
    }
    let sweep = Sweep { wait: RESUMABLE_FOR, is_held: Box::new(is_held) };
    lifecycle.spawn(async move { journal.ship(store, sweep, hard).await });
    let presence = Presence { connectors: present.connectors.clone(), store: ground.store.clone() };
    lifecycle.maintain("presence", presence.run());
    lifecycle.maintain("metrics", internal::upkeep(health.metrics));
    lifecycle.maintain("cleaning", clean(ground.store.clone()));
    lifecycle.maintain("seals", seals::keep(&ground.store, ground.journal.node()));
    lifecycle.maintain("keys", refresh_keys(Arc::clone(keys), ground.store.clone()));
    lifecycle.maintain("key announcements", present.connectors.clone().announce_changes());
    lifecycle.maintain("certificate", presented.clone().keep_fresh());
}

async fn clean(store: Store) -> Infallible {
    loop {
        tokio::time::sleep(CLEANING).await;
        if let Err(error) = store.clean(wall_clock()).await {
            tracing::debug!(error = %error, "spent credentials stay in the store for now");
        }
    }
}

async fn refresh_keys(keys: Arc<KeyRing>, store: Store) -> Infallible {
    loop {
        tokio::time::sleep(KEYS_REFRESH).await;
        if let Err(error) = keys.refresh(&store, wall_clock()).await {
            tracing::warn!(error = %error, "the signing keys could not be refreshed");
        }
    }
}
