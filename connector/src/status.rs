//! What a running connector says about itself: kept in memory, written to a file in the state directory whenever it
//! changes, read by `postern-connector status`.

mod board;

pub use board::{Board, STATUS_FILE, machine_now};

use crate::gateway_clock::NOTABLE_OFFSET;
use postern_ids::{ConnectorId, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt::Write, time::Duration};

/// The state of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Dialing, or waiting for the next dial.
    Connecting,
    /// Up and serving.
    Up,
    /// The gateway asked to leave; its sessions are running out.
    Draining,
    /// Given up: the gateway's answer was final.
    Stopped,
}

/// Something that went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// By this machine's clock.
    pub at: Timestamp,
    /// One sentence.
    pub reason: String,
}

/// One link to one gateway address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The gateway's address.
    pub gateway: String,
    /// Which of the links to that address.
    pub slot: u8,
    /// What it is doing.
    pub state: LinkState,
    /// Since when, by this machine's clock.
    pub since: Timestamp,
    /// The last thing that went wrong with it.
    pub last_failure: Option<Failure>,
}

/// The sessions that can outlive their links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamsStatus {
    /// How many there are, those without a client included.
    pub held: u64,
    /// How many wait for their client to come back.
    pub detached: u64,
    /// Since when the first of those waits, by this machine's clock.
    pub detached_since: Option<Timestamp>,
}

/// Everything `status` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Who this connector is.
    pub connector: ConnectorId,
    /// The issuer it enrolled with.
    pub issuer: String,
    /// The running process.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// How far this machine's clock is ahead of the gateway's, if an answer came.
    pub clock_ahead_ms: Option<i64>,
    /// Each link.
    pub links: Vec<LinkStatus>,
    /// Sessions now.
    pub sessions_live: u64,
    /// Those of them that can outlive their links.
    #[serde(default)]
    pub streams: StreamsStatus,
    /// Sessions since the start.
    pub sessions_total: u64,
    /// Lanes refused since the start.
    pub refused_total: u64,
    /// The last refusal.
    pub last_refusal: Option<Failure>,
    /// The allow-list in force.
    pub allow: Vec<String>,
}

impl Status {
    /// Whether at least one link is up.
    pub fn is_up(&self) -> bool {
        self.links.iter().any(|link| link.state == LinkState::Up)
    }

    /// A warning if this machine's clock is notably off.
    pub fn clock_warning(&self) -> Option<String> {
        let ahead = self.clock_ahead_ms?;
        let by = Duration::from_millis(ahead.unsigned_abs());
        (by >= NOTABLE_OFFSET).then(|| {
            let direction = if ahead > 0 { "ahead of" } else { "behind" };
            format!("this machine's clock is {} {direction} the gateway's", human(by))
        })
    }

    /// The text for a person. What held at one moment of a process that is gone is not told as if it held.
    pub fn describe(&self, running: bool, now: Timestamp) -> String {
        let mut text = String::new();
        let run = if running {
            format!("running, pid {}, for {}", self.pid, human(now.since(self.started_at)))
        } else {
            "not running; this is what it last said".to_owned()
        };
        let _ = writeln!(text, "connector  {}\nissuer     {}\nprocess    {run}", self.connector, self.issuer);
        let live = if running { format!("{} now, ", self.sessions_live) } else { String::new() };
        let (total, refused) = (self.sessions_total, self.refused_total);
        let _ = writeln!(text, "sessions   {live}{total} since the start, {refused} refused");
        let StreamsStatus { held, detached, detached_since } = self.streams;
        if running && held > 0 {
            let longest = detached_since.map(|since| format!(", the first for {}", human(now.since(since))));
            let longest = longest.unwrap_or_default();
            let _ = writeln!(text, "resumable  {held} now, {detached} waiting for their client{longest}");
        }
        for link in &self.links {
            link.describe(&mut text, running, now);
        }
        if let Some(refusal) = &self.last_refusal {
            let _ = writeln!(text, "refused    {} ago: {}", human(now.since(refusal.at)), refusal.reason);
        }
        let allow = if self.allow.is_empty() { "nothing".to_owned() } else { self.allow.join(", ") };
        let _ = writeln!(text, "allows     {allow}");
        if let Some(warning) = self.clock_warning() {
            let _ = writeln!(text, "warning    {warning}");
        }
        text
    }
}

