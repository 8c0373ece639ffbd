//! Counts, names and times the steps of the demo.

use anyhow::{Context, Result};
use std::time::Instant;

/// The steps so far.
pub(super) struct Steps {
    began: Instant,
    number: u32,
}

impl Steps {
    /// Begins.
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), number: 0 }
    }

    /// Takes one step; says what it was and how long it took, or what went wrong.
    pub(super) fn take<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.number += 1;
        let began = Instant::now();
        let result = work();
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{:>3}  {what:<64} {verdict:>6} {:>8.2} s", self.number, began.elapsed().as_secs_f64());
        result.with_context(|| format!("step {}: {what}", self.number))
    }

    /// The closing line.
    pub(super) fn finish(&self) {
        println!("{} steps, all ok, {:.1} s", self.number, self.began.elapsed().as_secs_f64());
    }
}
