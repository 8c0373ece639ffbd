//! A gateway in a few lines, with the one connector of its site behind it: a token endpoint that counts, client links, and
//! real streams to a resource that the test chooses.

mod http;
mod lanes;
mod site;
mod talk;

pub(crate) use talk::Talk;

use postern_client::home::{Home, Profile, Tokens};
use postern_ids::{Ended, Refusal, Timestamp};
use postern_tunnel_io::{Detach, Link};
use site::Site;
use std::{
    net::{Shutdown, TcpStream},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};

/// What the token endpoint does with a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    Works,
    /// After this long.
    WorksLate(Duration),
    Ended,
    Fails,
}

/// What a session meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Sends everything back in upper case once the request is complete.
    Shout,
    /// Sends back at once what comes.
    Echo,
    /// Refused with this code and detail.
    Refused(Refusal, &'static str),
    /// Says a word, waits for a byte, then is cut.
    Cut(Ended),
}

pub(crate) struct Gateway {
    pub(crate) url: String,
    shared: Arc<Shared>,
    runtime: Option<Arc<Runtime>>,
}

struct Shared {
    resource: Resource,
    host_keys: Vec<String>,
    site: Arc<Site>,
    refresh: Refresh,
    refreshes: AtomicUsize,
    /// What the token endpoint tells beside tokens.
    nodes: Mutex<Vec<String>>,
    /// Connections are dropped as soon as they are there.
    is_dead: AtomicBool,
    dropped: Count,
    /// What every lane from now on is refused with.
    refusing: Mutex<Option<(Refusal, &'static str)>>,
    refused: Count,
    /// The tokens of the links, as they came.
    shown: Mutex<Vec<String>>,
    live: Mutex<Live>,
}

/// How often something happened.
struct Count(watch::Sender<usize>);

impl Default for Count {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Count {
    fn add(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    async fn reached(&self, count: usize) {
        self.0.subscribe().wait_for(|now| *now >= count).await.unwrap();
    }
}

#[derive(Default)]
struct Live {
    sockets: Vec<TcpStream>,
    links: Vec<Link>,
    detaches: Vec<Detach>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take().and_then(Arc::into_inner) {
            runtime.shutdown_background();
        }
    }
}

impl Gateway {
    pub(crate) fn start(refresh: Refresh, resource: Resource, host_keys: &[&str]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let site = runtime.block_on(Site::open(resource));
        Self::at(Arc::new(runtime), site, refresh, resource, host_keys)
    }

    /// Another gateway of the same site.
    pub(crate) fn beside(&self) -> Self {
        let Shared { site, resource, refresh, .. } = &*self.shared;
        let runtime = self.runtime.clone().unwrap();
        Self::at(runtime, site.clone(), *refresh, *resource, &[])
    }

