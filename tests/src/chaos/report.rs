//! What a storm came to, against its bars.

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// After a restart that is at most this long, a stall counts against its bar.
const RESTART_BAR: Duration = Duration::from_millis(500);

/// Of the stalls after such restarts, 99 of 100 are at most this long.
const STALL_BAR: Duration = Duration::from_secs(2);

/// A silent partition is noticed within this.
const PARTITION_BAR: Duration = Duration::from_secs(10);

/// People whose gateway freezes go on at another within this: the silence is noticed, then they resume (F2).
const FROZEN_BAR: Duration = Duration::from_secs(12);

/// One kill, as the people at the other end felt it.
#[derive(Debug, Clone, Copy)]
pub struct Stall {
    /// From the kill until the gateway listened again.
    pub restart: Duration,
    /// The longest time around the kill in which nothing came back.
    pub stall: Duration,
}

/// The figures.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What decided the moments.
    pub seed: u64,
    /// Each kill.
    pub stalls: Vec<Stall>,
    /// Copies that came through whole.
    pub copies: u64,
    /// Sessions that ended early, with what was said.
    pub sessions_lost: Vec<String>,
    /// Sessions that could not begin while a gateway was down, or without its connector: not lost, but felt.
    pub not_opened: u64,
    /// Bytes that did not arrive, or arrived changed.
    pub bytes_lost: u64,
    /// Times that a session went on over another link.
    pub resumes: u64,
    /// Resumes that no fault explains.
    pub false_detaches: u64,
    /// Records or connections that came twice.
    pub double_deliveries: u64,
    /// How long silent partitions went unnoticed.
    pub partitions: Vec<Duration>,
    /// The stalls of those whose gateway froze.
    pub frozen: Vec<Duration>,
    /// What went wrong beside the sessions: a gateway that did not start again, a load that never came back.
    pub failures: Vec<String>,
    /// How long the storm took.
    pub took: Duration,
}

impl Report {
    /// Takes in what another storm came to.
    pub fn add(&mut self, other: Self) {
        self.stalls.extend(other.stalls);
        self.copies += other.copies;
        self.sessions_lost.extend(other.sessions_lost);
        self.not_opened += other.not_opened;
        self.bytes_lost += other.bytes_lost;
        self.resumes += other.resumes;
        self.false_detaches += other.false_detaches;
        self.double_deliveries += other.double_deliveries;
        self.partitions.extend(other.partitions);
        self.frozen.extend(other.frozen);
        self.failures.extend(other.failures);
        self.took += other.took;
    }

