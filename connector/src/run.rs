//! The running connector: a few links to each gateway, a status file, and an orderly end.

use crate::{
    allow::AllowList,
    config::Limits,
    gateway_clock::GatewayClock,
    identity::{Identity, StateDir},
    link::{Final, Slot},
    live::Live,
    serve::Server,
    status::{Board, LinkState, LinkStatus, Status, machine_now},
    target::Resolver,
};
use postern_ids::{Ended, InstanceId};
use postern_tunnel_io::Proxy;
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
    let trust = setup.identity.trust(&setup.ca_files);
    let gateways =
        if setup.gateways.is_empty() { setup.identity.enrolled.gateways.clone() } else { setup.gateways };
    let slots: Vec<(Url, u8)> = gateways
        .iter()
        .flat_map(|gateway| (0..setup.limits.slots.get()).map(|slot| (gateway.clone(), slot)))
        .collect();
    let board = Arc::new(Board::new(first_status(&setup.identity, &setup.allow, &slots)));
    let server = Arc::new(Server {
        identity: Arc::new(setup.identity),
        clock: GatewayClock::new(Instant::now()),
        allow: setup.allow,
        resolver: setup.resolver,
        live: Live::new(setup.limits.sessions_max.get()),
        dials: Semaphore::new(setup.limits.dials_max.get()),
        board: board.clone(),
    });
    let (instance, proxy) = (InstanceId::mint(machine_now(), rand::random()), Proxy::from_env());
    let tasks = TaskTracker::new();
    let mut links = JoinSet::new();
    for (index, (gateway, slot)) in slots.into_iter().enumerate() {
        let slot = Slot {
            server: server.clone(),
            gateway,
            trust: trust.clone(),
            proxy: proxy.clone(),
            instance,
            slot,
            index,
            stop: orders.stop.clone(),
            tasks: tasks.clone(),
        };
        links.spawn(slot.keep());
    }
    let ended = tokio::select! {
        ended = all_links(&mut links, &orders.stop) => ended,
        () = keep_status(&board, &server.live, state) => Ok(()),
    };
    orders.stop.cancel();
    drain(&server.live, &orders.stop_now, ended.is_err()).await;
    links.shutdown().await;
    write_last_status(&board, &server.live, state);
    ended
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

async fn drain(live: &Live, stop_now: &CancellationToken, refused: bool) {
    if !refused && !live.is_empty() {
        tracing::info!(sessions = live.len(), "waiting for sessions to end");
        tokio::select! {
            () = live.empty() => {}
            () = stop_now.cancelled() => {}
            () = time::sleep(DRAIN) => {}
        }
    }
    live.kill_all(if refused { Ended::Revoked } else { Ended::ConnectorLost });
    let _ = time::timeout(CUT_GRACE, live.empty()).await;
}

async fn keep_status(board: &Board, live: &Live, state: &StateDir) {
    let count = async {
        loop {
            let now = u64::try_from(live.len()).unwrap_or(u64::MAX);
            if board.read().sessions_live != now {
                board.update(|status| status.sessions_live = now);
            }
            time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(board.keep_file(state.path()), count);
}

fn write_last_status(board: &Board, live: &Live, state: &StateDir) {
    board.update(|status| {
        status.sessions_live = u64::try_from(live.len()).unwrap_or(u64::MAX);
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
        sessions_total: 0,
        refused_total: 0,
        last_refusal: None,
        allow: allow.entries().iter().map(ToString::to_string).collect(),
    }
}
