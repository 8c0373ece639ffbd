//! Gateways that die, freeze and restart.

use crate::support::{
    AFTER_RESTART, AFTER_SILENCE, SOON, all_go_on, all_whole, carrier, each_ended_once, is_long, load,
    settled_resumes, two_loads,
};
use anyhow::{Context, Result};
use postern_tests::chaos::{Copies, Direction, Storm};
use postern_tests::{
    Fleet, Pace, Plan, Process, Ran, Scratch, Signal, Workload, eventually, scenario, until,
};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn f01_twenty_kills_of_the_gateway_cost_no_session_and_no_byte_of_scp() -> Result<()> {
    scenario("kills", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(1))?;
        let storm = Storm { kills: 20, seed: 20_260_801, copy_mib: 64 };
        let report = storm.run(&mut fleet, scratch, |number, stall| eprintln!("kill {number}: {stall:?}"))?;
        eprintln!("{}", report.table());
        assert_eq!(report.sessions_lost, Vec::<String>::new());
        let counts = (report.bytes_lost, report.double_deliveries, report.false_detaches);
        assert_eq!(counts, (0, 0, 0), "bytes lost, double deliveries, false detaches");
        assert!(report.copies >= 2, "one whole copy each way at least");
        Ok(())
    })
}

#[test]
fn f01_the_sessions_of_a_killed_gateway_go_on_at_the_other() -> Result<()> {
    scenario("f01", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(2))?;
        let up = Copies::start(&fleet.alice, &fleet.sshd, Direction::Up, 64, &scratch.join("up"))?;
        let down = Copies::start(&fleet.alice, &fleet.sshd, Direction::Down, 64, &scratch.join("down"))?;
        let loads = two_loads(&fleet, scratch)?;
        for _ in 0..2 {
            fleet.await_links()?;
            let victim = carrier(&fleet)?;
            fleet.node(victim)?.gateway.kill()?;
            all_go_on(&loads, AFTER_RESTART)?;
            assert_ne!(carrier(&fleet)?, victim);
            // Until here the victim was down: what went on went on elsewhere.
            fleet.node(victim)?.gateway.restart()?;
        }
        all_whole(&fleet, loads)?;
        for copied in [up.finish()?, down.finish()?] {
            assert!(copied.is_whole(), "{copied:?}");
        }
        Ok(())
    })
}

#[test]
fn f02_a_gateway_that_freezes_and_wakes_delivers_nothing_twice() -> Result<()> {
    scenario("f02", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(2))?;
        let loads = two_loads(&fleet, scratch)?;
        let frozen = carrier(&fleet)?;
        fleet.signal(frozen, Signal::Stop)?;
        all_go_on(&loads, AFTER_SILENCE)?;
        if is_long() {
            std::thread::sleep(Duration::from_secs(18));
        }
        // It wakes with everything in its buffers, and with links whose other ends went on without it.
        fleet.signal(frozen, Signal::Cont)?;
        fleet.await_links()?;
        all_go_on(&loads, AFTER_RESTART)?;
        all_whole(&fleet, loads)?;
        // It learned that its sessions moved: it did not end them in the records.
        each_ended_once(&fleet)
    })
}

#[test]
fn f03_a_rolling_restart_of_both_gateways_loses_nothing_and_refuses_nobody() -> Result<()> {
    scenario("f03", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(2))?;
        let up = Copies::start(&fleet.alice, &fleet.sshd, Direction::Up, 64, &scratch.join("up"))?;
        let loads = two_loads(&fleet, scratch)?;
        let newcomers = Newcomers::start(&fleet);
        for number in [0, 1] {
            let (drained, restarted) = fleet.roll(number)?;
            eprintln!("gateway {number} drained in {drained:?}, was back after {restarted:?}");
            assert!(drained <= Duration::from_secs(5), "only plain sessions may hold it: {drained:?}");
            fleet.await_links()?;
            all_go_on(&loads, AFTER_RESTART)?;
        }
        let (came, refused) = newcomers.finish()?;
        assert!(came > 0);
        assert_eq!(refused, Vec::<String>::new(), "of {came} new sessions");
        all_whole(&fleet, loads)?;
        let copied = up.finish()?;
        assert!(copied.is_whole(), "{copied:?}");
        Ok(())
    })
}

