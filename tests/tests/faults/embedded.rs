//! The embedded store through kills, copies and full disks (F34).

use crate::small_disk::SmallDisk;
use crate::support::SOON;
use anyhow::Result;
use postern_tests::{
    Client, Gateway, GatewayOptions, Signal, World, scenario, sized, skipped, tools, until, world,
};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn f34_an_acknowledged_change_survives_a_kill_of_the_embedded_gateway() -> Result<()> {
    scenario("f34", |scratch| {
        let mut world = World::start_with(scratch, &GatewayOptions::embedded())?;
        let mut acknowledged = Vec::new();
        for round in 0..sized(5, 50) {
            let owner = world.owner.clone();
            let writer = std::thread::spawn(move || writes(&owner, round));
            let pause = Duration::from_millis(150 + 90 * (round % 5));
            let began = Instant::now();
            until("a moment in the middle", SOON, || began.elapsed() >= pause)?;
            world.gateway.kill()?;
            acknowledged.extend(writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??);
            world.gateway.restart()?;
        }
        anyhow::ensure!(!acknowledged.is_empty(), "nothing was acknowledged, so nothing is shown");
        let groups = world.owner.run(&["get", "groups"])?.expect(0)?.stdout;
        for name in &acknowledged {
            assert!(groups.contains(name.as_str()), "{name} was acknowledged and is gone");
        }
        until("the connector to come back", SOON, || world::online(&world.owner) == 1)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn f34_a_copy_of_the_embedded_store_opens_and_a_second_process_on_it_does_not() -> Result<()> {
    scenario("f34-copy", |scratch| {
        let mut world = World::start_with(scratch, &GatewayOptions::embedded())?;
        world.owner.apply("kind: group\nname: acknowledged\n")?.expect(0)?;
        // A moment of the disk, as a snapshot of the volume takes it.
        let copied = scratch.join("copied");
        world.gateway.process().signal(Signal::Stop)?;
        let status = tools::command("cp")?.arg("-a").arg(world.gateway.state()).arg(&copied).status()?;
        world.gateway.process().signal(Signal::Cont)?;
        anyhow::ensure!(status.success(), "cp ended with {status}");
        std::fs::remove_file(copied.join("addresses.json"))?;
        let programs = tools::programs()?;
        let second = Command::new(programs.join("postern-gateway"))
            .args(["serve", "--public-url", "https://127.0.0.1:0", "--listen", "127.0.0.1:0"])
            .args(["--internal", "127.0.0.1:0", "--state-dir"])
            .arg(world.gateway.state())
            .output()?;
        assert_eq!(second.status.code(), Some(75), "{}", String::from_utf8_lossy(&second.stderr));
        let options = GatewayOptions { state: Some(copied), ..GatewayOptions::embedded() };
        let restored = Gateway::start(&programs, &scratch.directory("restored")?, &options)?;
        let owner = Client::new(&programs, &scratch.join("again"))?;
        owner.sign_in_with_browser(&restored, world::OWNER.0, world::OWNER.1)?;
        let groups = owner.run(&["get", "groups"])?.expect(0)?.stdout;
        assert!(groups.contains("acknowledged"), "{groups}");
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn f34_a_full_disk_refuses_changes_whole_and_loses_none_of_before() -> Result<()> {
    scenario("f34-full", |scratch| {
        let Some(disk) = SmallDisk::mount(&scratch.directory("disk")?, 16)? else {
            skipped("f34", "mounting a small file system needs root");
            return Ok(());
        };
        let options = GatewayOptions { state: Some(disk.path.join("state")), ..GatewayOptions::embedded() };
        let mut world = World::start_with(scratch, &options)?;
        disk.fill()?;
        // Some space may be reserved already; it is used up by a bounded number of changes.
        let acknowledged = writes(&world.owner, 0)?;
        assert!(acknowledged.len() < 500, "a full disk refused nothing");
        let refused = world.owner.apply("kind: group\nname: too-much\n")?;
        assert_eq!(refused.code, 75, "{}", refused.stderr);
        world.gateway.kill()?;
        disk.free()?;
        world.gateway.restart()?;
        let groups = world.owner.run(&["get", "groups"])?.expect(0)?.stdout;
        assert!(acknowledged.iter().all(|name| groups.contains(name.as_str())), "{groups}");
        assert!(!groups.contains("too-much"), "{groups}");
        world.owner.apply("kind: group\nname: fits\n")?.expect(0)?;
        Ok(())
    })
}

/// Applies groups one after the other until the gateway is gone; gives those that were acknowledged.
fn writes(owner: &Client, round: u64) -> Result<Vec<String>> {
    let mut acknowledged = Vec::new();
    for number in 0..500 {
        let name = format!("g{round}x{number}x");
        if owner.apply(&format!("kind: group\nname: {name}\n"))?.code != 0 {
            break;
        }
        acknowledged.push(name);
    }
    Ok(acknowledged)
}
