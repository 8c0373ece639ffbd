//! Chance walks through the table: whatever happens, nobody's duty is lost or doubled.

use super::{
    super::{
        news::Follows,
        table::{Claim, HeldOf},
    },
    ATTACHED, Duty, Scene, detached, of,
};
use crate::connectors::Standing;
use postern_ids::Ended;
use std::rc::{Rc, Weak};

/// A small generator, so that a failing seed can be run again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Somebody who has a session.
struct Holder {
    session: HeldOf,
    duty: Duty,
}

/// A walk through the table, one chance after the other.
struct Walk {
    scene: Scene,
    chance: Chance,
    /// Every duty that there ever was, by session.
    made: [Vec<Weak<()>>; 3],
    holders: Vec<Holder>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let made = [Vec::new(), Vec::new(), Vec::new()];
        Self { scene: Scene::new(), chance: Chance(seed), made, holders: Vec::new() }
    }

    fn make(&mut self, n: u8) -> Duty {
        let duty = Rc::new(());
        self.made[usize::from(n)].push(Rc::downgrade(&duty));
        duty
    }

    fn step(&mut self) {
        let n = u8::try_from(self.chance.below(3)).unwrap();
        let (session, generation) = (of(n), u32::try_from(self.chance.below(8)).unwrap() + 1);
        match self.chance.below(10) {
            0..=2 => match self.scene.claim(&session, generation) {
                Claim::Fresh => {
                    let duty = self.make(n);
                    self.holders.push(Holder { session, duty });
                }
                Claim::Taken(was) => self.holders.push(Holder { session, duty: was.duty }),
                _ => {}
            },
            3 => {
                let told = self.scene.told(&session, session.home, generation, detached(&session));
                if let Follows::Adopt(of, _) = told {
                    let duty = self.make(n);
                    drop(self.scene.table.adopt(of, generation, duty, self.scene.now));
                }
            }
            4 => drop(self.scene.told(&session, session.home, generation, ATTACHED)),
            5 if self.chance.below(6) == 0 => {
                drop(self.scene.told(&session, session.home, generation, Standing::Over(4444)));
            }
            6.. if !self.holders.is_empty() => self.hand_over(),
            _ => {}
        }
    }

    /// Somebody gives away what they have.
    fn hand_over(&mut self) {
        let at = usize::try_from(self.chance.below(self.holders.len() as u64)).unwrap();
        let Holder { session: HeldOf { session, .. }, duty } = self.holders.swap_remove(at);
        let (table, now) = (&mut self.scene.table, self.scene.now);
        match self.chance.below(8) {
            0..=4 => drop(table.park(session, duty, now)),
            5 | 6 => drop(table.let_go(session, duty, now)),
            _ => drop(table.end(session, Ended::Finished, now)),
        }
    }
}

#[test]
fn d14_whatever_happens_in_whatever_order_a_session_has_one_duty_at_most() {
    for seed in 1..=500 {
        let mut walk = Walk::new(seed);
        for step in 0..60 {
            walk.step();
            for made in &walk.made {
                let alive = made.iter().filter(|duty| duty.strong_count() > 0).count();
                assert!(alive <= 1, "seed {seed}, step {step}: {alive} duties for one session");
            }
        }
    }
}
