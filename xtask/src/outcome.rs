//! What the parts of a run came to, and how long each took.

use std::time::{Duration, Instant};

/// One part of the run.
pub(crate) struct Part {
    name: String,
    took: Duration,
    passed: u64,
    failed: u64,
    note: String,
}

/// The whole run.
pub(crate) struct Run {
    began: Instant,
    parts: Vec<Part>,
}

/// What one part counted.
#[derive(Default)]
pub(crate) struct Count {
    /// Checks or tests that held.
    pub(crate) passed: u64,
    /// Those that did not.
    pub(crate) failed: u64,
    /// A remark for the summary.
    pub(crate) note: String,
}

impl Count {
    /// One check that holds.
    pub(crate) fn one() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// One check that does not, with the reason.
    pub(crate) fn failure(note: impl Into<String>) -> Self {
        Self { failed: 1, note: note.into(), ..Self::default() }
    }
}

impl Run {
    /// Begins.
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), parts: Vec::new() }
    }

    /// Does one part, times it, and says what came of it at once.
    pub(crate) fn part(&mut self, name: &str, work: impl FnOnce() -> anyhow::Result<Count>) -> bool {
        eprintln!("── {name}");
        let began = Instant::now();
        let count = work().unwrap_or_else(|error| Count::failure(format!("{error:#}")));
        let part = Part {
            name: name.to_owned(),
            took: began.elapsed(),
            passed: count.passed,
            failed: count.failed,
            note: count.note,
        };
        let good = part.failed == 0;
        eprintln!("   {}", part.line());
        self.parts.push(part);
        good
    }

    /// Prints the table and the closing line; true if nothing failed.
    pub(crate) fn finish(&self) -> bool {
        println!();
        for part in &self.parts {
            println!("{}", part.line());
        }
        let passed: u64 = self.parts.iter().map(|part| part.passed).sum();
        let failed: u64 = self.parts.iter().map(|part| part.failed).sum();
        println!("{:<44} {:>8.1} s", "all", self.began.elapsed().as_secs_f64());
        println!("{passed} passed, {failed} failed");
        failed == 0
    }
}

impl Part {
    fn line(&self) -> String {
        let verdict = if self.failed == 0 { "ok" } else { "FAILED" };
        let seconds = self.took.as_secs_f64();
        let mut line = format!(
            "{:<44} {seconds:>8.1} s  {:>5} passed {:>3} failed  {verdict}",
            self.name, self.passed, self.failed
        );
        if !self.note.is_empty() {
            line.push_str("  ");
            line.push_str(&self.note);
        }
        line
    }
}
