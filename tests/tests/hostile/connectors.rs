//! Connectors that were copied, stolen, frozen, or asked for too much.

use super::SOON;
use super::once::{JSON, public_key, secret_in};
use anyhow::{Context, Result};
use postern_tests::curl::Answer;
use postern_tests::world;
use postern_tests::{Connector, Manner, Signal, Target, World, scenario, tools, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn t11_an_enrolment_token_registers_one_connector() -> Result<()> {
    scenario("t11", |scratch| {
        let world = World::start(scratch)?;
        let used = std::fs::read_to_string(scratch.join("connector/enrolment-token"))?;
        let thief = Connector::unregistered(&tools::programs()?, &scratch.join("thief"))?;
        let output = thief.try_enroll(&used, &["127.0.0.1:*"])?;
        assert_eq!(output.status.code(), Some(77), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(world::online(&world.owner), 1);
        Ok(())
    })
}

#[test]
fn t11_a_copied_connector_is_noticed_and_the_newest_serves() -> Result<()> {
    scenario("t11-copy", |scratch| {
        let mut world = World::start(scratch)?;
        // Right after one instance came, another one has to wait: two that take over from each other would never end.
        let came = Instant::now();
        until("the end of the pause", SOON, || came.elapsed() > Duration::from_secs(6))?;
        let copy = scratch.directory("copy")?;
        let status =
            tools::command("cp")?.args(["-a"]).arg(scratch.join("connector/state")).arg(&copy).status()?;
        anyhow::ensure!(status.success(), "cp ended with {status}");
        let mut twin = Connector::unregistered(&tools::programs()?, &copy)?;
        twin.run()?;
        until("the alarm", SOON, || world.gateway.log().contains("connector.duplicate"))?;
        world.connector.await_log("4409", SOON)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        assert!(world.connector.process()?.is_running());
        Ok(())
    })
}

#[test]
fn t09_no_connector_takes_the_name_or_the_id_of_another_or_a_name_for_many() -> Result<()> {
    scenario("t09", |scratch| {
        let world = World::start(scratch)?;
        let registered = || -> Result<Vec<(Value, Value)>> {
            let list = world.owner.json(&["connectors", "ls"])?;
            let list = list.as_array().context("a list")?.iter();
            Ok(list.map(|connector| (connector["id"].clone(), connector["name"].clone())).collect())
        };
        let before = registered()?;
        let (id, name) = before.first().context("a connector")?;
        // With a token that is good, but for a name that is not its own.
        let made = world.owner.json(&["tokens", "create", "--site", "office"])?;
        let secret = secret_in(made["token"].as_str().context("a token")?, scratch)?;
        let browser = world.gateway.browser(scratch.path());
        let ask = |name: &str| -> Result<Answer> {
            let key = json!({"kty": "OKP", "crv": "Ed25519", "x": public_key()?});
            let asked = json!({"secret": secret, "public_key": key, "name": name}).to_string();
            browser.send(&format!("{}/api/v1/enroll", world.gateway.url()), &JSON, Some(("POST", &asked)))
        };
        assert_eq!(ask(name.as_str().context("a name")?)?.expect(409)?.json()?["code"], "conflict");
        for many in ["*", "*.office"] {
            assert_eq!(ask(many)?.status, 422, "{many}");
        }
        assert_eq!(registered()?, before, "what was registered is untouched");
        assert!(world.gateway.log().contains("connector.rejected: another one has this name"));

        // With a registration of its own, and another one's id beside its own key.
        let mut thief =
            world::enroll(&world.owner, &tools::programs()?, &scratch.join("thief"), &["127.0.0.1:*"])?;
        let file = scratch.join("thief/state/identity.json");
        let mut identity: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        identity["connector"] = id.clone();
        std::fs::write(&file, identity.to_string())?;
        thief.run()?;
        until("the rejection in the log", SOON, || {
            world
                .gateway
                .log()
                .lines()
                .any(|line| line.contains("connector.rejected") && line.contains("connector_unknown"))
        })?;
        assert_eq!(world::online(&world.owner), 1, "the one that was there");
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn t13_the_connector_dials_only_what_its_own_list_admits() -> Result<()> {
    scenario("t13", |scratch| {
        let mut world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.connector.stop(SOON)?;
        let sshd_only = format!("127.0.0.1:{}", world.sshd.port());
        let mut strict =
            world::enroll(&world.owner, &tools::programs()?, &scratch.join("strict"), &[&sshd_only])?;
        strict.run()?;
        world.await_connector()?;
        world.add_tcp("forbidden", &target.address().to_string())?;
        world.add_tcp("metadata", "169.254.169.254:80")?;
        for resource in ["forbidden", "metadata"] {
            let ran = world.alice.run(&["proxy", resource])?;
            assert_eq!(ran.code, 77, "{resource}: {}", ran.stderr);
            assert!(ran.stderr.contains("allow"), "the missing line is not named: {}", ran.stderr);
        }
        assert_eq!(target.connections(), 0);
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn t05_a_frozen_connector_is_found_out_within_ten_seconds() -> Result<()> {
    scenario("t05", |scratch| {
        let mut world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut held = world.hold(&world.alice, scratch.path(), "echo")?;
        until("the session at the target", SOON, || target.open() == 1)?;
        let links = || world.gateway.metric("postern_connector_links").unwrap_or(f64::NAN);
        assert_eq!(links(), 2.0, "{}", world.connector.log());
        world.connector.process()?.signal(Signal::Stop)?;
        let took = until("the end of its links", SOON, || links() == 0.0)?;
        assert_eq!(world::online(&world.owner), 0);
        world.connector.process()?.signal(Signal::Cont)?;
        assert!(took <= Duration::from_secs(10), "{took:?} until the frozen connector was given up");
        until("the connector to come back", SOON, || world::online(&world.owner) == 1)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        // It was away for less than the window: the session is still there.
        assert!(held.is_running() && target.open() == 1, "{}", held.log());
        Ok(())
    })
}
