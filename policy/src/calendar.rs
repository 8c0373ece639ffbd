//! Named windows: which are open at an instant, and when the next one opens or closes.

use crate::{
    error::SnapshotError,
    limits::WINDOWS_MAX,
    model::{Weekday, Window},
};
use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::{TimeZone, TimeZoneDatabase},
};
use postern_ids::{Name, Timestamp};
use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    sync::{Mutex, PoisonError},
};

/// The compiled windows of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    windows: Vec<Compiled>,
    places: HashMap<String, usize>,
}

#[derive(Debug)]
struct Compiled {
    name: Name,
    zone: TimeZone,
    days: BTreeSet<Weekday>,
    from: Time,
    to: Time,
    /// The span between two edges that the last question fell into, and its answer: the arithmetic of zones takes longer
    /// than the rest of a decision.
    last: Mutex<Option<(Range<Timestamp>, Moment)>>,
}

/// A window as seen from one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) open: bool,
    /// When it next opens or closes, if it ever does.
    pub(crate) until: Option<Timestamp>,
}

/// The instant as text, for annotations and records.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros()).map_or_else(|_| "never".to_owned(), |at| at.to_string())
}

impl Calendar {
    pub(crate) fn new(windows: &[Window]) -> Result<Self, SnapshotError> {
        let count = windows.len();
        if count > WINDOWS_MAX {
            return Err(SnapshotError::TooMany { what: "windows".to_owned(), count, max: WINDOWS_MAX });
        }
        // The bundled database: the same zones on every node, whatever its operating system brings.
        let zones = TimeZoneDatabase::bundled();
        let mut calendar = Self::default();
        for window in windows {
            let compiled = Compiled::new(window, &zones)
                .map_err(|message| SnapshotError::Window { name: window.name.to_string(), message })?;
            if calendar.places.insert(window.name.to_string(), calendar.windows.len()).is_some() {
                return Err(SnapshotError::Duplicate { kind: "windows", name: window.name.to_string() });
            }
            calendar.windows.push(compiled);
        }
        Ok(calendar)
    }

    /// Where the window with this name stands.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// The name of the window at this place.
    pub(crate) fn name(&self, place: usize) -> Option<&Name> {
        self.windows.get(place).map(|window| &window.name)
    }

    /// How the window at this place looks at this instant; none when the instant is outside the calendar.
    pub(crate) fn moment(&self, place: usize, now: Timestamp) -> Option<Moment> {
        self.windows.get(place)?.moment(now)
    }

    /// The names of all windows that are open at this instant.
    pub(crate) fn open(&self, now: Timestamp) -> Vec<Name> {
        let open = self.windows.iter().filter(|window| window.moment(now).is_some_and(|moment| moment.open));
        open.map(|window| window.name.clone()).collect()
    }
}

impl Compiled {
    fn new(window: &Window, zones: &TimeZoneDatabase) -> Result<Self, String> {
        let zone = zones.get(&window.zone).map_err(|_| format!("there is no time zone {:?}", window.zone))?;
        let days: BTreeSet<Weekday> = window.days.iter().copied().collect();
        if days.is_empty() {
            return Err("it has no days".to_owned());
        }
        let (from, to) = (time(&window.from)?, time(&window.to)?);
        Ok(Self { name: window.name.clone(), zone, days, from, to, last: Mutex::default() })
    }

    fn moment(&self, now: Timestamp) -> Option<Moment> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((span, moment)) = &*last
            && span.contains(&now)
        {
            return Some(*moment);
        }
        let (since, moment) = self.reckon(now)?;
        *last = since.zip(moment.until).map(|(since, until)| (since..until, moment));
        Some(moment)
    }

    /// The edge before an instant, and how the window looks from there to the next.
    fn reckon(&self, now: Timestamp) -> Option<(Option<Timestamp>, Moment)> {
        let at = jiff::Timestamp::from_microsecond(now.as_micros()).ok()?;
        let today = at.to_zoned(self.zone.clone()).date();
        let (mut since, mut moment) = (None, Moment { open: false, until: None });
        // From two days back, because a window may last over midnight, to eight days on, because it may open once a week.
        for offset in -2i64..=8 {
            let Some(day) = today.checked_add(offset.days()).ok() else { continue };
            let Some((start, end)) = self.span(day) else { continue };
            moment.open |= start <= at && at < end;
            for edge in [start, end] {
                let edge = Timestamp::from_micros(edge.as_microsecond());
                if edge > now {
                    moment.until = Some(moment.until.map_or(edge, |until| until.min(edge)));
                } else {
                    since = since.max(Some(edge));
                }
            }
        }
        Some((since, moment))
    }

    /// The span that opens on this day, if one does.
    fn span(&self, day: Date) -> Option<(jiff::Timestamp, jiff::Timestamp)> {
        if !self.days.contains(&weekday(day)) {
            return None;
        }
        let closes = if self.to > self.from { day } else { day.checked_add(1.days()).ok()? };
        let instant =
            |day: Date, time: Time| self.zone.to_ambiguous_zoned(day.to_datetime(time)).compatible().ok();
        Some((instant(day, self.from)?.timestamp(), instant(closes, self.to)?.timestamp()))
    }
}

fn time(text: &str) -> Result<Time, String> {
    let wrong = || format!("{text:?} is not a time of day such as 09:00");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return Err(wrong());
    }
    let number = |part: &str| part.parse::<i8>().map_err(|_| wrong());
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| wrong())
}

fn weekday(day: Date) -> Weekday {
    match day.weekday() {
        jiff::civil::Weekday::Monday => Weekday::Mon,
        jiff::civil::Weekday::Tuesday => Weekday::Tue,
        jiff::civil::Weekday::Wednesday => Weekday::Wed,
        jiff::civil::Weekday::Thursday => Weekday::Thu,
        jiff::civil::Weekday::Friday => Weekday::Fri,
        jiff::civil::Weekday::Saturday => Weekday::Sat,
        jiff::civil::Weekday::Sunday => Weekday::Sun,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_remembered_span_answers_as_reckoning_does() {
        let window = |zone: &str, days: &[Weekday], from: &str, to: &str| Window {
            name: "w".parse().unwrap(),
            zone: zone.to_owned(),
            days: days.to_vec(),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let zones = TimeZoneDatabase::bundled();
        // The last Sunday of March 2026, with its hour that does not exist in Berlin.
        let around = Timestamp::from_secs(1_774_742_400);
        for window in [
            window("Europe/Berlin", &[Weekday::Sat, Weekday::Sun], "22:00", "02:30"),
            window("Europe/Berlin", &[Weekday::Sun], "02:15", "02:45"),
            window("UTC", &[Weekday::Mon], "00:00", "00:00"),
        ] {
            let compiled = Compiled::new(&window, &zones).unwrap();
            // To and fro by steps that are no divisors of a day.
            for n in 0..4_000u32 {
                let step = Duration::from_secs(u64::from(n.wrapping_mul(7_919) % 1_209_600));
                let at = around.minus(Duration::from_secs(604_800)).plus(step);
                let reckoned = compiled.reckon(at).map(|(_, moment)| moment);
                assert_eq!(compiled.moment(at), reckoned, "{window:?} at {at:?}");
            }
        }
    }
}
