//! Sessions that are let in, refused, and cut.

use crate::{CUT_WITHIN, SOON};
use anyhow::{Context, Result};
use postern_tests::{Client, Manner, Process, Ran, Target, World, eventually, scenario, until};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn half_a_close_goes_through_and_the_other_half_stays() -> Result<()> {
    scenario("half-close", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut proxy = world.alice.postern(&["proxy", "echo"]);
        let mut child = proxy.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().context("a pipe")?;
        input.write_all(b"all of it")?;
        drop(input);
        let ran: Ran = child.wait_with_output()?.into();
        let ran = ran.expect(0)?;
        assert_eq!(ran.stdout, "all of it", "stdout carries bytes and nothing else");
        Ok(())
    })
}

#[test]
fn a_denied_person_reaches_no_target_and_learns_why() -> Result<()> {
    scenario("denied", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        world.revoke_engineers()?;
        let ran = proxied(&world.alice, "echo", b"do not let me in")?.expect(77)?;
        assert_eq!(ran.stdout, "");
        let decision = decision_in(&ran.stderr)?;
        assert_eq!((target.connections(), target.bytes()), (0, 0), "nothing may reach the target");
        let why = world.owner.run(&["explain", &decision])?.expect(0)?;
        assert!(why.stdout.contains("alice") && why.stdout.contains("echo"), "{}", why.stdout);
        let ssh = world.alice.ssh(&world.sshd, "bastion", "true")?;
        assert_eq!(ssh.code, 255, "{}", ssh.stderr);
        assert_eq!(world.sshd.connections(), 0);
        Ok(())
    })
}

#[test]
fn an_unknown_resource_is_told_apart_only_by_its_exit_code() -> Result<()> {
    scenario("unknown", |scratch| {
        let world = World::start(scratch)?;
        let ran = proxied(&world.alice, "no-such-thing", b"")?.expect(69)?;
        assert_eq!(ran.stdout, "");
        Ok(())
    })
}

#[test]
fn revoking_a_grant_cuts_its_live_session_within_a_second() -> Result<()> {
    scenario("revoked", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut held = hold_open(&world, scratch.path(), "echo", &target)?;
        world.revoke_engineers()?;
        let changed = Instant::now();
        let took = until("the cut at the target", SOON, || target.open() == 0)?;
        assert!(took <= CUT_WITHIN, "{took:?} after the change");
        let status = held.wait(SOON)?;
        assert_eq!(status.code(), Some(77), "{}", held.log());
        assert!(changed.elapsed() < SOON);
        proxied(&world.alice, "echo", b"again?")?.expect(77)?;
        assert_eq!(target.connections(), 1);
        Ok(())
    })
}

#[test]
fn a_grant_that_expires_cuts_its_live_session() -> Result<()> {
    scenario("expired", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        world.revoke_engineers()?;
        world.grant_until(Duration::from_secs(10))?;
        let in_force = || proxied(&world.alice, "echo", b"").is_ok_and(|ran| ran.code == 0);
        until("the grant in force", Duration::from_secs(2), in_force)?;
        let opened = target.connections();
        let mut held = hold_open(&world, scratch.path(), "echo", &target)?;
        until("the cut at the target", Duration::from_secs(12), || target.open() == 0)?;
        assert_eq!(held.wait(SOON)?.code(), Some(77), "{}", held.log());
        proxied(&world.alice, "echo", b"again?")?.expect(77)?;
        assert_eq!(target.connections(), opened + 1);
        Ok(())
    })
}

#[test]
fn an_owner_ends_one_session_and_no_other() -> Result<()> {
    scenario("end-one", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut first = hold_open(&world, scratch.path(), "echo", &target)?;
        let second_log = scratch.directory("second")?;
        let mut second = hold_open(&world, &second_log, "echo", &target)?;
        // The list is made from the store, which the records reach a moment after they are on disk.
        let both = || world.live_sessions().ok().filter(|sessions| sessions.len() == 2);
        let (sessions, _) = eventually("both sessions on the list", SOON, both)?;
        world.owner.run(&["sessions", "end", &sessions[0]])?.expect(0)?;
        until("one end at the target", SOON, || target.open() == 1)?;
        until("one client to end", SOON, || first.is_running() != second.is_running())?;
        let survivor = if first.is_running() { &mut first } else { &mut second };
        assert!(survivor.is_running());
        Ok(())
    })
}

fn proxied(client: &Client, resource: &str, input: &[u8]) -> Result<Ran> {
    let mut command = client.postern(&["proxy", resource]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A refused command may be gone before it reads.
        let _ = pipe.write_all(input);
    }
    Ok(child.wait_with_output()?.into())
}

/// A `postern proxy` whose session is open at the target and stays.
fn hold_open(world: &World, directory: &Path, resource: &str, target: &Target) -> Result<Process> {
    let before = target.open();
    let held = world.hold(&world.alice, directory, resource)?;
    until("the session at the target", SOON, || target.open() > before).with_context(|| held.log())?;
    Ok(held)
}

fn decision_in(text: &str) -> Result<String> {
    let word = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).find(|word| word.starts_with("dec_"));
    Ok(word.with_context(|| format!("no decision id in {text:?}"))?.to_owned())
}
