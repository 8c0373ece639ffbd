//! The running connector: a few links to each gateway, a status file, and an orderly end.

use crate::{
    allow::AllowList,
    config::Limits,
    gateway_clock::GatewayClock,
    held::{Settings, Streams, announce},
    identity::{Identity, StateDir},
    link::{CODE_LEAVING, Final, Slot},
    links::{Gateway, Links},
    live::Live,
    serve::Server,
    status::{Board, LinkState, LinkStatus, Status, StreamsStatus, machine_now},
    target::Resolver,
};
use postern_ids::{Ended, InstanceId};
use postern_tunnel_io::{Budget, LinkConfig, Proxy, stream::StreamConfig, tls};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

/// How long sessions may run on after the order to stop.
pub const DRAIN: Duration = Duration::from_secs(30);
/// How long the last words of a session may take after its cut.
const CUT_GRACE: Duration = Duration::from_secs(1);
/// How long gateways have to answer our close; one that is away must not hold up the end.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// What a connector runs with.
#[derive(Debug)]
pub struct Setup<R> {
    /// Who it is.
    pub identity: Identity,
    /// What it may dial.
    pub allow: AllowList,
    /// Its bounds.
    pub limits: Limits,
    /// Certificate authorities to trust besides the pinned one.
    pub ca_files: Vec<PathBuf>,
    /// Gateways instead of those learned at enrolment; empty for none.
    pub gateways: Vec<Url>,
    /// Names to addresses.
    pub resolver: R,
}

/// Orders to a running connector.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Take nothing new, let sessions run out, end.
    pub stop: CancellationToken,
    /// Do not wait for sessions.
    pub stop_now: CancellationToken,
}

/// Runs until ordered to stop (`Ok`) or until a gateway refuses this connector for good.
pub async fn run<R: Resolver>(setup: Setup<R>, state: &StateDir, orders: Orders) -> Result<(), Final> {
    // A child: a final refusal stops this run, and is not the caller's order to stop.
    let stop = orders.stop.child_token();
    let plan = Plan::new(&setup);
    let board = Arc::new(Board::new(first_status(&setup.identity, &setup.allow, &plan.slots)));
    let links = Links::new(plan.gateways.len());
    let server = Arc::new(Server {
        identity: Arc::new(setup.identity),
        state_dir: state.path().to_path_buf(),
        clock: GatewayClock::new(Instant::now()),
        allow: setup.allow,
        resolver: setup.resolver,
        live: Live::new(setup.limits.sessions_max.get()),
        streams: Streams::new(plan.settings(&setup.limits), links.clone()),
        links: links.clone(),
        dials: Semaphore::new(setup.limits.dials_max.get()),
        board: board.clone(),
    });
    let mut slots = JoinSet::new();
    plan.start(&server, &stop, &mut slots);
    let mut news = JoinSet::new();
    for gateway in links.gateways() {
        let (streams, links) = (server.streams.clone(), links.clone());
        news.spawn(async move { announce::news(&streams, &links, gateway).await });
    }
    let served = async {
        let ended = all_links(&mut slots, &stop).await;
        drain(&server, &orders.stop_now, ended.is_err()).await;
        say_goodbye(&server.streams, &links).await;
        ended
    };
    let ended = tokio::select! {
        ended = served => ended,
        () = keep_status(&board, &server, state) => Ok(()),
    };
    write_last_status(&board, &server, state);
    ended
}

/// Tells each gateway of what ended while its client was away, then closes the links.
async fn say_goodbye(streams: &Streams, links: &Links) {
    let told = async {
        for gateway in links.gateways() {
            announce::tell(streams, links, gateway).await;
        }
    };
    let _ = time::timeout(CLOSE_GRACE, told).await;
    links.close_all(CODE_LEAVING, "the connector stopped", CLOSE_GRACE).await;
}

/// Where to dial, and with what.
struct Plan {
    gateways: Vec<Url>,
    slots: Vec<(Url, u8)>,
    tls: tls::Client,
    instance: InstanceId,
}

impl Plan {
    fn new<R>(setup: &Setup<R>) -> Self {
        let learned = &setup.identity.enrolled.gateways;
        let gateways = if setup.gateways.is_empty() { learned } else { &setup.gateways };
        let slots = 0..setup.limits.slots.get();
        let slots = gateways.iter().flat_map(|url| slots.clone().map(|slot| (url.clone(), slot))).collect();
        let tls = setup.identity.trust(&setup.ca_files).into();
        let instance = InstanceId::mint(machine_now(), rand::random());
        Self { gateways: gateways.clone(), slots, tls, instance }
    }