    fn at(
        runtime: Arc<Runtime>,
        site: Arc<Site>,
        refresh: Refresh,
        resource: Resource,
        host_keys: &[&str],
    ) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            resource,
            host_keys: host_keys.iter().map(ToString::to_string).collect(),
            site,
            refresh,
            refreshes: AtomicUsize::default(),
            nodes: Mutex::default(),
            is_dead: AtomicBool::default(),
            dropped: Count::default(),
            refusing: Mutex::default(),
            refused: Count::default(),
            shown: Mutex::default(),
            live: Mutex::default(),
        });
        runtime.spawn(http::listen(listener, shared.clone()));
        Self { url, shared, runtime: Some(runtime) }
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.shared.refreshes.load(Ordering::SeqCst)
    }

    pub(crate) fn links(&self) -> usize {
        self.shown().len()
    }

    /// The bearer tokens of the links, in the order they came.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.shared.shown.lock().unwrap().clone()
    }

    /// How many sessions the resource has seen.
    pub(crate) fn sessions(&self) -> usize {
        self.shared.site.sessions()
    }

    pub(crate) fn tell_nodes(&self, nodes: &[&str]) {
        *self.shared.nodes.lock().unwrap() = nodes.iter().map(ToString::to_string).collect();
    }

    pub(crate) fn refuse_lanes(&self, refusal: Refusal, detail: &'static str) {
        *self.shared.refusing.lock().unwrap() = Some((refusal, detail));
    }

    pub(crate) fn refuse_nothing(&self) {
        *self.shared.refusing.lock().unwrap() = None;
    }

    /// Waits until this many lanes were refused.
    pub(crate) fn wait_for_refusals(&self, count: usize) {
        self.runtime.as_ref().unwrap().block_on(self.shared.refused.reached(count));
    }

    /// Waits until this many streams were ended for good at the connector.
    pub(crate) fn wait_for_ends(&self, count: usize) {
        self.runtime.as_ref().unwrap().block_on(self.shared.site.ends.reached(count));
    }

    /// Breaks the connections of all links, as a killed gateway does.
    pub(crate) fn break_links(&self) {
        let live = std::mem::take(&mut *self.shared.live.lock().unwrap());
        for socket in live.sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Is not there any more: breaks all links and takes no other.
    pub(crate) fn die(&self) {
        self.shared.is_dead.store(true, Ordering::SeqCst);
        self.break_links();
    }

    /// Waits until so many connections were dropped.
    pub(crate) fn wait_for_drops(&self, count: usize) {
        self.runtime.as_ref().unwrap().block_on(self.shared.dropped.reached(count));
    }

    /// How many connections were dropped so far.
    pub(crate) fn drops(&self) -> usize {
        *self.shared.dropped.0.borrow()
    }

    pub(crate) fn live_again(&self) {
        self.shared.is_dead.store(false, Ordering::SeqCst);
    }

    /// Lets every stream go, as a gateway does that restarts.
    pub(crate) fn detach(&self) {
        for detach in self.shared.live.lock().unwrap().detaches.drain(..) {
            detach.detach(Ended::GatewayStopped.code());
        }
    }

    pub(crate) fn go_away(&self) {
        for link in &self.shared.live.lock().unwrap().links {
            link.go_away(Ended::GatewayStopped.code(), "restarting");
        }
    }
}

/// A state directory without a sign-in.
pub(crate) fn nobody() -> (TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(Some(&dir.path().join("state"))).unwrap();
    (dir, home)
}

/// A state directory with a sign-in at `url` whose access token came and ends at these offsets from now, in seconds.
pub(crate) fn signed_in(url: &str, obtained: i64, expires: i64) -> (TempDir, Home) {
    let (dir, home) = nobody();
    Profile::new(url, None, None).unwrap().save(&home).unwrap();
    give_tokens(&home, url, obtained, expires);
    (dir, home)
}

/// Replaces the tokens by ones that came and end at these offsets from now, in seconds.
pub(crate) fn give_tokens(home: &Home, url: &str, obtained: i64, expires: i64) {
    let now = Timestamp::from_system(SystemTime::now()).as_secs();
    let tokens = Tokens {
        gateway: url.to_owned(),
        access_token: "old-access".into(),
        refresh_token: "old-refresh".into(),
        obtained_at: Timestamp::from_secs(now + obtained),
        expires_at: Timestamp::from_secs(now + expires),
    };
    tokens.save(home).unwrap();
}

/// A sign-in that is fresh and knows these addresses.
pub(crate) fn signed_in_at(gateways: &[&Gateway]) -> (TempDir, Home) {
    let (dir, home) = signed_in(&gateways[0].url, -10, 900);
    let nodes: Vec<_> = gateways.iter().map(|gateway| gateway.url.clone()).collect();
    Profile::require(&home).unwrap().learn(&home, &nodes).unwrap();
    (dir, home)
}

/// The command, with nothing of this machine's own state.
pub(crate) fn postern(home: &Home, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("POSTERN_HOME", home.dir()).env("HOME", home.dir());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
