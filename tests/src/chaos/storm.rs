//! One storm over a fleet: copies both ways and typing, kills at seeded moments, and what it cost.

use super::{Copied, Copies, Direction, Report, Stall};
use crate::fleet::Fleet;
use crate::workload::{Outcome, Pace, Workload};
use crate::{Chance, Scratch, Signal, wait};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// Between the return of the typing and the next kill; short ones meet resumes that are still busy with a replay.
const CALM: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(1500));

/// Longer than the longest back-off and a slow start together, and far below the window.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// So many kills may go wrong before the storm is over.
const FAILURES_MAX: usize = 3;

/// A record that is on disk is in the store within this.
const SHIPPED_WITHIN: Duration = Duration::from_secs(2);

/// What is done to a fleet.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// How many kills.
    pub kills: usize,
    /// What decides the moments, and which gateway.
    pub seed: u64,
    /// The size of each copy.
    pub copy_mib: u64,
}

/// What runs while the storm does.
struct People {
    up: Copies,
    down: Copies,
    typing: Workload,
    bulk: Workload,
}

impl Storm {
    /// Lets it loose; `told` hears of each kill. What goes wrong after the start is in the report.
    pub fn run(
        self,
        fleet: &mut Fleet,
        scratch: &Scratch,
        mut told: impl FnMut(usize, Stall),
    ) -> Result<Report> {
        let began = Instant::now();
        let mut chance = Chance::new(self.seed);
        let resumed_before = fleet.resumes()?;
        let mut report = Report { seed: self.seed, ..Report::default() };
        let people = People::start(fleet, scratch, self.copy_mib)?;
        let mut explained = 0;
        for number in 0..self.kills {
            match kill_once(fleet, &people, &mut chance, &mut report.failures) {
                Ok((stall, hit)) => {
                    told(number, stall);
                    report.stalls.push(stall);
                    explained += hit;
                }
                Err(error) => report.failures.push(format!("kill {number}: {error:#}")),
            }
            if report.failures.len() >= FAILURES_MAX {
                break;
            }
        }
        people.finish(&mut report, fleet);
        match settled_resumes(fleet) {
            Ok(resumes) => report.resumes = resumes - resumed_before,
            Err(error) => report.failures.push(format!("the records of resumes: {error:#}")),
        }
        report.false_detaches = report.resumes.saturating_sub(explained);
        report.took = began.elapsed();
        Ok(report)
    }
}

/// Kills a gateway that carries somebody at a random moment, starts it again at once, and waits until the loads come back.
/// Gives how many links of clients it cost too: each person has one, and resumes once for it.
fn kill_once(
    fleet: &mut Fleet,
    people: &People,
    chance: &mut Chance,
    failures: &mut Vec<String>,
) -> Result<(Stall, u64)> {
    std::thread::sleep(chance.between(CALM.0, CALM.1));
    let carriers: Vec<usize> =
        (0..).zip(&fleet.nodes).filter(|(_, node)| node.front.open() > 0).map(|(number, _)| number).collect();
    let chosen = usize::try_from(chance.below(u64::try_from(carriers.len())?))?;
    let victim = carriers.get(chosen).copied().unwrap_or(0);
    let hit = fleet.node(victim)?.front.open();
    let killed = Instant::now();
    let restart = match fleet.kill_and_restart(victim) {
        Ok(restart) => restart,
        Err(error) => {
            // It counts; whether the sessions get over it counts too.
            failures.push(format!("a restart failed: {error:#}"));
            fleet.node(victim)?.gateway.restart()?;
            killed.elapsed()
        }
    };
    people.typing.await_progress(BACK_WITHIN)?;
    people.bulk.await_progress(BACK_WITHIN)?;
    let stall = people.typing.longest_gap(killed).max(people.bulk.longest_gap(killed));
    Ok((Stall { restart, stall }, u64::try_from(hit)?))
}

impl People {
    fn start(fleet: &Fleet, scratch: &Scratch, copy_mib: u64) -> Result<Self> {
        let copies = |direction, name: &str| {
            Copies::start(&fleet.alice, &fleet.sshd, direction, copy_mib, &scratch.join(name))
        };
        let load = |pace, number| Workload::proxied(&fleet.alice, "echo", pace, number, scratch.path());
        let people = Self {
            up: copies(Direction::Up, "copies-up")?,
            down: copies(Direction::Down, "copies-down")?,
            typing: load(Pace::TYPING, 1)?,
            bulk: load(Pace { record_bytes: 16 * 1024, every: Duration::from_millis(4) }, 2)?,
        };
        people.up.await_start(BACK_WITHIN)?;
        people.down.await_start(BACK_WITHIN)?;
        people.typing.await_progress(BACK_WITHIN)?;
        people.bulk.await_progress(BACK_WITHIN)?;
        Ok(people)
    }

