//! Connectors that die, come back, or do both without end (F4, F21).

use crate::support::{SOON, echo, hold, round_trip};
use anyhow::{Context, Result};
use postern_tests::{World, scenario, sized, tools, until, world};
use std::time::{Duration, Instant};

#[test]
fn f04_a_killed_connector_ends_its_streams_and_a_second_one_serves_on() -> Result<()> {
    scenario("f04", |scratch| {
        let mut world = World::start(scratch)?;
        let target = echo(&world)?;
        // Nobody can tell a dead connector from one that is cut off: its streams wait for it, these not for long.
        let impatient = world.alice.clone().with_environment("POSTERN_RESUME", "10");
        let mut held = world.hold(&impatient, scratch.path(), "echo")?;
        until("the session at the target", SOON, || target.open() == 1).with_context(|| held.log())?;
        let programs = tools::programs()?;
        let mut second = world::enroll(&world.owner, &programs, &scratch.join("second"), &["127.0.0.1:*"])?;
        second.run()?;
        until("two connectors online", SOON, || world::online(&world.owner) == 2)?;
        world.connector.kill()?;
        // The stream of the dead connector ends with a reason.
        let status = held.wait(SOON)?;
        assert_eq!(status.code(), Some(75), "{}", held.log());
        assert!(held.log().contains("connector"), "no reason told: {}", held.log());
        world.connector.run()?;
        until("two connectors online", SOON, || world::online(&world.owner) == 2)?;

        let (mut served, mut back) = (Vec::new(), Vec::new());
        for round in 0..sized(5, 50) {
            // Each of them is the one that dies in every other round.
            let pair = if round % 2 == 0 {
                (&mut world.connector, &mut second)
            } else {
                (&mut second, &mut world.connector)
            };
            let (dies, stays) = pair;
            dies.kill()?;
            served.push(until("the other one to serve", SOON, || round_trip(&world.alice).is_ok())?);
            stays.kill()?;
            dies.run()?;
            back.push(until("the restarted connector to serve", SOON, || round_trip(&world.alice).is_ok())?);
            stays.run()?;
            until("two connectors online", SOON, || world::online(&world.owner) == 2)?;
        }
        println!("the other one served after {served:?}, a restarted one after {back:?}");
        assert!(served.iter().all(|took| *took <= Duration::from_secs(1)), "{served:?}");
        assert!(back.iter().all(|took| *took <= Duration::from_secs(2)), "{back:?}");
        Ok(())
    })
}

/// New sessions may begin to go to a connector that flaps so often at first, and once in five seconds after that.
const FOLLOWED_AT_FIRST: u64 = 3;

#[test]
fn f21_a_flapping_connector_is_passed_over_and_disturbs_nobody_else() -> Result<()> {
    scenario("f21", |scratch| {
        let mut world = World::start(scratch)?;
        let target = echo(&world)?;
        let programs = tools::programs()?;
        world.connector.kill()?;
        let mut steady = world::enroll(&world.owner, &programs, &scratch.join("steady"), &["127.0.0.1:*"])?;
        steady.run()?;
        until("the steady connector", SOON, || round_trip(&world.alice).is_ok())?;
        // It carries a session and the other one none: by its load alone the flapping one would be chosen each time.
        let mut held = hold(&world, scratch.path(), &target)?;
        let (began, mut lost) = (Instant::now(), 0);
        for _ in 0..sized(15, 60) {
            world.connector.run()?;
            until("the flapping connector", SOON, || world::online(&world.owner) == 2)?;
            lost += u64::from(round_trip(&world.alice).is_err());
            world.connector.kill()?;
            until("a session past it", Duration::from_secs(2), || round_trip(&world.alice).is_ok())?;
        }
        let followed_max = FOLLOWED_AT_FIRST + began.elapsed().as_secs() / 5;
        let followed = u64::try_from(world.connector.log().matches("session opened").count())?;
        assert!(followed <= followed_max, "{followed} sessions in {:?} were sent after it", began.elapsed());
        assert!(lost <= followed, "{lost} sessions were lost, and it was given {followed}");
        assert!(world.gateway.log().contains("connector.flapping"), "nobody was told");
        assert!(held.is_running(), "{}", held.log());
        Ok(())
    })
}
