//! What the tests of resume share.

use anyhow::{Context, Result};
use postern_tests::workload::Outcome;
use postern_tests::{Fleet, Pace, Scratch, Workload, until};
use std::time::Duration;

/// For what takes a moment when the machine is free.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A silent peer is noticed within ten seconds; two more are for the way back.
pub(crate) const AFTER_SILENCE: Duration = Duration::from_secs(12);

/// Everything a hasty user would take for a hang, on a machine with other tests beside.
pub(crate) const AFTER_RESTART: Duration = Duration::from_secs(10);

/// Time for damage to show.
const AFTERMATH: Duration = Duration::from_secs(1);

/// Whether the larger forms were asked for.
pub(crate) fn is_long() -> bool {
    std::env::var_os("POSTERN_TEST_LONG").is_some()
}

/// A load through `postern proxy` whose first record has come back.
pub(crate) fn load(fleet: &Fleet, pace: Pace, number: u64, scratch: &Scratch) -> Result<Workload> {
    let load = Workload::proxied(&fleet.alice, "echo", pace, number, scratch.path())?;
    load.await_progress(SOON).with_context(|| load.said())?;
    Ok(load)
}

/// One typing and one in bulk.
pub(crate) fn two_loads(fleet: &Fleet, scratch: &Scratch) -> Result<Vec<Workload>> {
    Ok(vec![load(fleet, Pace::TYPING, 1, scratch)?, load(fleet, Pace::BULK, 2, scratch)?])
}

/// Waits until each load goes on.
pub(crate) fn all_go_on(loads: &[Workload], limit: Duration) -> Result<()> {
    for load in loads {
        load.await_progress(limit)?;
    }
    Ok(())
}

/// Ends a load in order: each record reached the target once, on one connection, and came back once.
pub(crate) fn whole(fleet: &Fleet, load: Workload) -> Result<Outcome> {
    let outcome = load.finish(SOON)?;
    outcome.expect_whole()?;
    let there = fleet.witness.seen(outcome.number);
    anyhow::ensure!(
        there.tally.is_clean() && there.tally.records == outcome.sent && there.connections == 1,
        "the target saw {there:?} of {outcome:?}"
    );
    Ok(outcome)
}

/// Lets all loads go on for a moment, as what broke may show late, and ends them in order.
pub(crate) fn all_whole(fleet: &Fleet, loads: Vec<Workload>) -> Result<()> {
    std::thread::sleep(AFTERMATH);
    all_go_on(&loads, SOON)?;
    for load in loads {
        whole(fleet, load)?;
    }
    Ok(())
}

/// The gateway that carries clients now: the only one that is dialed.
pub(crate) fn carrier(fleet: &Fleet) -> Result<usize> {
    let dialed: Vec<usize> =
        (0..).zip(&fleet.nodes).filter(|(_, node)| node.front.open() > 0).map(|(number, _)| number).collect();
    match dialed.as_slice() {
        [one] => Ok(*one),
        several => anyhow::bail!("gateways {several:?} carry clients"),
    }
}

/// Waits until the target's connections have ended.
pub(crate) fn until_cut(fleet: &Fleet, limit: Duration) -> Result<Duration> {
    until("the cut at the target", limit, || fleet.witness.open() == 0)
}

/// How often sessions were resumed, once the records have settled.
pub(crate) fn settled_resumes(fleet: &Fleet) -> Result<u64> {
    let mut before = None;
    let mut now = 0;
    until("the records of resumes", SOON, || {
        std::thread::sleep(Duration::from_millis(300));
        now = fleet.resumes().unwrap_or_default();
        before.replace(now) == Some(now)
    })?;
    Ok(now)
}

/// Every session that is over has one end in the records, and none was recorded as ended while it went on.
pub(crate) fn each_ended_once(fleet: &Fleet) -> Result<()> {
    let open = "select count(*) from sessions where ended_at is null";
    until("the ends in the records", SOON, || fleet.query(open).is_ok_and(|count| count == "0"))?;
    let twice = fleet.query(
        "select body::jsonb ->> 'session', count(*) from audit \
         where kind = 'session.ended' group by 1 having count(*) > 1",
    )?;
    anyhow::ensure!(twice.is_empty(), "ended more than once: {twice}");
    let ends = fleet.query("select distinct ended from sessions")?;
    anyhow::ensure!(ends == "finished", "sessions ended otherwise: {ends:?}");
    Ok(())
}
