//! When something breaks, and what: each seed has a temper of its own, so that rare things also happen together.

use super::World;
use crate::{
    ends::Moment,
    stage::{LaneAt, Stage},
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Something that happens to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A connection is reset at both ends.
    Cut,
    /// A connection is gone, and at most one end is told.
    CutInSilence,
    /// Nothing arrives at one end any more.
    HalfOpen,
    /// Nothing arrives at one end for a while.
    Freeze,
    KillGateway,
    KillEveryGateway,
    /// SIGSTOP, and SIGCONT later: a gateway that wakes and goes on with what it held (F2).
    StopGateway,
    Drain,
    /// The client's address changes.
    Roam,
    /// The client stands still, and goes on later with whatever it held.
    Sleep,
    /// The client dials another gateway while its lanes stay where they are.
    SecondLink,
    /// The client gives up a lane or an attempt, and tries again at once.
    Race,
    /// A gateway opens a lane with what it recorded of an earlier attempt.
    Replay,
    /// A gateway opens two lanes for one attempt.
    Duplicate,
    /// A gateway that lies asks for a stream with another key, another session, or a proof that is none.
    Forge,
    KillConnector,
    KillClient,
}

const ALL: [Fault; 17] = [
    Fault::Cut,
    Fault::CutInSilence,
    Fault::HalfOpen,
    Fault::Freeze,
    Fault::KillGateway,
    Fault::KillEveryGateway,
    Fault::StopGateway,
    Fault::Drain,
    Fault::Roam,
    Fault::Sleep,
    Fault::SecondLink,
    Fault::Race,
    Fault::Replay,
    Fault::Duplicate,
    Fault::Forge,
    Fault::KillConnector,
    Fault::KillClient,
];

/// A right that ends at a certain moment of its stream.
#[derive(Debug)]
struct Revocation {
    stream: usize,
    moment: Option<Moment>,
    not_before: Instant,
}

pub(super) struct Chaos {
    /// Nothing is broken after this.
    pub(super) calm_at: Instant,
    next_at: Instant,
    /// The longest quiet time between two faults.
    pause_ms: u64,
    temper: Vec<Fault>,
    revocations: Vec<Revocation>,
    /// Wakes the run up for what has a time.
    alarms: BTreeSet<Instant>,
    /// Lanes that a lying gateway opened.
    pub(super) own_lanes: Vec<LaneAt>,
}

impl Chaos {
    pub(super) fn new(stage: &mut Stage) -> Self {
        let (now, rng) = (stage.net.now, &mut stage.net.rng);
        let calm_at = now + rng.millis(0, 20_000);
        let some = rng.between(1, 6);
        let deadly = rng.one_in(8);
        let temper = (0..some).map(|_| rng.pick(&ALL));
        let harmless = |fault: &Fault| deadly || !matches!(fault, Fault::KillConnector | Fault::KillClient);
        let temper = temper.filter(harmless).collect();
        let revocations = (0..rng.pick(&[0, 1, 1, 2, 3])).map(|_| Revocation {
            stream: rng.index(4),
            moment: rng.pick(&[
                None,
                Some(Moment::Opening),
                Some(Moment::Attached),
                Some(Moment::Detached),
                Some(Moment::Resuming),
            ]),
            not_before: now + rng.millis(0, 22_000),
        });
        let revocations: Vec<Revocation> = revocations.collect();
        let alarms = revocations.iter().map(|revocation| revocation.not_before).chain([calm_at]).collect();
        let pause_ms = rng.pick(&[300, 2_000, 8_000]);
        Self {
            calm_at,
            next_at: now + rng.millis(0, 500),
            pause_ms,
            temper,
            revocations,
            alarms,
            own_lanes: vec![],
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let fault = (self.next_at < self.calm_at).then_some(self.next_at);
        [fault, self.alarms.first().copied()].into_iter().flatten().min()
    }
}

impl World {
    pub(super) fn break_something(&mut self) -> Result<(), String> {
        let now = self.stage.net.now;
        self.chaos.alarms.retain(|at| *at > now);
        self.revoke_what_is_due();
        if now >= self.chaos.calm_at {
            self.repent();
        }
        if now < self.chaos.next_at
            || self.chaos.next_at >= self.chaos.calm_at
            || self.chaos.temper.is_empty()
        {
            return Ok(());
        }
        self.chaos.next_at = now + self.stage.net.rng.millis(20, self.chaos.pause_ms);
        let fault = self.stage.net.rng.pick(&self.chaos.temper);
        self.strike(fault)
    }

    fn revoke_what_is_due(&mut self) {
        let now = self.stage.net.now;
        let (client, chaos) = (&self.client, &mut self.chaos);
        let due = chaos.revocations.iter().position(|revocation| {
            let stream = client.streams.get(revocation.stream);
            let moment = stream.and_then(|attempt| attempt.moment());
            now >= revocation.not_before
                && moment.is_some()
                && revocation.moment.is_none_or(|at| moment == Some(at))
        });
        let Some(due) = due else { return };
        let number = chaos.revocations.swap_remove(due).stream;
        let attempt = &self.client.streams[number];
        let id = attempt.carrier.stream.id();
        let ledger = self.stage.model.stream(id);
        if ledger.revoked.replace(now).is_some() {
            return;
        }
        let seen = match attempt.moment() {
            Some(Moment::Opening) => "revoked while its Open was on its way",
            Some(Moment::Attached) => "revoked while attached",
            Some(Moment::Detached) => "revoked while detached",
            Some(Moment::Resuming) => "revoked while it resumed",
            None => "revoked before it began",
        };
        self.stage.model.saw(seen);
        self.stage.model.excuse(id, postern_ids::Ended::Revoked.code());
        self.stage.model.deadlines.denied.push(id);
        self.stage.net.say(format_args!("{id} {seen}"));
    }

    /// What was broken is not noticed or repaired before then.
    pub(super) fn trouble(&mut self, time: Duration) {
        let until = self.stage.net.now + time;
        self.stage.model.deadlines.excuse_until(until);
    }
}
