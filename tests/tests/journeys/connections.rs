//! One connection of each kind that a person can have, each with what its target sees of it.

use crate::SOON;
use crate::disabled::Person;
use anyhow::{Context, Result};
use postern_tests::apps::{AppServer, Scene, WebSocket};
use postern_tests::{
    ConnectProxy, FaultPath, FaultProxy, Pace, Process, Signal, Way, Witness, Workload, eventually, tools,
    until,
};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// Slow enough for many downloads beside each other; the application always has more.
const DOWNLOAD: [&str; 2] = ["--limit-rate", "64k"];

/// A person's connections, all open at once.
pub(crate) struct Connections {
    /// What ends a line of the application's list that is about this person.
    mark: String,
    ssh: Process,
    /// Written by the far end of `ssh` when its input ends.
    ssh_ended: PathBuf,
    waiting: Waiting,
    forwarded: Forwarded,
    websocket: WebSocket,
    events: Process,
    download: Process,
}

/// A session whose client stands still and has lost its connection to the gateway: it waits at the connector.
struct Waiting {
    load: Workload,
    target: Witness,
    /// Records that had come back before.
    had: u64,
    /// The way back.
    _front: FaultProxy,
}

/// A connection through `postern forward`.
struct Forwarded {
    load: Workload,
    target: Witness,
    entry: SocketAddr,
    _command: Process,
}

impl Connections {
    pub(crate) fn open(scene: &Scene, person: &Person, app_token: &str) -> Result<Self> {
        let mark = format!("by={}", person.name);
        let ssh_ended = person.directory.join("ssh-ended");
        Ok(Self {
            ssh: ssh(scene, person, &ssh_ended)?,
            ssh_ended,
            waiting: waiting(scene, person)?,
            forwarded: forwarded(scene, person)?,
            websocket: websocket(scene, person, &mark)?,
            events: events(scene, person, &mark)?,
            download: download(scene, person, &mark, app_token)?,
            mark,
        })
    }

    pub(crate) fn names(&self) -> [&'static str; 6] {
        ["ssh", "waiting", "forwarded", "websocket", "events", "download by token"]
    }

    /// Those that have ended at their targets.
    pub(crate) fn gone(&self, app: &AppServer) -> Result<Vec<&'static str>> {
        let told = app.seen()?;
        let tells =
            |begin: &str| told.iter().any(|line| line.starts_with(begin) && line.contains(&self.mark));
        let gone = [
            self.ssh_ended.exists(),
            self.waiting.target.open() == 0,
            self.forwarded.target.open() == 0,
            tells("CLOSE /echo"),
            tells("CUT /events"),
            tells("CUT /bytes"),
        ];
        Ok(self.names().into_iter().zip(gone).filter_map(|(name, gone)| gone.then_some(name)).collect())
    }

    /// Each carries something, the one that waited after its client came back.
    pub(crate) fn expect_alive(&mut self, app: &AppServer) -> Result<()> {
        let gone = self.gone(app)?;
        anyhow::ensure!(gone.is_empty(), "gone: {gone:?}");
        self.ssh.type_line("still here")?;
        until("an answer over ssh", SOON, || self.ssh.log().contains("still here"))?;
        self.websocket.send("still here");
        self.websocket.until("still here")?;
        let before = self.events.log().len();
        until("another event", SOON, || self.events.log().len() > before)?;
        anyhow::ensure!(self.download.is_running(), "{}", self.download.log());
        self.forwarded.load.await_progress(SOON)?;
        self.waiting.load.signal(Signal::Cont)?;
        self.waiting.load.await_progress(SOON)?;
        let reached = self.waiting.target.seen(self.waiting.load.number());
        anyhow::ensure!(reached.connections == 1 && reached.tally.is_clean(), "{reached:?}");
        Ok(())
    }

    /// Nothing goes on, not even for a client that still holds its ticket and its key; and nothing begins.
    pub(crate) fn expect_dead(self, app: &AppServer) -> Result<()> {
        let gone = self.gone(app)?;
        anyhow::ensure!(gone == self.names(), "only gone: {gone:?}");
        let Waiting { load, target, had, _front } = self.waiting;
        load.signal(Signal::Cont)?;
        load.await_end(SOON)?;
        let outcome = load.finish(SOON)?;
        anyhow::ensure!(outcome.code == Some(77), "{outcome:?}");
        anyhow::ensure!(outcome.tally.records == had && target.connections() == 1, "{outcome:?} of {had}");
        let connections = self.forwarded.target.connections();
        let mut refused = TcpStream::connect(self.forwarded.entry)?;
        refused.set_read_timeout(Some(SOON))?;
        let answer = std::io::Read::read(&mut refused, &mut [0; 1]);
        anyhow::ensure!(!matches!(answer, Ok(1..)), "the forwarded port still leads somewhere");
        anyhow::ensure!(self.forwarded.target.connections() == connections, "it reached the target");
        Ok(())
    }
}

