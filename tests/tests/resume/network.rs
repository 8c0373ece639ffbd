//! Networks that break, silently and loudly.

use crate::support::{
    AFTER_RESTART, AFTER_SILENCE, SOON, all_go_on, all_whole, carrier, is_long, load, settled_resumes,
    two_loads,
};
use anyhow::{Context, Result};
use postern_tests::chaos::{Copies, Direction};
use postern_tests::{
    Chance, FaultPath, Fleet, Namespace, Pace, Packets, Plan, Scratch, Side, Way, Workload, scenario, until,
};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// A silent partition is noticed within this.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn f14_a_forgotten_connection_is_noticed_within_ten_seconds_and_its_sessions_go_on() -> Result<()> {
    scenario("f14", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let loads = two_loads(&fleet, scratch)?;
        let front = &fleet.nodes[0].front;
        let dialed = front.accepted();
        // As a NAT that lost its table: no end is seen by anybody, and what is dialed anew passes.
        front.freeze();
        let both = u64::try_from(loads.len())?;
        let noticed = until("both to dial again", SOON, || front.accepted() >= dialed + both)?;
        assert!(noticed <= NOTICED_WITHIN, "{noticed:?}");
        all_go_on(&loads, AFTER_RESTART)?;
        for load in &loads {
            assert!(load.longest_gap(Instant::now() - SOON) <= AFTER_SILENCE, "load {}", load.number());
        }
        all_whole(&fleet, loads)
    })
}

#[test]
fn f14_dropped_packets_send_a_client_to_the_other_gateway() -> Result<()> {
    scenario("f14-nft", |scratch| {
        let Some(namespace) = Namespace::or_skip("f14 with nftables", scratch.path())? else { return Ok(()) };
        let (fleet, load) = in_namespace(scratch, &namespace)?;
        let at = carrier(&fleet)?;
        let began = Instant::now();
        namespace.drop_port(fleet.nodes[at].front.address().port(), Packets::All)?;
        load.await_progress(AFTER_SILENCE)?;
        eprintln!("went on after {:?}", began.elapsed());
        namespace.heal()?;
        all_whole(&fleet, vec![load])
    })
}

#[test]
fn f15_loss_jitter_and_a_long_way_detach_nobody() -> Result<()> {
    scenario("f15", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        // So much that it fits through the worst of the three, or the test would measure a queue.
        let steady = Pace { record_bytes: 8 * 1024, every: Duration::from_millis(40) };
        let loads = vec![load(&fleet, Pace::TYPING, 1, scratch)?, load(&fleet, steady, 2, scratch)?];
        let before = settled_resumes(&fleet)?;
        let storm = Duration::from_secs(if is_long() { 600 } else { 8 });
        for loss_percent in [1, 5, 20] {
            // 300 ms there and back.
            let path = FaultPath {
                delay: Duration::from_millis(150),
                jitter: Duration::from_millis(50),
                loss_percent,
                ..FaultPath::default()
            };
            fleet.nodes[0].front.set(Way::Both, path.clone());
            fleet.nodes[0].back.set(Way::Both, path);
            let end = Instant::now() + storm;
            while Instant::now() < end {
                all_go_on(&loads, SOON)?;
            }
        }
        fleet.nodes[0].front.heal();
        fleet.nodes[0].back.heal();
        all_whole(&fleet, loads)?;
        assert_eq!(settled_resumes(&fleet)?, before, "nothing broke, so nothing was to be resumed");
        Ok(())
    })
}

#[test]
fn f15_lost_packets_detach_nobody() -> Result<()> {
    scenario("f15-nft", |scratch| {
        let Some(namespace) = Namespace::or_skip("f15 with nftables", scratch.path())? else { return Ok(()) };
        let (fleet, load) = in_namespace(scratch, &namespace)?;
        let before = settled_resumes(&fleet)?;
        namespace.lose(Packets::All, 5)?;
        let end = Instant::now() + Duration::from_secs(if is_long() { 600 } else { 15 });
        while Instant::now() < end {
            load.await_progress(SOON)?;
        }
        namespace.heal()?;
        all_whole(&fleet, vec![load])?;
        assert_eq!(settled_resumes(&fleet)?, before);
        Ok(())
    })
}

#[test]
fn f16_one_silent_way_is_noticed_from_either_end() -> Result<()> {
    scenario("f16", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(2))?;
        let loads = two_loads(&fleet, scratch)?;
        for way in [Way::Down, Way::Up] {
            let at = carrier(&fleet)?;
            fleet.nodes[at].front.set(way, FaultPath::blocked());
            all_go_on(&loads, AFTER_SILENCE)?;
            fleet.nodes[at].front.heal();
            // What was held on the way arrives late, at a gateway that is no longer asked.
            all_go_on(&loads, AFTER_RESTART)?;
        }
        all_whole(&fleet, loads)
    })
}

