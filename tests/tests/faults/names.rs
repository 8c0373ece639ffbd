//! A gateway whose name leads nowhere, or to nobody (F35).

use crate::support::SOON;
use anyhow::Result;
use postern_tests::{GatewayOptions, NameServer, World, scenario, sized, until, world};
use std::time::{Duration, Instant};

/// Once the name is right again, or the gateway is where it was, its connector is back within this.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

const NO_SUCH_NAME: &str = "";
const NOBODY: &str = "127.0.0.2";

#[test]
fn f35_a_connector_finds_its_gateway_after_its_name_was_gone_or_wrong() -> Result<()> {
    scenario("f35", |scratch| {
        let Some(names) = NameServer::or_skip("f35", scratch)? else { return Ok(()) };
        let options = GatewayOptions { host: Some("localhost".to_owned()), ..GatewayOptions::of_the_run()? };
        let mut world = World::start_with(scratch, &options)?;
        world.connector.kill()?;
        names.set("localhost", &[NO_SUCH_NAME]);
        world.connector.run_wrapped(names.wrapper())?;
        // Long enough for the slowest pace at which it dials.
        let (began, outage) = (Instant::now(), Duration::from_secs(sized(15, 60)));
        until("the end of the outage", outage + SOON, || began.elapsed() >= outage)?;
        let status = world.connector.status()?.to_string();
        assert!(status.contains("localhost could not be resolved"), "{status}");

        for wrong in [NOBODY, NO_SUCH_NAME] {
            names.set("localhost", &[wrong]);
            let began = Instant::now();
            until("more dials to the wrong place", SOON, || began.elapsed() >= Duration::from_secs(2))?;
            assert_eq!(world::online(&world.owner), 0, "found without a name");
            names.set("localhost", &["127.0.0.1"]);
            came_back(&world, "the name was right again")?;
            // A record that is stale, or gone, while the gateway restarts: it is still where it was.
            names.set("localhost", &[wrong]);
            world.gateway.restart()?;
            came_back(&world, "the gateway was back, though its name was not")?;
            assert!(names.asked("localhost") > 0, "the name was not looked up again");
            world.connector.kill()?;
            until("the connector gone", SOON, || world::online(&world.owner) == 0)?;
            world.connector.run_wrapped(names.wrapper())?;
        }
        names.set("localhost", &["127.0.0.1"]);
        came_back(&world, "the last change")?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

fn came_back(world: &World, after: &str) -> Result<()> {
    let took = until("the connector to be back", SOON, || world::online(&world.owner) == 1)?;
    eprintln!("f35: {took:?} after {after}");
    assert!(took <= RECOVERY_MAX, "{took:?} after {after}");
    Ok(())
}
