//! What every handler can reach.

use crate::{
    KeyRing, LiveSessions, Snapshots, denials::Denials, hand_over::HandOver, limits::PerMinute,
    providers::Registry, uses::Uses,
};
use postern_identity::{Door, Throttle, ThrottleLimits};
use postern_ids::Timestamp;
use postern_store::Store;
use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

/// Tells the time; tests bring their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that reads this function.
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What the gateway gives to this crate.
#[derive(Clone)]
pub struct WebConfig {
    /// The gateway's public URL without a trailing slash: issuer of tokens, and the only origin of our pages.
    pub issuer: String,
    /// Where commands and connectors dial, in this order: the addresses of the installation's gateways.
    pub gateways: Vec<String>,
    /// The domain below which applications have their names, canonical.
    pub apps_domain: Option<String>,
    /// SHA-256 of the public key of the gateway's own CA, when it has one; it goes into enrolment tokens.
    pub ca_sha256: Option<[u8; 32]>,
    /// The store.
    pub store: Store,
    /// The signing keys.
    pub keys: Arc<KeyRing>,
    /// The policy in force.
    pub snapshots: Arc<dyn Snapshots>,
    /// What lives here.
    pub live: Arc<dyn LiveSessions>,
    /// The time.
    pub clock: Clock,
}

/// Wrong device codes that a person may type: then each costs a wait.
const WRONG_CODES: ThrottleLimits = ThrottleLimits {
    free: 10,
    wait_max: Duration::from_secs(5 * 60),
    forget_after: Duration::from_secs(3600),
    keys_max: 20_000,
};

/// How long an answer waits for the change to be in force here: the feed delivers within a fifth of a second.
const IN_FORCE_WAIT: Duration = Duration::from_secs(1);
/// How often it looks.
const IN_FORCE_LOOK: Duration = Duration::from_millis(10);

/// Requests per minute and network before anybody has proved anything.
pub(crate) struct Limits {
    /// T11: an enrolment secret is not found by trying.
    pub(crate) enroll: PerMinute,
    pub(crate) bootstrap: PerMinute,
    /// Each makes a row that lives for ten minutes.
    pub(crate) device_authorization: PerMinute,
    /// Each moves the policy revision.
    pub(crate) end_session: PerMinute,
    /// A laptop full of parallel commands refreshes far less often.
    pub(crate) token: PerMinute,
}

/// The shared state of all handlers. Cheap to clone.
#[derive(Clone)]
pub struct WebState(Arc<Inner>);

struct Inner {
    config: WebConfig,
    door: Door,
    wrong_codes: Throttle<String>,
    limits: Limits,
    denials: Denials,
    providers: Registry,
    hand_over: HandOver,
    uses: Uses,
}

impl WebState {
    /// The state for a router.
    pub fn new(config: WebConfig) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let limits = Limits {
            enroll: PerMinute::new(5),
            bootstrap: PerMinute::new(5),
            device_authorization: PerMinute::new(20),
            end_session: PerMinute::new(120),
            token: PerMinute::new(300),
        };
        let wrong_codes = Throttle::new(WRONG_CODES);
        let hand_over = HandOver::new(config.store.clone(), &config.issuer);
        Self(Arc::new(Inner {
            config,
            door: Door::new(cores),
            wrong_codes,
            limits,
            denials: Denials::default(),
            providers: Registry::default(),
            hand_over,
            uses: Uses::default(),
        }))
    }

    /// Writes denied administrative acts into the audit, for ever.
    pub async fn keep_denials(self) -> Infallible {
        loop {
            self.0.denials.wait().await;
            self.write_denials().await;
        }
    }

    /// Writes those that wait.
    pub async fn write_denials(&self) {
        self.0.denials.write(self.store(), self.now()).await;
    }

    /// The way to the hosts of applications.
    pub fn hand_over(&self) -> &HandOver {
        &self.0.hand_over
    }

    /// Waits until this gateway decides by this revision, so that who made a change sees it at once. A change that moves
    /// nothing in the snapshot, or a snapshot that cannot be built, ends the wait at its limit.
    pub(crate) async fn until_in_force(&self, revision: u64) {
        let reached = async {
            while self.config().snapshots.current().0.revision() < revision {
                tokio::time::sleep(IN_FORCE_LOOK).await;
            }
        };
        let _ = tokio::time::timeout(IN_FORCE_WAIT, reached).await;
    }

    pub(crate) fn denials(&self) -> &Denials {
        &self.0.denials
    }

    pub(crate) fn config(&self) -> &WebConfig {
        &self.0.config
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.config.store
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.0.config.issuer
    }

    pub(crate) fn door(&self) -> &Door {
        &self.0.door
    }

    pub(crate) fn wrong_codes(&self) -> &Throttle<String> {
        &self.0.wrong_codes
    }

    pub(crate) fn providers(&self) -> &Registry {
        &self.0.providers
    }

    pub(crate) fn uses(&self) -> &Uses {
        &self.0.uses
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }
}
