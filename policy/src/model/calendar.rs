//! Time as rules may speak of it: only by name.

use postern_ids::Name;
use serde::{Deserialize, Serialize};

/// A day of the week, spelled `mon` … `sun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A named, weekly span of civil time in one zone. It opens on each of `days` at `from` and closes at the next `to`:
/// on the same day, or on the following one when `to` is not after `from`.
///
/// Where daylight saving skips `from` or `to`, the instant moves forward by the gap; where it repeats one, the first counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// What rules call it.
    pub name: Name,
    /// An IANA zone, such as `Europe/Berlin`.
    pub zone: String,
    /// The days on which it opens.
    pub days: Vec<Weekday>,
    /// When it opens, `HH:MM`.
    pub from: String,
    /// When it closes, `HH:MM`.
    pub to: String,
}

/// A named age; rules ask whether a sign-in or a second factor is younger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// What rules call it.
    pub name: Name,
    /// The age, in seconds.
    pub seconds: u32,
}