impl LinkStatus {
    fn describe(&self, text: &mut String, running: bool, now: Timestamp) {
        let state = match self.state {
            LinkState::Connecting => "connecting",
            LinkState::Up => "up",
            LinkState::Draining => "draining",
            LinkState::Stopped => "stopped",
        };
        let (gateway, slot, lasts) = (&self.gateway, self.slot, human(now.since(self.since)));
        let how = if running { format!("{state} for {lasts}") } else { format!("was {state}") };
        let _ = writeln!(text, "link       {gateway} slot {slot}: {how}");
        if let Some(failure) = &self.last_failure {
            let _ = writeln!(text, "           {} ago: {}", human(now.since(failure.at)), failure.reason);
        }
    }
}

fn human(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min {} s", secs / 60, secs % 60),
        3_600..86_400 => format!("{} h {} min", secs / 3_600, secs % 3_600 / 60),
        _ => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            connector: ConnectorId::mint(Timestamp::EPOCH, [1; 10]),
            issuer: "https://gw.example".into(),
            pid: 7,
            started_at: Timestamp::EPOCH,
            clock_ahead_ms: None,
            links: vec![LinkStatus {
                gateway: "https://gw.example".into(),
                slot: 0,
                state: LinkState::Connecting,
                since: Timestamp::EPOCH,
                last_failure: None,
            }],
            sessions_live: 0,
            streams: StreamsStatus::default(),
            sessions_total: 0,
            refused_total: 0,
            last_refusal: None,
            allow: vec![],
        }
    }

    #[test]
    fn the_reason_of_the_last_failure_outlives_the_recovery() {
        let board = Board::new(status());
        board.link(0, LinkState::Connecting, Some("connection refused".into()));
        board.link(0, LinkState::Up, None);
        let shown = board.read();
        assert!(shown.is_up());
        assert!(shown.describe(true, machine_now()).contains("connection refused"));
    }

    #[test]
    fn what_a_process_that_is_gone_last_said_is_not_told_as_if_it_held() {
        let mut last = Status { sessions_live: 3, sessions_total: 9, ..status() };
        last.streams.held = 2;
        for link in &mut last.links {
            link.state = LinkState::Up;
        }
        let gone = last.describe(false, machine_now());
        assert!(gone.contains("sessions   9 since the start") && gone.contains(": was up\n"), "{gone}");
        assert!(!gone.contains(" now") && !gone.contains("up for") && !gone.contains("resumable"), "{gone}");
        let here = last.describe(true, machine_now());
        assert!(here.contains("3 now, 9 since the start") && here.contains("up for"), "{here}");
    }

    #[test]
    fn sessions_that_wait_for_their_client_are_told_with_the_oldest() {
        let since = Some(Timestamp::from_secs(100));
        let waiting =
            Status { streams: StreamsStatus { held: 5, detached: 2, detached_since: since }, ..status() };
        let text = waiting.describe(true, Timestamp::from_secs(141));
        assert!(text.contains("5 now, 2 waiting for their client, the first for 41 s"), "{text}");
        assert!(!status().describe(true, machine_now()).contains("resumable"));
    }

    #[test]
    fn f26_a_clock_that_is_off_is_told_with_the_offset() {
        let off = Status { clock_ahead_ms: Some(-7_200_000), ..status() };
        let warning = off.clock_warning().unwrap_or_default();
        assert_eq!(warning, "this machine's clock is 2 h 0 min behind the gateway's");
        assert_eq!(Status { clock_ahead_ms: Some(900), ..status() }.clock_warning(), None);
    }
}
