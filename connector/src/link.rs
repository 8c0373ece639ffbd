//! One link slot: dial, serve, and dial again, until told to stop or told that it is over.

use crate::{
    credentials::DialCredentials,
    held::announce,
    links::{self, Gateway},
    serve::Server,
    status::{Failure, LinkState, machine_now},
    target::Resolver,
};
use postern_ids::{Ended, InstanceId};
use postern_tunnel_io::{
    Backoff, Dial, DialError, Event, Incoming, Link, LinkConfig, LinkEnded, Proxy, dial, tls,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

/// Another instance of this connector took over: it is not fought for this long.
const DUPLICATE_PAUSE: Duration = Duration::from_secs(60);
/// A link that lived this long was a good one; the next failure is a new outage.
const GOOD_AFTER: Duration = Duration::from_secs(1);
/// A gateway may ask for a pause, up to this long.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Gateways learn of a new connector from their snapshot: one that enrolled just now may be unknown for a moment.
const JUST_ENROLLED: Duration = Duration::from_secs(30);

/// The close code of "another instance of this connector is newer".
const CODE_DUPLICATE: u16 = 4409;
/// Close codes after which dialing again is useless.
const CODES_FINAL: [u16; 4] = [4403, 4410, 4411, 4412];
/// The close code of an orderly leave (RFC 6455 section 7.4.1).
pub const CODE_LEAVING: u16 = 1001;

/// One link slot.
#[derive(Debug)]
pub struct Slot<R> {
    /// What lanes are served with.
    pub server: Arc<Server<R>>,
    /// Where to dial.
    pub url: Url,
    /// The place of that address among all.
    pub gateway: Gateway,
    /// Whom to trust there.
    pub tls: tls::Client,
    /// The way out.
    pub proxy: Proxy,
    /// The limits of the link.
    pub config: LinkConfig,
    /// This process.
    pub instance: InstanceId,
    /// Which of the links to this gateway.
    pub slot: u8,
    /// Its place on the status board.
    pub index: usize,
    /// Ends dialing and starts the drain.
    pub stop: CancellationToken,
    /// The process' tasks.
    pub tasks: TaskTracker,
}

/// Why a slot is over for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{gateway} will not have this connector any more: {reason}")]
pub struct Final {
    /// The gateway.
    pub gateway: Url,
    /// What it said.
    pub reason: String,
    /// It does not know this connector: removed, not revoked.
    pub is_unknown: bool,
}

enum Next {
    AfterBackoff,
    After(Duration),
    AtOnce,
    Stop(Final),
}

impl<R: Resolver> Slot<R> {
    /// Keeps the link until stopped (`Ok`) or refused for good.
    pub async fn keep(self) -> Result<(), Final> {
        let mut backoff = Backoff::default();
        while !self.stop.is_cancelled() {
            self.board(LinkState::Connecting, None);
            let dialed = tokio::select! {
                () = self.stop.cancelled() => break,
                dialed = Box::pin(self.dial()) => dialed,
            };
            let next = match dialed {
                Ok((link, incoming)) => {
                    let up_at = Instant::now();
                    self.board(LinkState::Up, None);
                    let next = self.run(link, incoming).await;
                    if up_at.elapsed() >= GOOD_AFTER {
                        backoff.reset();
                    }
                    next
                }
                Err(error) => self.after_failed_dial(&error),
            };
            let pause = match next {
                Next::Stop(ended) => {
                    self.board(LinkState::Stopped, Some(ended.reason.clone()));
                    return Err(ended);
                }
                Next::AtOnce => continue,
                Next::AfterBackoff => backoff.next(rand::random(), Instant::now()),
                Next::After(pause) => pause.max(backoff.next(rand::random(), Instant::now())),
            };
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    fn board(&self, state: LinkState, failure: Option<String>) {
        self.server.board.link(self.index, state, failure);
    }

    async fn dial(&self) -> Result<(Link, Incoming), DialError> {
        let mut credentials = DialCredentials {
            identity: &self.server.identity,
            clock: &self.server.clock,
            instance: self.instance,
            slot: self.slot,
        };
        let mut url = self.url.clone();
        url.set_path("/tunnel/connector");
        let dialed = dial(Dial {
            url,
            tls: self.tls.clone(),
            proxy: self.proxy.clone(),
            credentials: &mut credentials,
            config: self.config.clone(),
        })
        .await;
        let ahead = self.server.clock.machine_ahead_ms(std::time::SystemTime::now(), Instant::now());
        self.server.board.update(|status| status.clock_ahead_ms = ahead);
        dialed
    }

    fn after_failed_dial(&self, error: &DialError) -> Next {
        let reason = chain(error);
        let is_unknown = is_unknown(error);
        if error.is_final() && !(is_unknown && self.is_just_enrolled()) {
            return Next::Stop(Final { gateway: self.url.clone(), reason, is_unknown });
        }
        tracing::warn!(gateway = %self.url, slot = self.slot, reason, "dial failed");
        self.board(LinkState::Connecting, Some(reason));
        let DialError::Refused { refused } = error else { return Next::AfterBackoff };
        match refused.retry_after {
            Some(pause) => Next::After(pause.min(RETRY_AFTER_MAX)),
            None if refused.close_code == Some(CODE_DUPLICATE) => Next::After(DUPLICATE_PAUSE),
            None => Next::AfterBackoff,
        }
    }

    fn is_just_enrolled(&self) -> bool {
        machine_now().since(self.server.identity.enrolled.enrolled_at) < JUST_ENROLLED
    }

    /// Serves the link until it ends or either side wants to leave it.
    async fn run(&self, link: Link, mut incoming: Incoming) -> Next {
        tracing::info!(gateway = %self.url, slot = self.slot, "link up");
        let up = Arc::new(self.server.links.enter(self.gateway, &link));
        self.tasks.spawn({
            let (server, up, link) = (self.server.clone(), up.clone(), link.clone());
            async move { announce::list(&server.streams, &link, &up).await }
        });
        loop {
            let event = tokio::select! {
                () = self.stop.cancelled() => {
                    link.go_away(CODE_LEAVING, "the connector is stopping");
                    self.board(LinkState::Draining, None);
                    self.drain_in_background(up, incoming);
                    return Next::AtOnce;
                }
                event = incoming.next() => event,
            };
            match event {
                Some(Event::GoAway { code, hint }) => {
                    tracing::info!(gateway = %self.url, slot = self.slot, code, hint, "the gateway is leaving");
                    self.board(
                        LinkState::Connecting,
                        Some(format!("the gateway is leaving: {hint} ({code})")),
                    );
                    self.drain_in_background(up, incoming);
                    return Next::AfterBackoff;
                }
                Some(event) => self.handle(event),
                None => return self.after_end(&link.closed().await),
            }
        }
    }

    fn handle(&self, event: Event) {
        match event {
            Event::Open(lane) => {
                self.tasks.spawn(self.server.clone().serve(lane));
            }
            Event::Kill { session, code } => {
                let ended = Ended::from_code(code).unwrap_or(Ended::Revoked);
                if self.server.live.kill(session, ended) {
                    tracing::info!(%session, ended = ended.label(), "session cut");
                }
            }
            Event::Keys(announcement) => self.on_keys(&announcement),
            Event::GoAway { .. } | Event::Inventory { .. } => {}
        }
    }

    /// Believes the announced keys from here on, and after a restart.
    fn on_keys(&self, announcement: &[u8]) {
        let (server, now) = (&self.server, self.server.clock.now(Instant::now()));
        let Some(now) = now else { return };
        match server.identity.pins.learn(announcement, now) {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(gateway = %self.url, "the gateway's keys changed, as a pinned key confirms");
                let server = server.clone();
                self.tasks.spawn_blocking(move || {
                    if let Err(error) = server.identity.keep_pins(&server.state_dir) {
                        // The next link brings them again, as long as a kept key vouches for them.
                        tracing::error!(error = chain(&error), "the gateway's new keys could not be kept");
                    }
                });
            }
            Err(rejected) => {
                tracing::error!(gateway = %self.url, reason = rejected.label(),
                    "announced keys were refused");
                let reason = format!(
                    "the gateway's keys were refused: {rejected}; if it was away for a year, enroll this connector again"
                );
                let at = machine_now();
                server.board.update(|status| status.last_refusal = Some(Failure { at, reason }));
            }
        }
    }

    /// Lets the sessions of a link that takes no new ones run out, while the slot goes on elsewhere.
    fn drain_in_background(&self, up: Arc<links::Entry>, mut incoming: Incoming) {
        let server = self.server.clone();
        self.tasks.spawn(async move {
            let _up = up;
            while let Some(event) = incoming.next().await {
                if let Event::Kill { session, code } = event {
                    server.live.kill(session, Ended::from_code(code).unwrap_or(Ended::Revoked));
                }
            }
        });
    }

    fn after_end(&self, ended: &LinkEnded) -> Next {
        let LinkEnded { code, reason, by } = ended;
        let told = format!("the link ended with {code}: {reason}");
        if CODES_FINAL.contains(code) {
            return Next::Stop(Final { gateway: self.url.clone(), reason: told, is_unknown: false });
        }
        tracing::warn!(gateway = %self.url, slot = self.slot, code, reason, ?by, "link lost");
        self.board(LinkState::Connecting, Some(told));
        if *code == CODE_DUPLICATE { Next::After(DUPLICATE_PAUSE) } else { Next::AfterBackoff }
    }
}

fn is_unknown(error: &DialError) -> bool {
    matches!(error, DialError::Refused { refused } if refused.code.as_deref() == Some("connector_unknown"))
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}
