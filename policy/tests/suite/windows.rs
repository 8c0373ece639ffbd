//! Named windows, through daylight saving and over midnight.

use crate::world::*;
use postern_ids::Timestamp;
use postern_policy::{
    DenyReason, Request, Staleness, decide,
    model::{Credential, SignIn, Weekday},
};
use proptest::prelude::*;
use std::sync::Arc;

const IN_WINDOW: &str =
    "permit (principal is User, action, resource) when { context.windows.contains(\"w\") };";

fn at(text: &str) -> Timestamp {
    Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// Whether the window is open at an instant, and when that next changes.
fn look(
    zone: &str,
    from: &str,
    to: &str,
    days: Option<&[Weekday]>,
    now: Timestamp,
) -> (bool, Option<Timestamp>) {
    let mut world = world().policy(IN_WINDOW);
    let mut window = window("w", zone, from, to);
    window.days = days.map_or(window.days, <[Weekday]>::to_vec);
    world.rules.windows.push(window);
    let sign_in = SignIn { at: now, expires_at: Timestamp::MAX, ..signed_in() };
    let request =
        Request { credential: Credential::SignIn(Arc::new(sign_in)), started_at: now, ..asks(&ann()) };
    match decide(&request, &world.build(), Staleness::FRESH, now) {
        Ok(permit) => (true, Some(permit.recheck_at())),
        Err(deny) => {
            assert_eq!(deny.reason(), DenyReason::NoRule);
            (false, None)
        }
    }
}

fn berlin(from: &str, to: &str, now: &str) -> (bool, Option<Timestamp>) {
    look("Europe/Berlin", from, to, None, at(now))
}

#[test]
fn a_window_follows_its_zone_in_winter_and_in_summer() {
    assert_eq!(berlin("09:00", "17:00", "2026-01-14T08:00:00Z"), (true, Some(at("2026-01-14T16:00:00Z"))));
    assert!(!berlin("09:00", "17:00", "2026-01-14T07:59:59.999999Z").0);
    assert_eq!(berlin("09:00", "17:00", "2026-07-15T07:00:00Z"), (true, Some(at("2026-07-15T15:00:00Z"))));
    assert!(!berlin("09:00", "17:00", "2026-07-15T15:00:00Z").0);
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_it_opens() {
    let fri = Some([Weekday::Fri].as_slice());
    // Friday 13 March 2026, 22:00 to Saturday 06:00, Berlin is UTC+1.
    assert!(!look("Europe/Berlin", "22:00", "06:00", fri, at("2026-03-13T20:59:59Z")).0);
    let open = (true, Some(at("2026-03-14T05:00:00Z")));
    assert_eq!(look("Europe/Berlin", "22:00", "06:00", fri, at("2026-03-13T21:00:00Z")), open);
    assert_eq!(look("Europe/Berlin", "22:00", "06:00", fri, at("2026-03-14T04:59:59Z")), open);
    assert!(!look("Europe/Berlin", "22:00", "06:00", fri, at("2026-03-14T05:00:00Z")).0);
    assert!(!look("Europe/Berlin", "22:00", "06:00", fri, at("2026-03-14T21:00:00Z")).0);
}

#[test]
fn an_hour_that_daylight_saving_skips_moves_the_edge_forward() {
    // 29 March 2026: Berlin goes from 02:00 to 03:00 at 01:00 UTC.
    assert!(!berlin("02:30", "06:00", "2026-03-29T01:29:59Z").0);
    assert_eq!(berlin("02:30", "06:00", "2026-03-29T01:30:00Z"), (true, Some(at("2026-03-29T04:00:00Z"))));
    // Open before and closing inside the gap.
    assert_eq!(berlin("00:30", "02:30", "2026-03-28T23:30:00Z"), (true, Some(at("2026-03-29T01:30:00Z"))));
}

#[test]
fn an_hour_that_daylight_saving_repeats_counts_the_first_time() {
    // 25 October 2026: Berlin goes from 03:00 back to 02:00 at 01:00 UTC.
    assert_eq!(berlin("01:00", "02:30", "2026-10-25T00:29:59Z"), (true, Some(at("2026-10-25T00:30:00Z"))));
    assert!(!berlin("01:00", "02:30", "2026-10-25T01:15:00Z").0);
    assert_eq!(berlin("02:30", "04:00", "2026-10-25T00:30:00Z"), (true, Some(at("2026-10-25T03:00:00Z"))));
}

#[test]
fn equal_edges_are_a_whole_day() {
    for now in ["2026-03-11T00:00:00Z", "2026-03-11T12:00:00Z", "2026-03-11T23:59:59Z"] {
        assert!(look("UTC", "00:00", "00:00", None, at(now)).0, "{now}");
    }
}

#[test]
fn a_window_that_makes_no_sense_refuses_the_snapshot_by_name() {
    for (zone, from, to, days) in [
        ("Mars/Olympus", "09:00", "17:00", 7),
        ("UTC", "9:00", "17:00", 7),
        ("UTC", "09:00", "24:00", 7),
        ("UTC", "09:60", "17:00", 7),
        ("UTC", "-1:00", "17:00", 7),
        ("UTC", "09:00", "17:00", 0),
    ] {
        let mut world = world();
        let mut window = window("lunch", zone, from, to);
        window.days.truncate(days);
        world.rules.windows.push(window);
        assert!(world.try_build().unwrap_err().to_string().contains("lunch"), "{zone} {from} {to} {days}");
    }
}

#[test]
fn two_windows_of_one_name_refuse_the_snapshot() {
    let mut world = world();
    world.rules.windows.push(window("night", "UTC", "01:00", "02:00"));
    assert!(world.try_build().unwrap_err().to_string().contains("two windows are called night"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(sized(96, 10_000)))]

    /// Nothing changes before the stated boundary, whatever the zone and the season.
    #[test]
    fn until_the_boundary_the_answer_stands(
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "America/Sao_Paulo"]),
        from in 0u32..1440, to in 0u32..1440, day in 0i64..730, second in 0i64..86_400, part in 0.0f64..1.0,
    ) {
        let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let now = Timestamp::from_secs(1_767_225_600 + day * 86_400 + second);
        let (open, until) = look(zone, &clock(from), &clock(to), None, now);
        if open {
            let until = until.unwrap();
            prop_assert!(until > now);
            let length = until.as_micros() - now.as_micros();
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any point in between will do")]
            let between = Timestamp::from_micros(now.as_micros() + (length as f64 * part) as i64);
            prop_assert!(look(zone, &clock(from), &clock(to), None, between).0);
        }
    }
}
