//! Connectors: proving which one dials, keeping their links, opening lanes on them. A connector is a peer like any other:
//! what it says is checked, and it cannot ask for anything.

mod challenge;
mod dial_in;
mod inventory;
mod lane;
mod link;
mod presence;
mod registry;
mod said;
mod shares;
mod stream;

pub use challenge::{ChallengeError, Challenges};
pub use dial_in::{DialRefused, Dialer, NONCE_HEADER, SCHEME, TIME_HEADER, verify};
pub use inventory::{Holdings, Standing, Told};
pub use lane::Lanes;
pub use presence::Presence;
pub use registry::{EnterError, Entered, Home, Place, Registry, Way};
pub use said::{OpenFailed, ended_by_connector};
pub use shares::{Share, Shares};
pub use stream::NotOpened;

use crate::{lifecycle::Lifecycle, policies::wall_clock, signing::Signer};
use bytes::Bytes;
use inventory::Reader;
use link::Served;
use postern_ids::ConnectorId;
use postern_policy::{Snapshot, model::ConnectorState};
use postern_tunnel_io::{Incoming, Link};
use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// Close codes of links, from the protocol's table of codes.
mod close {
    /// The connector broke the protocol.
    pub(super) const PROTOCOL: u16 = 1002;
    /// A newer link or instance took over.
    pub(super) const SUPERSEDED: u16 = 4409;
    /// The connector was revoked. Final.
    pub(super) const REVOKED: u16 = 4412;
    /// A limit was reached.
    pub(super) const LIMIT: u16 = 4429;
}

/// How long the end of the links of a process that was killed may take to be noticed.
const EARLIER_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// The connectors of this gateway.
#[derive(Clone)]
pub struct Connectors {
    registry: Arc<Registry<Link>>,
    signer: Signer,
    holdings: Arc<dyn Holdings>,
    lifecycle: Lifecycle,
}

impl fmt::Debug for Connectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connectors").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Connectors {
    /// Over an empty registry. Connectors are told of the keys of `signer`. What they hold is checked against what
    /// it signed, and told to `holdings`.
    pub fn new(
        registry: Arc<Registry<Link>>,
        signer: Signer,
        holdings: Arc<dyn Holdings>,
        lifecycle: Lifecycle,
    ) -> Self {
        Self { registry, signer, holdings, lifecycle }
    }

    /// The links.
    pub fn registry(&self) -> &Arc<Registry<Link>> {
        &self.registry
    }

    /// Takes the link of a connector that proved itself, and serves it until it ends. `dialed` is a moment before it was
    /// answered: what it says first it put together after that, however late this process comes to read it.
    pub async fn attach(&self, dialer: Dialer, dialed: Instant, link: Link, incoming: Incoming) {
        let until = tokio::time::Instant::now() + EARLIER_ENDS_WITHIN;
        let entered = match self.registry.enter_once_free(dialer, &link, until).await {
            Ok(entered) => entered,
            Err(error) => {
                tracing::warn!(connector.id = %dialer.connector, error = %error, "connector.rejected");
                let code = match error {
                    EnterError::Flapping => close::SUPERSEDED,
                    EnterError::TooManySlots => close::LIMIT,
                };
                return link.close(code, "another instance of this connector is connected");
            }
        };
        self.on_entered(dialer, &entered);
        // It may have been away while the keys of grants changed: this comes before the first grant.
        self.announce_keys([link.clone()]);
        self.holdings.arrived(entered.place.home());
        let holdings = Arc::clone(&self.holdings);
        let reader = Reader::new(entered.place, self.signer.clone(), holdings, dialed);
        let registry = Arc::clone(&self.registry);
        let served = Served { dialer, place: entered.place, link, registry, reader };
        self.lifecycle.spawn(served.serve(incoming));
    }

    fn on_entered(&self, dialer: Dialer, entered: &Entered<Link>) {
        if let Some(replaced) = &entered.replaced {
            replaced.close(close::SUPERSEDED, "a newer link of this instance took this slot");
        }
        if !entered.superseded.is_empty() {
            tracing::error!(
                connector.id = %dialer.connector,
                instance.id = %dialer.instance,
                "connector.duplicate: another process with the key of this connector took over"
            );
            metrics::counter!("postern_connector_duplicates_total").increment(1);
        }
        if !entered.passed_over.is_zero() {
            tracing::error!(
                connector.id = %dialer.connector,
                seconds = entered.passed_over.as_secs(),
                "connector.flapping: it comes and goes; new sessions go to the others of its site for now"
            );
            metrics::counter!("postern_connector_flaps_total").increment(1);
        }
        for older in &entered.superseded {
            older.close(close::SUPERSEDED, "a newer instance of this connector is connected");
        }
        tracing::info!(
            connector.id = %dialer.connector,
            instance.id = %dialer.instance,
            slot = dialer.slot,
            "connector link up"
        );
    }

    /// Closes the links of connectors that may no longer have one.
    pub fn reconcile(&self, snapshot: &Snapshot) {
        let gone = self.registry.retain(|id| {
            snapshot.connector(id).is_some_and(|connector| match connector.state {
                ConnectorState::Active => true,
                ConnectorState::Revoked => false,
            })
        });
        for (id, link) in gone {
            tracing::warn!(connector.id = %id, "a revoked connector's link was closed");
            link.close(close::REVOKED, "this connector was revoked");
        }
    }

    /// Tells every connector when the keys of grants change, for ever.
    pub async fn announce_changes(self) -> Infallible {
        loop {
            self.signer.keys_changed().await;
            self.announce_keys(self.registry.links());
        }
    }

    fn announce_keys(&self, links: impl IntoIterator<Item = Link>) {
        // If they cannot be signed, the next link, or the next change of the keys, is the next try.
        let Ok(announcement) = self.signer.announcement(wall_clock()).map(Bytes::from) else { return };
        links.into_iter().for_each(|link| link.send_keys(announcement.clone()));
    }

    /// Tells every connector to open its next links elsewhere.
    pub fn go_away(&self, code: u16, hint: &str) {
        for link in self.registry.links() {
            link.go_away(code, hint);
        }
    }

    /// Closes every link.
    pub fn close(&self, code: u16, reason: &str) {
        for link in self.registry.links() {
            link.close(code, reason);
        }
    }

    /// The connectors that have a link here.
    pub fn online(&self) -> Vec<ConnectorId> {
        self.registry.online().into_iter().map(|(id, _)| id).collect()
    }
}