    /// Every bar that was missed, as a sentence; empty if all held.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut zero = |what: &str, count: u64| {
            if count > 0 {
                missed.push(format!("{what}: {count}, the bar is 0"));
            }
        };
        zero("sessions lost", self.lost());
        zero("bytes lost", self.bytes_lost);
        zero("false detaches", self.false_detaches);
        zero("double deliveries", self.double_deliveries);
        zero("failures", count(&self.failures));
        let quick = percentile(&self.after_quick_restarts(), 99);
        if quick.is_some_and(|stall| stall > STALL_BAR) {
            missed.push(format!("stall p99 after a quick restart: {quick:?}, the bar is {STALL_BAR:?}"));
        }
        for (what, times, bar) in [
            ("a silent partition went unnoticed", &self.partitions, PARTITION_BAR),
            ("a frozen gateway stalled its sessions", &self.frozen, FROZEN_BAR),
        ] {
            if let Some(worst) = times.iter().max().filter(|worst| **worst > bar) {
                missed.push(format!("{what} for {worst:?}, the bar is {bar:?}"));
            }
        }
        missed
    }

    /// The figures as a table for people.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let mut row = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{name:<34} {value:>12}");
        };
        row("kills", self.stalls.len().to_string());
        row("whole copies", self.copies.to_string());
        for (name, times) in [
            ("restart", self.stalls.iter().map(|s| s.restart).collect()),
            ("stall", self.stalls.iter().map(|s| s.stall).collect()),
            ("stall after a restart ≤ 0.5 s", self.after_quick_restarts()),
            ("silent partition noticed after", self.partitions.clone()),
            ("stall under a frozen gateway", self.frozen.clone()),
        ] {
            let times: Vec<Duration> = times;
            for (part, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
                let shown = percentile(&times, percent).map_or_else(|| "–".to_owned(), seconds);
                row(&format!("{name} {part}"), shown);
            }
        }
        row("resumes", self.resumes.to_string());
        row("sessions lost", self.lost().to_string());
        row("sessions not opened meanwhile", self.not_opened.to_string());
        row("bytes lost", self.bytes_lost.to_string());
        row("false detaches", self.false_detaches.to_string());
        row("double deliveries", self.double_deliveries.to_string());
        row("failures", self.failures.len().to_string());
        row("took", seconds(self.took));
        table
    }

    /// The figures for machines.
    pub fn json(&self) -> Value {
        let times = |times: &[Duration]| {
            let at = |percent| percentile(times, percent).map(|time| time.as_secs_f64());
            json!({ "count": times.len(), "p50": at(50), "p99": at(99), "max": at(100) })
        };
        let restarts: Vec<Duration> = self.stalls.iter().map(|s| s.restart).collect();
        let stalls: Vec<Duration> = self.stalls.iter().map(|s| s.stall).collect();
        json!({
            "seed": self.seed,
            "kills": self.stalls.len(),
            "copies": self.copies,
            "restart_seconds": times(&restarts),
            "stall_seconds": times(&stalls),
            "stall_after_quick_restart_seconds": times(&self.after_quick_restarts()),
            "partition_noticed_seconds": times(&self.partitions),
            "stall_under_frozen_gateway_seconds": times(&self.frozen),
            "sessions_lost": self.lost(),
            "sessions_not_opened": self.not_opened,
            "bytes_lost": self.bytes_lost,
            "resumes": self.resumes,
            "false_detaches": self.false_detaches,
            "double_deliveries": self.double_deliveries,
            "failures": self.failures,
            "took_seconds": self.took.as_secs_f64(),
            "missed": self.missed(),
        })
    }

    fn lost(&self) -> u64 {
        count(&self.sessions_lost)
    }

    fn after_quick_restarts(&self) -> Vec<Duration> {
        self.stalls.iter().filter(|s| s.restart <= RESTART_BAR).map(|s| s.stall).collect()
    }
}

fn count(what: &[String]) -> u64 {
    u64::try_from(what.len()).unwrap_or(u64::MAX)
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// The time that so many of a hundred do not exceed.
fn percentile(times: &[Duration], percent: usize) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Some(Duration::from_millis(100)));
        assert_eq!(percentile(&times, 99), Some(Duration::from_millis(198)));
        assert_eq!(percentile(&times, 100), Some(Duration::from_millis(200)));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn each_bar_can_be_missed() {
        let stall = |restart, stall| Stall {
            restart: Duration::from_millis(restart),
            stall: Duration::from_millis(stall),
        };
        let good = Report { stalls: vec![stall(400, 1900), stall(700, 9000)], ..Report::default() };
        assert_eq!(good.missed(), Vec::<String>::new(), "a slow restart is not the protocol's fault");
        let bad = Report {
            stalls: vec![stall(400, 2100)],
            sessions_lost: vec!["one".to_owned()],
            bytes_lost: 1,
            false_detaches: 1,
            double_deliveries: 1,
            partitions: vec![Duration::from_secs(11)],
            frozen: vec![Duration::from_secs(13)],
            failures: vec!["a gateway did not start".to_owned()],
            ..Report::default()
        };
        assert_eq!(bad.missed().len(), 8);
        assert!(bad.table().contains("double deliveries"));
        assert_eq!(bad.json()["bytes_lost"], 1);
    }
}
