//! Targets that are dead, reset, or say nothing (F19).

use crate::support::{SOON, proxied_to};
use anyhow::Result;
use postern_tests::{Manner, Signal, Target, World, scenario, until};

#[test]
fn f19_a_target_that_is_dead_resets_or_says_nothing_is_told_apart() -> Result<()> {
    scenario("f19", |scratch| {
        let world = World::start(scratch)?;
        let closed = postern_tests::free_port()?;
        world.add_tcp("closed", &format!("127.0.0.1:{closed}"))?;
        let refused = world.alice.run(&["proxy", "closed"])?.expect(75)?;
        assert!(refused.stderr.contains("does not accept"), "{}", refused.stderr);
        let rude = Target::start(Manner::Reset)?;
        world.add_tcp("rude", &rude.address().to_string())?;
        let reset = proxied_to(&world.alice, "rude", b"hello")?.expect(75)?;
        assert!(reset.stderr.contains("target"), "{}", reset.stderr);
        let silent = Target::start(Manner::Silent)?;
        world.add_tcp("silent", &silent.address().to_string())?;
        let mut held = world.hold(&world.alice, scratch.path(), "silent")?;
        until("the silent session", SOON, || silent.open() == 1)?;
        // A half-closed silent target answers with its own end: nothing hangs.
        let ran = proxied_to(&world.alice, "silent", b"hello")?.expect(0)?;
        assert_eq!(ran.stdout, "");
        held.stop(Signal::Term, SOON)?;
        until("the end at the silent target", SOON, || silent.open() == 0)?;
        Ok(())
    })
}
