//! Clocks that jump, and processes that lose time.

use crate::support::{
    AFTER_RESTART, AFTER_SILENCE, SOON, all_whole, load, settled_resumes, two_loads, until_cut,
};
use anyhow::Result;
use postern_tests::fake_clock::FakeClock;
use postern_tests::{Fleet, Pace, Plan, Scratch, Signal, scenario, skipped};
use std::time::{Duration, Instant};

/// An hour, as clocks jump at the end of summer.
const HOUR_S: i64 = 3600;

/// Longer than a silent peer is waited for.
const LONGER_THAN_THE_HEARTBEAT: Duration = Duration::from_secs(12);

#[test]
fn f26_a_clock_that_jumps_at_any_of_the_three_ends_no_session() -> Result<()> {
    scenario("f26", |scratch| {
        let Some(clocks) = Clocks::or_skip("f26", scratch)? else { return Ok(()) };
        let fleet = Fleet::start(scratch, &clocks.plan())?;
        let load = load(&fleet, Pace::TYPING, 1, scratch)?;
        for clock in [&clocks.gateway, &clocks.connector, &clocks.client] {
            for ahead in [HOUR_S, -HOUR_S, 0] {
                clock.set_ahead(ahead)?;
                load.await_progress(SOON)?;
                // The session is decided again with the clocks as they are.
                fleet.nodes[0].front.reset();
                fleet.nodes[0].back.reset();
                load.await_progress(SOON)?;
            }
        }
        all_whole(&fleet, vec![load])
    })
}

#[test]
fn f26_a_gateway_clock_set_back_extends_no_session() -> Result<()> {
    /// Time to set the scene before the grant expires.
    const GRANTED_S: u64 = 15;
    scenario("f26-expiry", |scratch| {
        let Some(clocks) = Clocks::or_skip("f26 with an expiry", scratch)? else { return Ok(()) };
        let fleet = Fleet::start(scratch, &clocks.plan())?;
        fleet.revoke_engineers()?;
        fleet.grant_engineers_for(Duration::from_secs(GRANTED_S))?;
        let granted = Instant::now();
        let attached = load(&fleet, Pace::TYPING, 1, scratch)?;
        clocks.gateway.set_ahead(-HOUR_S)?;
        // A resume under the wrong clock does not make the session longer either.
        fleet.nodes[0].front.reset();
        attached.await_progress(SOON)?;
        until_cut(&fleet, Duration::from_secs(GRANTED_S + 3))?;
        assert!(granted.elapsed() <= Duration::from_secs(GRANTED_S + 2), "{:?}", granted.elapsed());
        attached.await_end(SOON)?;
        assert_eq!(attached.finish(SOON)?.code, Some(77));
        Ok(())
    })
}

#[test]
fn f27_a_client_that_sleeps_longer_than_the_heartbeat_goes_on() -> Result<()> {
    scenario("f27-client", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1))?;
        let loads = two_loads(&fleet, scratch)?;
        for load in &loads {
            load.signal(Signal::Stop)?;
        }
        std::thread::sleep(LONGER_THAN_THE_HEARTBEAT);
        for load in &loads {
            load.signal(Signal::Cont)?;
        }
        for load in &loads {
            load.await_progress(AFTER_RESTART)?;
        }
        assert!(settled_resumes(&fleet)? >= 2, "the gateway had given them up");
        all_whole(&fleet, loads)
    })
}

#[test]
fn f27_a_connector_that_sleeps_longer_than_the_heartbeat_keeps_its_sessions() -> Result<()> {
    scenario("f27-connector", |scratch| {
        let mut fleet = Fleet::start(scratch, &Plan::of(1))?;
        let loads = two_loads(&fleet, scratch)?;
        fleet.connector.process()?.signal(Signal::Stop)?;
        std::thread::sleep(LONGER_THAN_THE_HEARTBEAT);
        fleet.connector.process()?.signal(Signal::Cont)?;
        for load in &loads {
            load.await_progress(AFTER_SILENCE)?;
        }
        all_whole(&fleet, loads)
    })
}

#[test]
fn f27_a_client_that_sleeps_longer_than_the_window_finds_its_session_over() -> Result<()> {
    const WINDOW_S: u32 = 3;
    scenario("f27-window", |scratch| {
        let fleet = Fleet::start(scratch, &Plan::of(1).window(WINDOW_S))?;
        let load = load(&fleet, Pace::TYPING, 1, scratch)?;
        let slept = Instant::now();
        load.signal(Signal::Stop)?;
        // Silence is noticed after nine seconds, then the window runs; what is left is for a machine with other tests beside.
        until_cut(&fleet, Duration::from_secs(9 + u64::from(WINDOW_S) + 3))?;
        assert!(slept.elapsed() >= Duration::from_secs(WINDOW_S.into()), "{:?}", slept.elapsed());
        load.signal(Signal::Cont)?;
        load.await_end(SOON)?;
        let outcome = load.finish(SOON)?;
        assert_eq!(outcome.code, Some(75), "{}", outcome.said);
        assert!(outcome.tally.is_clean(), "{outcome:?}");
        assert_eq!(fleet.witness.seen(1).connections, 1);
        Ok(())
    })
}

/// A clock for each of the three programs.
struct Clocks {
    gateway: FakeClock,
    connector: FakeClock,
    client: FakeClock,
}

impl Clocks {
    fn or_skip(test: &str, scratch: &Scratch) -> Result<Option<Self>> {
        let clock = |name| FakeClock::new(scratch.path(), name);
        let (gateway, connector, client) = (clock("gateway")?, clock("connector")?, clock("client")?);
        let (Some(gateway), Some(connector), Some(client)) = (gateway, connector, client) else {
            skipped(test, "setting clocks needs libfaketime (Debian: faketime)");
            return Ok(None);
        };
        Ok(Some(Self { gateway, connector, client }))
    }

    fn plan(&self) -> Plan {
        Plan {
            gateway_environment: self.gateway.environment(),
            connector_environment: self.connector.environment(),
            client_environment: self.client.environment(),
            ..Plan::of(1)
        }
    }
}
