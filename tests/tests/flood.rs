//! What strangers who flood the public port cost those who are signed in: nothing (R2).

use anyhow::{Context, Result};
use postern_tests::{Gateway, GatewayOptions, World, scenario, tools};
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Where the floods come from; everybody else of the test is at 127.0.0.1.
const STRANGERS: [&str; 2] = ["127.0.0.2", "127.0.0.3"];
/// A round trip that takes longer counts as delayed: a machine that also makes thousands of handshakes does not answer at once.
const PROMPT: Duration = Duration::from_millis(500);

/// Who connects and says nothing, and how often.
const SILENT: [[u8; 4]; 4] = [[127, 0, 0, 4], [127, 0, 0, 5], [127, 0, 0, 6], [127, 0, 0, 7]];
const CONNECTIONS: usize = 50_000;
/// So many of their connections are open at once.
const OPEN_AT_ONCE: usize = 256;
/// What the bursts of four addresses let in, and their rates in a minute.
const LET_IN_MAX: usize = 4 * (200 + 60 * 20);

/// The burst of the limits below, and what their rate allows within a few seconds more.
const HEARD_MAX: usize = 400;

#[test]
fn r02_a_flood_of_strangers_is_told_to_wait_and_costs_a_session_of_another_address_nothing() -> Result<()> {
    scenario("r02", |scratch| {
        let options = GatewayOptions::of_the_run()?
            .set("limits.connection_burst_per_ip", "200")
            .set("limits.connection_rate_per_ip", "20");
        let world = World::start_with(scratch, &options)?;
        let mut ssh = world.alice.openssh("ssh", &world.sshd)?;
        ssh.args(["bastion", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut session = ssh.spawn().context("start ssh")?;
        let mut echo = Echo::of(&mut session)?;
        echo.round()?;

        let flood = flood(&world.gateway)?;
        let mut flood = flood.into_iter();
        let (upgrades, handshakes) = (flood.next().context("upgrades")?, flood.next().context("handshakes")?);
        let both = std::thread::spawn(move || (upgrades.wait_with_output(), handshakes.wait_with_output()));
        let gate: SocketAddr = world.gateway.public_address().parse()?;
        let silent = std::thread::spawn(move || connect_and_say_nothing(gate));
        let mut rounds = Vec::new();
        while !both.is_finished() || !silent.is_finished() || rounds.len() < 50 {
            rounds.push(echo.round()?);
        }
        let made = silent.join().map_err(|_| anyhow::anyhow!("the silent flood panicked"))??;
        let refused = world.gateway.metric("postern_connections_refused_total")?;
        assert!(made >= CONNECTIONS, "only {made} connections were made");
        assert!(refused >= (made - LET_IN_MAX) as f64, "only {refused} of {made} connections were refused");
        let (upgrades, handshakes) = both.join().map_err(|_| anyhow::anyhow!("the flood panicked"))?;
        let (upgrades, handshakes) = (answers(&upgrades?.stdout), answers(&handshakes?.stdout));

        // Who comes too often is told so once, and then not let in at all.
        let told = upgrades.iter().filter(|answer| answer.starts_with("429 ")).collect::<Vec<_>>();
        let heard = upgrades.iter().filter(|answer| answer.starts_with("401")).count();
        assert!(!told.is_empty() && heard <= HEARD_MAX, "{heard} of {} were heard: {told:?}", upgrades.len());
        let waits = |answer: &str| {
            answer.split(' ').nth(1).is_some_and(|wait| wait.parse::<u64>().is_ok_and(|s| s > 0))
        };
        assert!(told.iter().all(|answer| waits(answer)), "{told:?}");
        assert!(handshakes.iter().filter(|answer| answer.starts_with("000")).count() >= 50, "{handshakes:?}");
        let delayed = rounds.iter().filter(|took| **took > PROMPT).count();
        assert!(delayed * 10 <= rounds.len(), "{delayed} of {} round trips were delayed", rounds.len());

        drop(echo);
        assert!(session.wait()?.success(), "the session was dropped");
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

/// A session that says again what it is told.
struct Echo {
    input: std::process::ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    said: u32,
}

impl Echo {
    fn of(session: &mut Child) -> Result<Self> {
        let input = session.stdin.take().context("no input")?;
        let output = BufReader::new(session.stdout.take().context("no output")?);
        Ok(Self { input, output, said: 0 })
    }

    fn round(&mut self) -> Result<Duration> {
        self.said += 1;
        let began = Instant::now();
        writeln!(self.input, "{}", self.said)?;
        let mut heard = String::new();
        self.output.read_line(&mut heard)?;
        anyhow::ensure!(heard.trim() == self.said.to_string(), "{heard:?} came back for {}", self.said);
        Ok(began.elapsed())
    }
}

/// Two floods without credentials: upgrades on kept connections, and a TCP connection with a TLS handshake for each request.
fn flood(gateway: &Gateway) -> Result<Vec<Child>> {
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: postern.tunnel.v1",
    ];
    let requests: [(&str, &[&str], &[&str]); 2] = [
        ("tunnel/client?[1-600]", &upgrade, &[]),
        ("sign-in?[1-1000]", &["Connection: close"], &["--parallel", "--parallel-max", "50"]),
    ];
    let mut floods = Vec::new();
    for ((path, headers, more), stranger) in requests.into_iter().zip(STRANGERS) {
        let mut curl = tools::command("curl")?;
        curl.args(["--silent", "--http1.1", "--noproxy", "*", "--output", "/dev/null", "--max-time", "60"]);
        curl.args(["--interface", stranger, "--write-out", "%{http_code} %header{retry-after}\n"]).args(more);
        curl.arg("--cacert").arg(gateway.authority());
        for header in headers {
            curl.args(["--header", header]);
        }
        curl.arg(format!("{}/{path}", gateway.url())).stdout(Stdio::piped());
        floods.push(curl.spawn().context("start curl")?);
    }
    Ok(floods)
}

/// Connects as often as said, and says nothing; how often it succeeded.
fn connect_and_say_nothing(gate: SocketAddr) -> Result<usize> {
    let (mut open, mut made) = (VecDeque::new(), 0);
    for source in SILENT.iter().cycle().take(CONNECTIONS) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Nothing of it stays when it is dropped: the test must not run out of ports.
        socket.set_linger(Some(Duration::ZERO))?;
        socket.bind(&SocketAddr::from((*source, 0)).into())?;
        socket.connect(&gate.into()).with_context(|| format!("after {made} connections"))?;
        made += 1;
        open.push_back(socket);
        if open.len() > OPEN_AT_ONCE {
            open.pop_front();
        }
    }
    Ok(made)
}

fn answers(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}