    fn finish(self, report: &mut Report, fleet: &Fleet) {
        for load in [self.typing, self.bulk] {
            match load.finish(BACK_WITHIN) {
                Ok(outcome) => account_load(report, fleet, &outcome),
                Err(error) => report.failures.push(format!("a load does not end: {error:#}")),
            }
        }
        for copies in [self.up, self.down] {
            match copies.finish() {
                Ok(copied) => account_copies(report, &copied),
                Err(error) => report.failures.push(format!("the copies do not end: {error:#}")),
            }
        }
    }
}

fn account_load(report: &mut Report, fleet: &Fleet, outcome: &Outcome) {
    let there = fleet.witness.seen(outcome.number);
    let missing = outcome.sent.saturating_sub(outcome.tally.records);
    if outcome.code.is_some_and(|code| code != 0) || missing > 0 {
        report.sessions_lost.push(format!("load {}: {outcome:?}", outcome.number));
    }
    let tally = outcome.tally.with(there.tally);
    report.bytes_lost += tally.damaged + (tally.lost + missing) * Pace::TYPING.record_bytes as u64;
    report.double_deliveries += tally.doubled + tally.foreign + there.connections.saturating_sub(1);
}

fn account_copies(report: &mut Report, copied: &Copied) {
    report.copies += copied.whole;
    report.not_opened += copied.not_opened;
    report.sessions_lost.extend(copied.failed.iter().cloned());
    // How much of a wrong copy is wrong is not known, only that it is.
    report.bytes_lost += copied.wrong;
}

/// How many resumes there were, once no more of their records reach the store.
fn settled_resumes(fleet: &Fleet) -> Result<u64> {
    let (mut seen, mut since) = (fleet.resumes()?, Instant::now());
    let settled = || {
        let now = fleet.resumes().ok()?;
        if std::mem::replace(&mut seen, now) != now {
            since = Instant::now();
        }
        (since.elapsed() >= SHIPPED_WITHIN).then_some(now)
    };
    Ok(wait::eventually("the records of resumes", BACK_WITHIN, settled)?.0)
}

/// Cuts a fleet's client off without a word, so many times, and gives how long each cut went unnoticed.
///
/// Noticed is: the client dials again.
pub fn partitions(
    fleet: &Fleet,
    scratch: &Scratch,
    count: usize,
    chance: &mut Chance,
) -> Result<Vec<Duration>> {
    let front = &fleet.nodes.first().context("a gateway")?.front;
    let load = Workload::proxied(&fleet.alice, "echo", Pace::TYPING, 3, scratch.path())?;
    let mut noticed = Vec::new();
    for _ in 0..count {
        load.await_progress(BACK_WITHIN)?;
        std::thread::sleep(chance.between(CALM.0, CALM.1));
        let dialed = front.accepted();
        front.freeze();
        noticed
            .push(wait::until("a dial after a silent partition", BACK_WITHIN, || front.accepted() > dialed)?);
    }
    load.await_progress(BACK_WITHIN)?;
    load.finish(BACK_WITHIN)?.expect_whole()?;
    Ok(noticed)
}

/// Freezes the gateway that carries a typing and a bulk load for half a minute, wakes it, and counts what came twice.
pub fn freeze(fleet: &mut Fleet, scratch: &Scratch) -> Result<Report> {
    const FROZEN: Duration = Duration::from_secs(30);
    let load = |pace, number| Workload::proxied(&fleet.alice, "echo", pace, number, scratch.path());
    let loads = [load(Pace::TYPING, 4)?, load(Pace::BULK, 5)?];
    for load in &loads {
        load.await_progress(BACK_WITHIN)?;
    }
    let victim =
        fleet.nodes.iter().position(|node| node.front.open() > 0).context("a gateway with clients")?;
    let frozen = Instant::now();
    fleet.signal(victim, Signal::Stop)?;
    for load in &loads {
        load.await_progress(BACK_WITHIN)?;
    }
    std::thread::sleep(FROZEN.saturating_sub(frozen.elapsed()));
    fleet.signal(victim, Signal::Cont)?;
    fleet.await_links()?;
    let mut report = Report::default();
    for load in loads {
        load.await_progress(BACK_WITHIN)?;
        report.frozen.push(load.longest_gap(frozen));
        account_load(&mut report, fleet, &load.finish(BACK_WITHIN)?);
    }
    Ok(report)
}
