//! Streams at their edges: opened, half-closed, ended and held up while gateways die.

use crate::support::{AFTER_RESTART, SOON, all_go_on, all_whole, carrier, load, two_loads, whole};
use anyhow::{Context, Result};
use postern_tests::workload::Outcome;
use postern_tests::{Chance, Client, Fleet, Pace, Plan, Ran, Workload, scenario, until};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn f01_short_sessions_under_kills_are_whole_or_were_never_opened() -> Result<()> {
    /// People who come one after the other, each of them.
    const PEOPLE: u64 = 3;
    scenario("short", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(1))?;
        let mut chance = Chance::new(101);
        let is_stopping = Arc::new(AtomicBool::new(false));
        let numbers = Arc::new(AtomicU64::new(1000));
        let people: Vec<_> = (0..PEOPLE)
            .map(|_| {
                let (stopping, numbers) = (Arc::clone(&is_stopping), Arc::clone(&numbers));
                let (alice, directory) = (fleet.alice.clone(), scratch.path().to_path_buf());
                let chance = chance.branch();
                std::thread::spawn(move || come_and_go(&alice, &directory, &stopping, &numbers, chance))
            })
            .collect();
        for _ in 0..15 {
            std::thread::sleep(chance.between(Duration::from_millis(50), Duration::from_millis(800)));
            fleet.kill_and_restart(0)?;
        }
        is_stopping.store(true, Ordering::SeqCst);
        let mut outcomes = Vec::new();
        for person in people {
            outcomes.extend(person.join().map_err(|_| anyhow::anyhow!("a person panicked"))??);
        }
        let opened: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.code == Some(0)).collect();
        eprintln!("{} of {} sessions were opened", opened.len(), outcomes.len());
        assert!(opened.len() >= 15, "too few to show anything");
        for outcome in &outcomes {
            let there = fleet.witness.seen(outcome.number);
            if outcome.code == Some(0) {
                outcome.expect_whole()?;
                assert_eq!(there.connections, 1, "{outcome:?}");
            } else {
                // Told that there is no session, and there was none: nothing of it reached the target.
                assert_eq!((there.connections, outcome.tally.records), (0, 0), "{outcome:?}");
            }
        }
        Ok(())
    })
}

#[test]
fn f01_both_gateways_dead_for_a_while_cost_nothing() -> Result<()> {
    scenario("both-dead", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(2))?;
        let loads = two_loads(&fleet, scratch)?;
        for number in [0, 1] {
            fleet.node(number)?.gateway.kill()?;
        }
        std::thread::sleep(Duration::from_secs(6));
        for number in [1, 0] {
            fleet.node(number)?.gateway.restart()?;
        }
        all_go_on(&loads, AFTER_RESTART)?;
        all_whole(&fleet, loads)
    })
}

#[test]
fn f01_full_buffers_on_every_hop_survive_kills() -> Result<()> {
    scenario("full", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(1))?;
        let loads = vec![load(&fleet, Pace::BULK, 1, scratch)?, load(&fleet, Pace::BULK, 2, scratch)?];
        fleet.witness.hold(true);
        for _ in 0..3 {
            // Time for everything to fill up, or for a resume to be busy filling it.
            std::thread::sleep(Duration::from_millis(700));
            fleet.kill_and_restart(0)?;
        }
        fleet.witness.hold(false);
        all_go_on(&loads, SOON)?;
        all_whole(&fleet, loads)
    })
}

#[test]
fn f01_who_half_closes_while_detached_gets_the_whole_answer() -> Result<()> {
    scenario("half-close", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let load = load(&fleet, Pace::BULK, 1, scratch)?;
        let front = &fleet.nodes[0].front;
        front.refuse();
        until("the way cut", SOON, || front.open() == 0)?;
        let healer = std::thread::scope(|scope| {
            let healing = scope.spawn(|| {
                std::thread::sleep(Duration::from_secs(2));
                front.heal();
            });
            // The end of the input comes while nothing can carry it.
            let outcome = whole(&fleet, load);
            healing.join().map_err(|_| anyhow::anyhow!("the healer panicked"))?;
            outcome
        });
        healer?;
        Ok(())
    })
}

