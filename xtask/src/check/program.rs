//! Runs one test program with a deadline and reads its result.

use crate::build::TestProgram;
use crate::outcome::Count;
use crate::workspace;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a program is to be run.
#[derive(Clone, Default)]
pub(crate) struct Setting {
    /// Variables for the tests.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Only tests whose name contains this.
    pub(crate) filter: Option<String>,
    /// After this long the program is stopped and counts as failed.
    pub(crate) deadline: Duration,
    /// A word for the log's name, so that two runs of one program keep both logs.
    pub(crate) label: &'static str,
}

/// Runs a program and counts what it reports; what it wrote is printed if anything failed.
pub(crate) fn run(program: &TestProgram, setting: &Setting) -> Result<Count> {
    let log = log_path(program, setting)?;
    let status = execute(program, setting, &log)?;
    let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
    let mut count = Count { note: left_out(&text), ..counted(&text) };
    let good = status.is_some_and(|status| status.success());
    if !good {
        count.failed = count.failed.max(1);
        print!("{}", failures(&text));
        count.note = match status {
            Some(_) => format!("log: {}", log.display()),
            None => format!("stopped after {} s, log: {}", setting.deadline.as_secs(), log.display()),
        };
    }
    Ok(count)
}

fn execute(program: &TestProgram, setting: &Setting, log: &PathBuf) -> Result<Option<ExitStatus>> {
    let file = File::create(log).with_context(|| format!("create {}", log.display()))?;
    let mut command = Command::new(&program.file);
    command.current_dir(&program.directory).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    command.env("CARGO_MANIFEST_DIR", &program.directory).env("POSTERN_BIN_DIR", workspace::programs());
    command.envs(setting.environment.iter().map(|(name, value)| (*name, value.as_str())));
    if let Some(filter) = &setting.filter {
        command.arg(filter);
    }
    let mut child = command.spawn().with_context(|| format!("start {}", program.file.display()))?;
    let end = Instant::now() + setting.deadline;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn log_path(program: &TestProgram, setting: &Setting) -> Result<PathBuf> {
    let directory = workspace::target().join("test-logs");
    std::fs::create_dir_all(&directory)?;
    let mut name = format!("{}-{}-{}", program.package, program.kind, program.target);
    if !setting.label.is_empty() {
        name = format!("{name}-{}", setting.label);
    }
    Ok(directory.join(format!("{name}.log")))
}

/// Sums the lines `test result: ok. 3 passed; 0 failed; …`.
pub(crate) fn counted(text: &str) -> Count {
    let mut count = Count::default();
    for line in text.lines().filter(|line| line.starts_with("test result: ")) {
        count.passed += number_before(line, " passed");
        count.failed += number_before(line, " failed");
    }
    count
}

/// What the tests say that this machine cannot do: the lines `skipped: …`.
fn left_out(text: &str) -> String {
    let reasons: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("skipped: ")).map(|(_, reason)| reason).collect();
    if reasons.is_empty() { String::new() } else { format!("left out: {}", reasons.join("; ")) }
}

fn number_before(line: &str, word: &str) -> u64 {
    let before = line.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The part of a log that a reader needs: from the first failure on, or the end of it.
fn failures(text: &str) -> String {
    const LINES_MAX: usize = 400;
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.iter().position(|line| *line == "failures:").unwrap_or(lines.len().saturating_sub(80));
    let mut out = String::new();
    for line in lines.iter().skip(from).take(LINES_MAX) {
        out.push_str("   │ ");
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_line_is_counted() {
        let count = counted("running 4 tests\ntest result: FAILED. 3 passed; 1 failed; 0 ignored\n");
        assert_eq!((count.passed, count.failed), (3, 1));
    }

    #[test]
    fn what_was_left_out_is_told() {
        // The test program prints the name of the test, then the harness its reason, on one line or two.
        let text = "test a ... skipped: f11: needs root\nok\nskipped: f14: no nft\ntest b ... ok\n";
        assert_eq!(left_out(text), "left out: f11: needs root; f14: no nft");
        assert_eq!(left_out("test a ... ok\n"), "");
    }
}
