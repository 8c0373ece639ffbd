//! What the policy room promises, as tests of its public words.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

mod admin;
mod decisions;
mod differential;
mod entering;
mod explain;
mod generate;
mod grants;
mod hostile;
mod live;
mod outage;
mod paths;
mod proof;
mod snapshots;
mod table;
mod validation;
mod verdicts;
mod windows;
mod world;
