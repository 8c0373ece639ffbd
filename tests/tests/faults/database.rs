//! A database that is gone, slow or silent (F5, F8).

use crate::support::{SOON, echo, hold, round_trip};
use anyhow::Result;
use postern_tests::{
    Client, FaultPath, FaultProxy, GatewayOptions, Postgres, Scratch, Way, World, postgres, scenario, tools,
    until, world,
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Sessions of each kind of database.
const ADMISSIONS: u32 = 20;
/// What other programs of this machine may add to a mean of a few milliseconds; a database that is waited for adds twenty times as
/// much.
const NOISE: Duration = Duration::from_millis(10);

#[test]
fn f05_with_the_database_gone_decided_things_go_on_and_changes_are_refused() -> Result<()> {
    scenario("f05", |scratch| {
        let mut server = Postgres::start()?;
        let world = on_server(scratch, &server)?;
        let target = echo(&world)?;
        round_trip(&world.alice)?;
        let mut held = hold(&world, scratch.path(), &target)?;
        server.crash()?;
        // Live sessions live, and a person whom this gateway knows opens new ones: recorded in the journal.
        round_trip(&world.alice)?;
        assert!(held.is_running(), "{}", held.log());
        // Changes and single-use secrets are refused, for now.
        assert_eq!(world.owner.apply("kind: group\nname: lost\n")?.code, 75);
        let bob = Client::new(&tools::programs()?, &scratch.join("bob"))?;
        assert!(bob.sign_in_with_browser(&world.gateway, world::ALICE.0, world::ALICE.1).is_err());
        server.restart()?;
        until("changes to be taken again", SOON, || {
            world.owner.apply("kind: group\nname: found\n").is_ok_and(|ran| ran.code == 0)
        })?;
        // What was recorded meanwhile reaches the store: the session opened in the dark is on the list.
        until("the records of the dark", SOON, || {
            world.owner.run(&["sessions", "ls"]).is_ok_and(|ran| ran.stdout.matches("echo").count() >= 3)
        })?;
        assert!(held.is_running(), "{}", held.log());
        server.stop()
    })
}

#[test]
fn f08_a_slow_database_does_not_slow_a_decision() -> Result<()> {
    scenario("f08", |scratch| {
        let server = Postgres::start()?;
        let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port())), 0)?;
        let world = through_proxy(scratch, &server, &proxy)?;
        let target = echo(&world)?;
        round_trip(&world.alice)?;
        let quick = mean_admission(&world)?;
        for (how, path) in [
            ("that takes 200 ms", FaultPath::delayed(Duration::from_millis(200))),
            ("that takes 10 s", FaultPath::delayed(Duration::from_secs(10))),
            ("that says nothing", FaultPath::blocked()),
        ] {
            proxy.set(Way::Both, path);
            let slow = mean_admission(&world)?;
            assert!(slow <= quick.mul_f64(1.1) + NOISE, "{quick:?} before, {slow:?} with a database {how}");
        }
        let began = Instant::now();
        assert_eq!(world.owner.apply("kind: group\nname: slow\n")?.code, 75);
        assert!(began.elapsed() < SOON, "an administrator waits for ever");
        proxy.heal();
        assert!(target.connections() >= 4 * u64::from(ADMISSIONS));
        server.stop()
    })
}

#[test]
fn a_stopped_database_does_not_keep_a_session_from_being_cut_by_its_hard_expiry() -> Result<()> {
    scenario("expiry-in-the-dark", |scratch| {
        let mut server = Postgres::start()?;
        let world = on_server(scratch, &server)?;
        let target = echo(&world)?;
        world.revoke_engineers()?;
        world.grant_until(Duration::from_secs(12))?;
        until("the grant in force", Duration::from_secs(2), || round_trip(&world.alice).is_ok())?;
        let mut held = hold(&world, scratch.path(), &target)?;
        server.crash()?;
        until("the cut at the target", Duration::from_secs(14), || target.open() == 0)?;
        assert_eq!(held.wait(SOON)?.code(), Some(77), "{}", held.log());
        Ok(())
    })
}

fn on_server(scratch: &Scratch, server: &Postgres) -> Result<World> {
    let store = Some(postgres::fresh_database(&server.url("postgres"))?);
    World::start_with(scratch, &GatewayOptions { store, ..GatewayOptions::default() })
}

pub(crate) fn through_proxy(scratch: &Scratch, server: &Postgres, proxy: &FaultProxy) -> Result<World> {
    let direct = postgres::fresh_database(&server.url("postgres"))?;
    let store = direct.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.address().port()));
    World::start_with(scratch, &GatewayOptions { store: Some(store), ..GatewayOptions::default() })
}

/// The mean time from a request to its answer, as the gateway itself measures it.
fn mean_admission(world: &World) -> Result<Duration> {
    let total = |what: &str| world.gateway.metric(&format!("postern_admission_seconds_{what}"));
    let (seconds, count) = (total("sum")?, total("count")?);
    for _ in 0..ADMISSIONS {
        round_trip(&world.alice)?;
    }
    let (seconds, count) = (total("sum")? - seconds, total("count")? - count);
    anyhow::ensure!(count >= f64::from(ADMISSIONS), "only {count} admissions were measured");
    Ok(Duration::from_secs_f64(seconds / count))
}
