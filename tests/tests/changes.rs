//! What changes while programs run: settings, certificates, keys. Nobody's session notices.

use anyhow::Result;
use postern_tests::{GatewayOptions, Manner, Scratch, Target, World, scenario, sized, tools, until, world};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn j13_a_rotated_grant_key_reaches_connectors_that_are_there_and_those_that_come_back() -> Result<()> {
    scenario("rotated-keys", |scratch| {
        let mut world = World::start(scratch)?;
        let mut steady =
            world::enroll(&world.owner, &tools::programs()?, &scratch.join("steady"), &["127.0.0.1:*"])?;
        steady.run()?;
        until("two connectors online", SOON, || world::online(&world.owner) == 2)?;
        world.connector.kill()?;
        until("one connector online", SOON, || world::online(&world.owner) == 1)?;
        let key = rotate(&world)?;
        let pins = |directory: &str| {
            let kept = fs::read_to_string(scratch.join(directory).join("state/identity.json"));
            kept.is_ok_and(|kept| kept.contains(&key))
        };
        let took = until("the next key at the connector that is there", SOON, || pins("steady"))?;
        assert!(took <= Duration::from_secs(2), "{took:?} until the announcement was kept");
        assert!(!pins("connector"), "a connector that is away cannot know it");
        assert_eq!(rotate(&world)?, key, "one successor at a time");
        world.connector.run()?;
        until("the next key at the connector that came back", SOON, || pins("connector"))?;
        steady.kill()?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn a04_a_resource_that_is_deleted_while_sessions_open_is_left_by_all_of_them() -> Result<()> {
    scenario("deleted-meanwhile", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Silent)?;
        for round in 0..sized(3, 50) {
            world.add_tcp("doomed", &target.address().to_string())?;
            let held: Vec<_> = (0..8)
                .map(|n| {
                    let directory = scratch.directory(&format!("held-{round}-{n}"))?;
                    world.hold(&world.alice, &directory, "doomed")
                })
                .collect::<Result<_>>()?;
            world.owner.apply("kind: absent\nobject: resource\nname: doomed\n")?.expect(0)?;
            for mut session in held {
                let code = session.wait(SOON)?.code();
                assert!(matches!(code, Some(69 | 77)), "round {round}: {code:?} {}", session.log());
            }
            until("the target without sessions", SOON, || target.open() == 0)?;
        }
        Ok(())
    })
}

#[test]
fn settings_that_can_change_do_so_on_sighup_and_mistakes_change_nothing() -> Result<()> {
    scenario("reload", |scratch| {
        let world = World::start(scratch)?;
        let mut held = world.hold(&world.alice, scratch.path(), "bastion")?;
        until("the held session", SOON, || world.live_sessions().is_ok_and(|live| live.len() == 1))?;
        let first = fs::read_to_string(world.gateway.configuration())?;
        let with = |more: &str| -> Result<()> {
            fs::write(world.gateway.configuration(), format!("{first}{more}"))?;
            world.gateway.reload()
        };
        assert!(!world.gateway.log().contains("\"DEBUG\""));

        with("[limits]\nsessions_per_principal = 1\n[log]\nlevel = \"debug\"\nformat = \"text\"\n")?;
        told(&world, "\"changed\":\"log.level, limits.sessions_per_principal\"")?;
        told(&world, "\"settings\":\"log.format\"")?;
        let refused = world.alice.run(&["proxy", "bastion"])?.expect(75)?;
        assert!(refused.stderr.contains("as many sessions"), "{}", refused.stderr);
        told(&world, "\"DEBUG\"")?;

        with("[limits]\nsessions_per_principal = 0\nopens_brust = 3\n")?;
        told(&world, "the configuration has mistakes: nothing changed")?;
        told(&world, "limits.sessions_per_principal = \\\"0\\\"")?;
        told(&world, "unknown setting limits.opens_brust")?;
        world.alice.run(&["proxy", "bastion"])?.expect(75)?;

        with("")?;
        let read = || world.gateway.log().matches("configuration and certificate read again").count() == 2;
        until("the configuration to be read again", SOON, read)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        assert!(held.is_running(), "{}", held.log());
        Ok(())
    })
}

#[test]
fn l03_the_master_key_of_an_embedded_store_is_changed_and_nobody_notices() -> Result<()> {
    scenario("master-key-embedded", |scratch| change_master_key(scratch, &GatewayOptions::embedded()))
}

#[test]
fn l03_the_master_key_of_the_run_s_store_is_changed_and_nobody_notices() -> Result<()> {
    scenario("master-key", |scratch| change_master_key(scratch, &GatewayOptions::of_the_run()?))
}

fn change_master_key(scratch: &Scratch, options: &GatewayOptions) -> Result<()> {
    let mut world = World::start_with(scratch, options)?;
    let mut held = world.hold(&world.alice, scratch.path(), "bastion")?;
    until("the held session", SOON, || world.live_sessions().is_ok_and(|live| live.len() == 1))?;
    let place = match options.store {
        Some(_) => world.gateway.master_key(),
        None => world.gateway.state().join("master.key"),
    };
    let (old, new) = (fs::read(&place)?, world.gateway.make_master_key()?);

    give_keys(&world, &new, &[])?;
    told(&world, "the master keys are not usable: nothing changed")?;
    told(&world, "is not the one of this store")?;
    give_keys(&world, &new, &[&place])?;
    for step in ["master_key.changed", "master_key.resealed", "master_key.retired"] {
        told(&world, step)?;
    }
    give_keys(&world, &new, &[])?;
    told(&world, "\"changed\":\"previous_master_key_files\"")?;
    world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
    assert!(held.is_running(), "{}", held.log());

    // The new key alone opens the store at the next start; people and connectors go on with what they have.
    fs::rename(&new, &place)?;
    world.gateway.restart()?;
    world.await_connector()?;
    world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
    // The old one does not.
    fs::write(&place, old)?;
    let refused = world.gateway.restart().expect_err("a store under another key");
    assert!(format!("{refused:#}").contains("is not the one of this store"), "{refused:#}");
    Ok(())
}

/// Writes these master keys into the gateway's configuration and has it read again.
fn give_keys(world: &World, own: &Path, previous: &[&PathBuf]) -> Result<()> {
    let path = world.gateway.configuration();
    let text = fs::read_to_string(&path)?;
    let others = text.lines().filter(|line| !line.contains("master_key_file")).collect::<Vec<_>>().join("\n");
    let keys = format!("master_key_file = {own:?}\nprevious_master_key_files = {previous:?}\n");
    fs::write(&path, keys + &others)?;
    world.gateway.reload()
}

fn told(world: &World, text: &str) -> Result<()> {
    until(&format!("{text} in the gateway's log"), SOON, || world.gateway.log().contains(text))?;
    Ok(())
}

fn rotate(world: &World) -> Result<String> {
    let rotated = world.owner.json(&["connectors", "rotate-keys"])?;
    Ok(rotated["key"].as_str().unwrap_or_default().to_owned())
}