    fn settings(&self, limits: &Limits) -> Settings {
        let budget = Budget::new(limits.replay.bytes());
        let config = StreamConfig { window: limits.resume_window.get(), budget, ..StreamConfig::default() };
        // At 0.3 KiB each, 1 KiB where the client has not heard of an orderly end. Grants live for a minute or two: the
        // default lets hundreds of sessions begin and end each second.
        let remembered_max = limits.sessions_max.get().saturating_mul(4);
        Settings { instance: self.instance.to_bytes(), config, remembered_max }
    }

    fn start<R: Resolver>(
        self,
        server: &Arc<Server<R>>,
        stop: &CancellationToken,
        slots: &mut JoinSet<Result<(), Final>>,
    ) {
        let (proxy, config) = (Proxy::from_env(), LinkConfig::default());
        let tasks = TaskTracker::new();
        for (index, (url, slot)) in self.slots.into_iter().enumerate() {
            let place = self.gateways.iter().position(|gateway| *gateway == url).unwrap_or_default();
            let slot = Slot {
                server: server.clone(),
                url,
                gateway: Gateway(place),
                tls: self.tls.clone(),
                proxy: proxy.clone(),
                config: config.clone(),
                instance: self.instance,
                slot,
                index,
                stop: stop.clone(),
                tasks: tasks.clone(),
            };
            slots.spawn(slot.keep());
        }
    }
}

/// Waits until every slot has stopped; the first final refusal stops them all.
async fn all_links(links: &mut JoinSet<Result<(), Final>>, stop: &CancellationToken) -> Result<(), Final> {
    let mut ended = Ok(());
    while let Some(joined) = links.join_next().await {
        // A slot that panicked is a bug; the others go on, and the board shows it as connecting.
        let Ok(result) = joined else {
            tracing::error!("a link task failed");
            continue;
        };
        if result.is_err() {
            stop.cancel();
            ended = result;
        }
    }
    ended
}

async fn drain<R>(server: &Server<R>, stop_now: &CancellationToken, refused: bool) {
    let Server { live, streams, .. } = server;
    let ended = if refused { Ended::Revoked } else { Ended::ConnectorLost };
    streams.stop(ended);
    if !refused && !live.is_empty() {
        tracing::info!(sessions = live.len(), "waiting for sessions to end");
        tokio::select! {
            () = live.empty() => {}
            () = stop_now.cancelled() => {}
            () = time::sleep(DRAIN) => {}
        }
    }
    live.kill_all(ended);
    let _ = time::timeout(CUT_GRACE, live.empty()).await;
}

async fn keep_status<R>(board: &Board, server: &Server<R>, state: &StateDir) {
    let count = async {
        loop {
            server.streams.forget(Instant::now());
            let (live, streams) = (count(&server.live), server.streams.status());
            let shown = board.read();
            if (shown.sessions_live, shown.streams) != (live, streams) {
                board.update(|status| (status.sessions_live, status.streams) = (live, streams));
            }
            time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(board.keep_file(state.path()), count);
}

fn count(live: &Live) -> u64 {
    u64::try_from(live.len()).unwrap_or(u64::MAX)
}

fn write_last_status<R>(board: &Board, server: &Server<R>, state: &StateDir) {
    board.update(|status| {
        (status.sessions_live, status.streams) = (count(&server.live), server.streams.status());
        for link in &mut status.links {
            link.state = LinkState::Stopped;
        }
    });
    board.write_file(state.path());
}

fn first_status(identity: &Identity, allow: &AllowList, slots: &[(Url, u8)]) -> Status {
    let now = machine_now();
    let link = |(gateway, slot): &(Url, u8)| LinkStatus {
        gateway: gateway.to_string(),
        slot: *slot,
        state: LinkState::Connecting,
        since: now,
        last_failure: None,
    };
    Status {
        connector: identity.enrolled.connector,
        issuer: identity.enrolled.issuer.clone(),
        pid: std::process::id(),
        started_at: now,
        clock_ahead_ms: None,
        links: slots.iter().map(link).collect(),
        sessions_live: 0,
        streams: StreamsStatus::default(),
        sessions_total: 0,
        refused_total: 0,
        last_refusal: None,
        allow: allow.entries().iter().map(ToString::to_string).collect(),
    }
}
