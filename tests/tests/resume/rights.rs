//! Rights that end while nobody is attached, and moves that rights do not allow.

use crate::support::{SOON, all_whole, carrier, load, until_cut};
use anyhow::{Context, Result};
use postern_tests::{FaultPath, Fleet, Pace, Plan, Scratch, Signal, Way, Workload, scenario, until};
use std::net::Ipv4Addr;
use std::time::Duration;

/// A right that ends is cut within a second; the other second is for a machine with other tests beside.
const CUT_WITHIN: Duration = Duration::from_secs(2);

/// Refused for good.
const DENIED: i32 = 77;

#[test]
fn t07_what_is_revoked_while_detached_is_over_before_a_byte_is_replayed() -> Result<()> {
    scenario("t07", |scratch| detached_then(scratch, Fleet::revoke_engineers))
}

#[test]
fn t07_a_person_disabled_while_detached_is_over_before_a_byte_is_replayed() -> Result<()> {
    scenario("t07-disabled", |scratch| {
        detached_then(scratch, |fleet| {
            fleet.owner.run(&["users", "disable", "alice"])?.expect(0)?;
            Ok(())
        })
    })
}

#[test]
fn t07_a_session_ended_while_detached_is_over_before_a_byte_is_replayed() -> Result<()> {
    scenario("t07-ended", |scratch| {
        detached_then(scratch, |fleet| {
            let list = fleet.owner.json(&["sessions", "ls"])?;
            let items = list.as_array().or_else(|| list["items"].as_array()).context("a list of sessions")?;
            let live = items.iter().find(|session| session["live"] == true).context("a live session")?;
            let id = live["id"].as_str().context("an id")?;
            fleet.owner.run(&["sessions", "end", id])?.expect(0)?;
            Ok(())
        })
    })
}

#[test]
fn t07_a_revocation_reaches_the_sessions_of_a_gateway_that_is_dead() -> Result<()> {
    scenario("t07-dead", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(2))?;
        let load = load(&fleet, Pace::TYPING, 1, scratch)?;
        let victim = carrier(&fleet)?;
        load.signal(Signal::Stop)?;
        fleet.node(victim)?.gateway.kill()?;
        // The owner's command finds the other gateway, which knows the session from the connector's news.
        fleet.revoke_engineers()?;
        let took = until_cut(&fleet, SOON)?;
        assert!(took <= CUT_WITHIN, "{took:?} after the change");
        load.signal(Signal::Cont)?;
        load.await_end(SOON)?;
        let outcome = load.finish(SOON)?;
        assert_eq!(outcome.code, Some(DENIED), "{}", outcome.said);
        Ok(())
    })
}

#[test]
fn t07_a_resume_is_decided_at_the_revision_of_the_resume() -> Result<()> {
    scenario("t07-live", |scratch| {
        // The change and the resume race: whichever is first, the session is over within the second.
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let load = load(&fleet, Pace::TYPING, 1, scratch)?;
        let front = &fleet.nodes[0].front;
        let owner = fleet.owner.clone();
        // The resets hit the owner as well, who tries again.
        let revoking = std::thread::spawn(move || {
            until("the owner's change", SOON, || postern_tests::world::revoke_engineers(&owner).is_ok())
        });
        while !revoking.is_finished() {
            front.reset();
            std::thread::sleep(Duration::from_millis(300));
        }
        revoking.join().map_err(|_| anyhow::anyhow!("the owner panicked"))??;
        let took = until_cut(&fleet, SOON)?;
        assert!(took <= CUT_WITHIN, "{took:?} after the change");
        load.await_end(SOON)?;
        let outcome = load.finish(SOON)?;
        assert_eq!(outcome.code, Some(DENIED), "{}", outcome.said);
        assert!(outcome.tally.is_clean(), "{outcome:?}");
        Ok(())
    })
}

#[test]
fn f17_a_move_to_an_address_that_no_rule_admits_ends_the_session() -> Result<()> {
    scenario("f17-rule", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        fleet.revoke_engineers()?;
        let rule = "kind: grant\nname: from-here\nsubjects: [{group: engineers}]\nresources: {site: office}\n\
                    actions: [connect]\nconditions: {source_cidrs: [127.0.0.1/32, 127.0.0.2/32]}\n";
        fleet.owner.apply(rule)?.expect(0)?;
        let load = load(&fleet, Pace::TYPING, 1, scratch)?;
        let front = &fleet.nodes[0].front;
        front.come_from(Ipv4Addr::new(127, 0, 0, 2));
        front.reset();
        load.await_progress(SOON)?;
        front.come_from(Ipv4Addr::new(127, 0, 0, 3));
        front.reset();
        load.await_end(SOON)?;
        let outcome = load.finish(SOON)?;
        assert_eq!(outcome.code, Some(DENIED), "{}", outcome.said);
        until_cut(&fleet, CUT_WITHIN)?;
        assert!(fleet.witness.seen(1).tally.is_clean());
        Ok(())
    })
}

#[test]
fn t06_who_signed_out_resumes_nothing() -> Result<()> {
    scenario("t06", |scratch| {
        detached_then(scratch, |fleet| {
            // The command still holds its ticket, its key and an access token.
            fleet.alice.run(&["logout"])?.expect(0)?;
            Ok(())
        })
    })
}

#[test]
fn f17_two_commands_of_one_person_keep_their_own_sessions() -> Result<()> {
    scenario("two-of-one", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let mut loads = Vec::new();
        for number in 1..=6 {
            loads.push(load(&fleet, Pace::TYPING, number, scratch)?);
        }
        for _ in 0..5 {
            fleet.nodes[0].front.reset();
            for load in &loads {
                load.await_progress(SOON)?;
            }
        }
        all_whole(&fleet, loads)
    })
}

/// Detaches a session, takes its right away, and proves that it is cut at the target and that the client gets nothing more.
fn detached_then(scratch: &Scratch, take_away: impl FnOnce(&Fleet) -> Result<()>) -> Result<()> {
    let fleet = Fleet::start(scratch, &Plan::of(1))?;
    let load = load(&fleet, Pace::TYPING, 1, scratch)?;
    detach(&fleet, &load)?;
    let had = load.echoed();
    take_away(&fleet)?;
    let took = until_cut(&fleet, SOON)?;
    assert!(took <= CUT_WITHIN, "{took:?} after the change");
    load.signal(Signal::Cont)?;
    load.await_end(SOON)?;
    let outcome = load.finish(SOON)?;
    assert_eq!(outcome.code, Some(DENIED), "{}", outcome.said);
    assert_eq!(outcome.tally.records, had, "a byte was replayed after the right was gone");
    Ok(())
}

/// Holds the client still and resets its connection. What it was sent before has come out of it.
fn detach(fleet: &Fleet, load: &Workload) -> Result<()> {
    let front = &fleet.nodes[0].front;
    front.set(Way::Both, FaultPath::blocked());
    until("the last record before the fault", SOON, || {
        let before = load.echoed();
        std::thread::sleep(Duration::from_millis(200));
        load.echoed() == before
    })?;
    load.signal(Signal::Stop)?;
    front.reset();
    until("the way cut", SOON, || front.open() == 0)?;
    front.heal();
    Ok(())
}