#[test]
fn f03_a_restart_by_sigterm_under_fifty_sessions_loses_none() -> Result<()> {
    /// Real ssh, each with its own command.
    const SSH: usize = 10;
    /// Through one forwarded port.
    const FORWARDED: u64 = 40;
    scenario("fifty", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(1))?;
        let mut ssh = Vec::new();
        for _ in 0..SSH {
            let mut command = fleet.alice.openssh("ssh", &fleet.sshd)?;
            command.args(["bastion", "read -r line; echo $line"]);
            ssh.push(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
        }
        let (port, _forward) = forward(&fleet, scratch)?;
        let mut loads = Vec::new();
        for number in 0..FORWARDED {
            let pace = Pace { record_bytes: 64, every: Duration::from_millis(100) };
            loads.push(Workload::forwarded(TcpStream::connect(port)?, pace, 100 + number)?);
        }
        all_go_on(&loads, SOON)?;
        until("everybody at the sshd", SOON, || fleet.sshd.accepted() >= SSH)?;
        let before = settled_resumes(&fleet)?;
        let (drained, restarted) = fleet.roll(0)?;
        eprintln!("drained in {drained:?}, back after {restarted:?}");
        assert!(drained <= Duration::from_secs(5), "detached sessions hold nobody: {drained:?}");
        all_go_on(&loads, AFTER_RESTART)?;
        for (number, mut child) in ssh.into_iter().enumerate() {
            child.stdin.take().context("a pipe")?.write_all(format!("line {number}\n").as_bytes())?;
            let ran = Ran::from(child.wait_with_output()?).expect(0)?;
            assert_eq!(ran.stdout, format!("line {number}\n"));
        }
        let resumed = settled_resumes(&fleet)? - before;
        assert_eq!(resumed, FORWARDED + SSH as u64, "each session resumes once");
        all_whole(&fleet, loads)
    })
}

#[test]
fn f13_a_resume_at_a_gateway_without_the_connector_goes_on_where_it_is() -> Result<()> {
    scenario("f13", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(2))?;
        let load = load(&fleet, Pace::TYPING, 1, scratch)?;
        let at = carrier(&fleet)?;
        let other = 1 - at;
        // The other gateway loses the connector, then this one loses the client: the client can only reach the wrong one.
        fleet.node(other)?.back.refuse();
        until("one gateway without the connector", SOON, || fleet.gateways_linked() == 1)?;
        fleet.node(at)?.front.refuse();
        until("the client at the wrong gateway", SOON, || {
            fleet.nodes.get(other).is_some_and(|node| node.front.accepted() > 0)
        })?;
        assert!(load.is_running(), "{}", load.said());
        // Whichever of the two comes back first, the session goes on.
        fleet.node(other)?.back.heal();
        load.await_progress(SOON)?;
        assert_eq!(carrier(&fleet)?, other);
        fleet.node(at)?.front.heal();
        all_whole(&fleet, vec![load])
    })
}

#[test]
fn f13_a_resume_of_a_connector_that_is_gone_is_refused_for_good() -> Result<()> {
    scenario("f13-gone", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(1))?;
        let load = load(&fleet, Pace::TYPING, 1, scratch)?;
        fleet.node(0)?.front.refuse();
        fleet.connector.kill()?;
        fleet.connector.run()?;
        fleet.await_links()?;
        fleet.node(0)?.front.heal();
        let took = load.await_end(SOON)?;
        let outcome = load.finish(SOON)?;
        assert_eq!(outcome.code, Some(75), "{}", outcome.said);
        assert!(took <= Duration::from_secs(10), "{took:?}: at once, not when the window is over");
        assert_eq!(fleet.witness.seen(1).connections, 1, "nothing is dialed again");
        Ok(())
    })
}

/// A port of `postern forward` that leads to the witness.
fn forward(fleet: &Fleet, scratch: &Scratch) -> Result<(SocketAddr, Process)> {
    let port = postern_tests::free_port()?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let command = fleet.alice.postern(&["forward", &format!("{port}:echo")]);
    let process = Process::start("forward", command, scratch.path())?;
    eventually("the forwarded port", SOON, || TcpStream::connect(address).ok())
        .with_context(|| process.log_tail())?;
    Ok((address, process))
}

/// People who come one after the other, each with one short session.
struct Newcomers {
    is_stopping: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<(u64, Vec<String>)>>,
}

impl Newcomers {
    fn start(fleet: &Fleet) -> Self {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (stopping, alice) = (Arc::clone(&is_stopping), fleet.alice.clone());
        let thread = std::thread::spawn(move || {
            let (mut came, mut refused) = (0, Vec::new());
            while !stopping.load(Ordering::SeqCst) {
                let mut command = alice.postern(&["proxy", "bastion"]);
                // The sshd says its version first; the half-close makes it end.
                let ran = Ran::from(command.stdin(Stdio::null()).output()?);
                came += 1;
                if ran.code != 0 || !ran.stdout.starts_with("SSH-2.0-") {
                    refused.push(format!("{ran:?}"));
                }
            }
            Ok((came, refused))
        });
        Self { is_stopping, thread }
    }

    fn finish(self) -> Result<(u64, Vec<String>)> {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.thread.join().map_err(|_| anyhow::anyhow!("the newcomers panicked"))?
    }
}