#[test]
fn f17_a_client_whose_address_changes_goes_on_in_the_middle_of_a_copy() -> Result<()> {
    scenario("f17", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let up = Copies::start(&fleet.alice, &fleet.sshd, Direction::Up, 64, &scratch.join("up"))?;
        let down = Copies::start(&fleet.alice, &fleet.sshd, Direction::Down, 64, &scratch.join("down"))?;
        let loads = two_loads(&fleet, scratch)?;
        let front = &fleet.nodes[0].front;
        for last in [2, 3, 2] {
            let began = Instant::now();
            front.come_from(Ipv4Addr::new(127, 0, 0, last));
            // The old way dies for the client; the gateway hears nothing of it.
            front.vanish(Side::Near);
            all_go_on(&loads, Duration::from_secs(3))?;
            eprintln!("from 127.0.0.{last} after {:?}", began.elapsed());
        }
        all_whole(&fleet, loads)?;
        for copied in [up.finish()?, down.finish()?] {
            assert!(copied.is_whole(), "{copied:?}");
        }
        Ok(())
    })
}

#[test]
fn f17_a_move_inside_a_network_is_survived() -> Result<()> {
    scenario("f17-moved", |scratch| {
        let Some(namespace) = Namespace::or_skip("f17 with a network of its own", scratch.path())? else {
            return Ok(());
        };
        let (fleet, load) = in_namespace(scratch, &namespace)?;
        namespace.move_client()?;
        // Nothing tells the client that its address is gone: it has to notice the silence.
        load.await_progress(AFTER_SILENCE)?;
        all_whole(&fleet, vec![load])
    })
}

#[test]
fn f18_a_reset_every_second_for_thirty_seconds_still_makes_progress() -> Result<()> {
    scenario("f18", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let up = Copies::start(&fleet.alice, &fleet.sshd, Direction::Up, 64, &scratch.join("up"))?;
        let down = Copies::start(&fleet.alice, &fleet.sshd, Direction::Down, 64, &scratch.join("down"))?;
        let loads = two_loads(&fleet, scratch)?;
        let mut chance = Chance::new(18);
        let end = Instant::now() + Duration::from_secs(if is_long() { 600 } else { 30 });
        while Instant::now() < end {
            let Some(node) = fleet.nodes.first() else { break };
            // Now and then the connector's links too.
            if chance.percent(25) {
                node.back.reset();
            }
            node.front.reset();
            std::thread::sleep(chance.between(Duration::from_millis(800), Duration::from_millis(1200)));
            all_go_on(&loads, AFTER_RESTART)?;
        }
        all_whole(&fleet, loads)?;
        for copied in [up.finish()?, down.finish()?] {
            assert!(copied.is_whole(), "{copied:?}");
        }
        Ok(())
    })
}

#[test]
fn f18_cuts_in_the_middle_of_frames_lose_nothing() -> Result<()> {
    scenario("f18-cuts", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        // Each connection lives for about a second: whoever is cut off sooner each time waits longer each time.
        let steady = Pace { record_bytes: 8 * 1024, every: Duration::from_millis(40) };
        let loads = vec![load(&fleet, Pace::TYPING, 1, scratch)?, load(&fleet, steady, 2, scratch)?];
        let front = &fleet.nodes[0].front;
        let mut chance = Chance::new(181);
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end {
            // Enough for the handshake and the largest frame; the cut falls anywhere in records and frames.
            front.cut_after(160 * 1024 + chance.below(400_000));
            front.reset();
            all_go_on(&loads, SOON)?;
        }
        front.heal();
        all_whole(&fleet, loads)
    })
}

#[test]
fn a_killed_link_of_the_connector_costs_its_sessions_nothing() -> Result<()> {
    scenario("connector-link", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let loads = two_loads(&fleet, scratch)?;
        let back = &fleet.nodes[0].back;
        let front_dials = fleet.nodes[0].front.accepted();
        for _ in 0..3 {
            back.reset();
            all_go_on(&loads, AFTER_RESTART)?;
            fleet.await_links()?;
        }
        back.freeze();
        all_go_on(&loads, AFTER_SILENCE)?;
        assert_eq!(fleet.nodes[0].front.accepted(), front_dials, "the clients' links stayed");
        all_whole(&fleet, loads)
    })
}

/// Two gateways whose proxies listen where a namespace sees them, and a typing client inside.
fn in_namespace(scratch: &Scratch, namespace: &Namespace) -> Result<(Fleet, Workload)> {
    let plan = Plan { address: namespace.outside(), ..Plan::of(2) };
    let mut fleet = Fleet::start(scratch, &plan)?;
    fleet.alice = fleet.alice.inside(namespace);
    let load = load(&fleet, Pace::TYPING, 1, scratch).context("a load from inside the namespace")?;
    Ok((fleet, load))
}