/// Stock OpenSSH with a shell loop at the far end that says back what is typed, and notes the end of its input.
fn ssh(scene: &Scene, person: &Person, ended: &std::path::Path) -> Result<Process> {
    let mut ssh = person.client.openssh("ssh", &scene.world.sshd)?;
    let echo = "echo open; while read -r line; do echo \"$line\"; done";
    ssh.args(["bastion", &format!("{echo}; echo over >'{}'", ended.display())]);
    let ssh = Process::start_with_open_input("ssh", ssh, &person.directory)?;
    until("a session over ssh", SOON, || ssh.log().contains("open")).with_context(|| ssh.log_tail())?;
    Ok(ssh)
}

/// The client goes through a proxy of its own, which is cut while the client stands still.
fn waiting(scene: &Scene, person: &Person) -> Result<Waiting> {
    let target = Witness::start()?;
    let resource = format!("{}-waits", person.name);
    scene.world.add_tcp(&resource, &target.address().to_string())?;
    let proxy = ConnectProxy::start()?;
    let place = proxy.url().trim_start_matches("http://").parse().context("the proxy's address")?;
    let front = FaultProxy::start(place, 1)?;
    let laptop = person.client.clone().with_environment("NO_PROXY", "");
    let laptop = laptop.with_environment("HTTPS_PROXY", &format!("http://{}", front.address()));
    let load = Workload::proxied(&laptop, &resource, Pace::TYPING, 1, &person.directory)?;
    load.await_progress(SOON)?;
    front.set(Way::Both, FaultPath::blocked());
    let mut before = load.echoed();
    until("the last record before the cut", SOON, || {
        std::thread::sleep(Duration::from_millis(200));
        std::mem::replace(&mut before, load.echoed()) == load.echoed()
    })?;
    load.signal(Signal::Stop)?;
    let held = scene.gateway().metric("postern_sessions_held ")?;
    front.reset();
    let waits = || scene.gateway().metric("postern_sessions_held ").is_ok_and(|now| now > held);
    until("the gateway to know that it waits", SOON, waits)?;
    // From here on the proxy would let the client through again.
    front.heal();
    let had = load.echoed();
    Ok(Waiting { load, target, had, _front: front })
}

fn forwarded(scene: &Scene, person: &Person) -> Result<Forwarded> {
    let target = Witness::start()?;
    let resource = format!("{}-forward", person.name);
    scene.world.add_tcp(&resource, &target.address().to_string())?;
    let port = postern_tests::free_port()?;
    let entry = SocketAddr::from(([127, 0, 0, 1], port));
    let command = person.client.postern(&["forward", &format!("{port}:{resource}")]);
    let command = Process::start("forward", command, &person.directory)?;
    let (stream, _) = eventually("the forwarded port", SOON, || TcpStream::connect(entry).ok())
        .with_context(|| command.log_tail())?;
    let load = Workload::forwarded(stream, Pace::TYPING, 1)?;
    load.await_progress(SOON)?;
    Ok(Forwarded { load, target, entry, _command: command })
}

fn websocket(scene: &Scene, person: &Person, mark: &str) -> Result<WebSocket> {
    let authority = scene.authority("alpha");
    let cookie = format!("Cookie: {}", person.visitor.cookie_line(&authority)?);
    let mut socket = WebSocket::open(scene.gateway(), &authority, &format!("/echo?{mark}"), &[cookie])?;
    anyhow::ensure!(socket.status() == 101, "{}", socket.head);
    socket.send("hello");
    socket.until("hello")?;
    Ok(socket)
}

/// A streaming answer in the browser.
fn events(scene: &Scene, person: &Person, mark: &str) -> Result<Process> {
    let curl = person.visitor.curl(&["--no-buffer", &scene.url("alpha", &format!("/events?{mark}"))])?;
    let events = Process::start("events", curl, &person.directory)?;
    until("an event", SOON, || events.log().contains("data: 1")).with_context(|| events.log_tail())?;
    Ok(events)
}

/// A program that shows a token and is in the middle of its download.
fn download(scene: &Scene, person: &Person, mark: &str, token: &str) -> Result<Process> {
    let path = format!("/bytes?n=1000000000000&{mark}");
    let mut curl = tools::command("curl")?;
    curl.args(["--disable", "--silent", "--show-error", "--noproxy", "*", "--output", "/dev/null"]);
    curl.args(DOWNLOAD).arg("--cacert").arg(scene.gateway().authority());
    curl.args(["--header", &format!("Authorization: Bearer {token}"), &scene.url("alpha", &path)]);
    let download = Process::start("download", curl, &person.directory)?;
    let begun = || scene.app.seen().is_ok_and(|seen| seen.contains(&format!("GET {path}")));
    until("the download at the application", SOON, begun).with_context(|| download.log_tail())?;
    Ok(download)
}
