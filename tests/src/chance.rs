//! Chance that can be had again: a seed and what follows from it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// A small generator (`SplitMix64`): the same seed gives the same numbers on every machine.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 if the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// A time from `least` to `most`.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(self.below(span.saturating_add(1)))
    }

    /// A generator of its own, for a part that must not disturb the others.
    #[must_use]
    pub fn branch(&mut self) -> Self {
        Self::new(self.number())
    }
}

/// One generator that several threads draw from, each getting a branch.
#[derive(Debug)]
pub(crate) struct SharedChance(Mutex<Chance>);

impl SharedChance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Chance::new(seed)))
    }

    pub(crate) fn branch(&self) -> Chance {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).branch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..8).map(|_| chance.number()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        // The reference values of SplitMix64 for seed 1234567.
        assert_eq!(draw(1_234_567).first(), Some(&6_457_827_717_110_365_317));
    }

    #[test]
    fn bounds_hold() {
        let mut chance = Chance::new(1);
        let (least, most) = (Duration::from_millis(5), Duration::from_millis(9));
        for _ in 0..1000 {
            assert!(chance.below(3) < 3);
            let time = chance.between(least, most);
            assert!(time >= least && time <= most);
        }
        assert_eq!(chance.below(0), 0);
        assert!(!chance.percent(0) && chance.percent(100));
    }
}
