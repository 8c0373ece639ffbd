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
use std::collections::{BTreeSet, HashMap};

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
        Ok(Self { name: window.name.clone(), zone, days, from: time(&window.from)?, to: time(&window.to)? })
    }

    fn moment(&self, now: Timestamp) -> Option<Moment> {
        let at = jiff::Timestamp::from_microsecond(now.as_micros()).ok()?;
        let today = at.to_zoned(self.zone.clone()).date();
        let mut moment = Moment { open: false, until: None };
        // From two days back, because a window may last over midnight, to eight days on, because it may open once a week.
        for offset in -2i64..=8 {
            let Some(day) = today.checked_add(offset.days()).ok() else { continue };
            let Some((start, end)) = self.span(day) else { continue };
            moment.open |= start <= at && at < end;
            for edge in [start, end] {
                let edge = Timestamp::from_micros(edge.as_microsecond());
                if edge > now && moment.until.is_none_or(|until| edge < until) {
                    moment.until = Some(edge);
                }
            }
        }
        Some(moment)
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