#[test]
fn f19_what_a_target_said_before_its_end_arrives_after_a_resume() -> Result<()> {
    const ANSWER_BYTES: usize = 3 * 1024 * 1024;
    scenario("late-end", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        fleet.add_tcp("late", listener.local_addr()?)?;
        let child = proxy(&fleet.alice, "late")?;
        let mut target = first_byte_of(&listener)?;
        let front = &fleet.nodes[0].front;
        front.refuse();
        until("the way cut", SOON, || front.open() == 0)?;
        // The target answers, ends, and is gone while nobody is there.
        let answer: Vec<u8> = (0..ANSWER_BYTES).map(|at| u8::try_from(at * 7 % 251).unwrap_or(0)).collect();
        let speaking = {
            let answer = answer.clone();
            std::thread::spawn(move || -> std::io::Result<TcpStream> {
                target.read_exact(&mut [0; 1])?;
                target.write_all(&answer)?;
                target.shutdown(Shutdown::Write)?;
                Ok(target)
            })
        };
        std::thread::sleep(Duration::from_millis(500));
        front.heal();
        let output = child.wait_with_output()?;
        drop(speaking.join().map_err(|_| anyhow::anyhow!("the target panicked"))??);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == answer, "{} bytes of {ANSWER_BYTES}", output.stdout.len());
        Ok(())
    })
}

#[test]
fn f19_a_target_that_resets_while_detached_is_told_as_such() -> Result<()> {
    scenario("late-reset", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        fleet.add_tcp("late", listener.local_addr()?)?;
        let child = proxy(&fleet.alice, "late")?;
        let target = first_byte_of(&listener)?;
        let front = &fleet.nodes[0].front;
        front.refuse();
        until("the way cut", SOON, || front.open() == 0)?;
        // Dropped with a byte unread: the kernel resets.
        drop(target);
        std::thread::sleep(Duration::from_millis(300));
        front.heal();
        let ran = Ran::from(child.wait_with_output()?).expect(75)?;
        assert!(ran.stderr.contains("target"), "{}", ran.stderr);
        Ok(())
    })
}

#[test]
fn f05_with_the_database_away_a_session_moves_to_the_other_gateway() -> Result<()> {
    scenario("f05-move", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan { has_own_server: true, ..Plan::of(2) })?;
        let load = load(&fleet, Pace::TYPING, 1, scratch)?;
        let victim = carrier(&fleet)?;
        // The other gateway has met alice before: a person it never saw could not be decided without the store.
        fleet.node(victim)?.front.refuse();
        load.await_progress(SOON)?;
        fleet.node(victim)?.front.heal();
        let (now_at, back_to) = (1 - victim, victim);
        fleet.server()?.crash()?;
        fleet.node(now_at)?.front.refuse();
        load.await_progress(SOON)?;
        assert_eq!(carrier(&fleet)?, back_to);
        fleet.server()?.restart()?;
        fleet.node(now_at)?.front.heal();
        all_whole(&fleet, vec![load])
    })
}

/// Sessions one after the other, each a few records long; gives how they ended.
fn come_and_go(
    alice: &Client,
    directory: &Path,
    is_stopping: &AtomicBool,
    numbers: &AtomicU64,
    mut chance: Chance,
) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    while !is_stopping.load(Ordering::SeqCst) {
        let number = numbers.fetch_add(1, Ordering::SeqCst);
        let pace = Pace { record_bytes: 2000, every: Duration::from_millis(5) };
        let load = Workload::proxied(alice, "echo", pace, number, directory)?;
        std::thread::sleep(chance.between(Duration::ZERO, Duration::from_millis(400)));
        outcomes.push(load.finish(SOON)?);
    }
    Ok(outcomes)
}

/// `postern proxy` with one byte to say and its output kept.
fn proxy(alice: &Client, resource: &str) -> Result<Child> {
    let mut command = alice.postern(&["proxy", resource]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("a pipe")?;
    input.write_all(b"!")?;
    // It stays open, as a person's terminal does, until the command ends.
    child.stdin = Some(input);
    Ok(child)
}

/// The connection that reaches a target, with its first byte in it but not read.
fn first_byte_of(listener: &TcpListener) -> Result<TcpStream> {
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(SOON))?;
    stream.peek(&mut [0; 1])?;
    Ok(stream)
}
