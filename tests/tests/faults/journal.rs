//! A journal that cannot be written (F11).

use crate::small_disk::SmallDisk;
use crate::support::{SOON, echo, hold, proxied, round_trip};
use anyhow::{Context, Result};
use postern_tests::{GatewayOptions, World, scenario, skipped, until};

#[test]
fn f11_a_full_journal_disk_stops_new_sessions_and_spares_live_ones() -> Result<()> {
    scenario("f11", |scratch| {
        let Some(disk) = SmallDisk::mount(&scratch.directory("disk")?, 16)? else {
            skipped("f11", "mounting a small file system needs root");
            return Ok(());
        };
        let mut options = GatewayOptions::of_the_run()?;
        options.state = Some(disk.path.join("state"));
        let world = World::start_with(scratch, &options)?;
        let target = echo(&world)?;
        let mut held = hold(&world, scratch.path(), &target)?;
        disk.fill()?;
        let mut refused = None;
        // Some space may be reserved already; it is used up by a bounded number of records.
        for _ in 0..2000 {
            let ran = proxied(&world.alice, b"ping")?;
            if ran.code != 0 {
                refused = Some(ran);
                break;
            }
        }
        let refused = refused.context("a full disk refused nothing")?.expect(75)?;
        assert!(refused.stderr.contains("record"), "{}", refused.stderr);
        let reached = target.connections();
        assert_eq!(proxied(&world.alice, b"ping")?.code, 75);
        assert_eq!(target.connections(), reached, "an unrecorded session reached the target");
        assert!(held.is_running(), "{}", held.log());
        disk.free()?;
        until("new sessions after space came back", SOON, || round_trip(&world.alice).is_ok())?;
        Ok(())
    })
}
