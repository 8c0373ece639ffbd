//! Medians and percentiles.

use serde::{Deserialize, Serialize};

/// What many samples of one run come to.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Summary {
    pub(crate) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { p50: percentile(&samples, 50), p99: percentile(&samples, 99), max: percentile(&samples, 100) }
    }
}

/// The value that `percent` of the sorted samples do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or(f64::NAN)
}

/// One figure over all rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of no rounds.
    pub(crate) fn of(rounds: &[f64]) -> Option<Self> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let upper = sorted.get(sorted.len() / 2).copied()?;
        let lower = sorted.get((sorted.len() - 1) / 2).copied()?;
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_medians_are_the_textbook_ones() {
        let summary = Summary::of((1..=100).rev().map(f64::from).collect());
        assert_eq!((summary.p50, summary.p99, summary.max), (50.0, 99.0, 100.0));
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0, 10.0]), Some(Spread { median: 2.5, min: 1.0, max: 10.0 }));
        assert_eq!(Spread::of(&[]), None);
    }
}
