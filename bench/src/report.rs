//! One table for people and one JSON document for machines.

use crate::stats::Spread;
use anyhow::Result;
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// What a figure must reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub(crate) enum Bar {
    /// At least this part of the floor.
    AtLeastOfFloor(f64),
    /// At most this multiple of the floor.
    AtMostOfFloor(f64),
    AtLeast(f64),
    AtMost(f64),
    /// Printed beside the others.
    Told,
}

/// All rounds of one figure.
#[derive(Debug, Clone, Default)]
struct Rounds {
    floor: Vec<f64>,
    ours: Vec<f64>,
}

/// Whose round it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Floor,
    Ours,
}

/// A figure's name, unit and bar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
}

/// Everything measured so far, in the order in which the figures came.
#[derive(Debug, Default)]
pub(crate) struct Report {
    order: Vec<Figure>,
    rounds: BTreeMap<&'static str, Rounds>,
}

#[derive(Debug, Serialize)]
struct Row {
    figure: &'static str,
    unit: &'static str,
    floor: Option<Spread>,
    ours: Spread,
    /// Ours over the floor, by medians.
    ratio: Option<f64>,
    bar: Bar,
    /// `None` where there is no bar.
    met: Option<bool>,
    rounds: usize,
}

impl Report {
    /// Takes one measurement.
    pub(crate) fn add(&mut self, figure: Figure, whose: Whose, value: f64) {
        if !self.rounds.contains_key(figure.name) {
            self.order.push(figure);
        }
        let rounds = self.rounds.entry(figure.name).or_default();
        match whose {
            Whose::Floor => rounds.floor.push(value),
            Whose::Ours => rounds.ours.push(value),
        }
    }

    fn rows(&self) -> Vec<Row> {
        self.order.iter().filter_map(|figure| Row::of(figure, self.rounds.get(figure.name)?)).collect()
    }

    /// Whether every bar is met.
    pub(crate) fn is_met(&self) -> bool {
        self.rows().iter().all(|row| row.met != Some(false))
    }

    pub(crate) fn print(&self) {
        println!(
            "{:<52} {:>9} {:>26} {:>26} {:>7}  bar",
            "figure (median, min–max)", "unit", "floor", "ours", "ratio"
        );
        for row in self.rows() {
            let mark = match row.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            println!(
                "{:<52} {:>9} {:>26} {:>26} {:>7}  {} {mark}",
                row.figure,
                row.unit,
                row.floor.map(spread).unwrap_or_default(),
                spread(row.ours),
                row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
                bar(row.bar),
            );
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let machine = serde_json::json!({
            "cpus": std::thread::available_parallelism().map_or(0, usize::from),
            "cpu": cpu_model(),
            "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        });
        let document = serde_json::json!({ "machine": machine, "figures": self.rows() });
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        Ok(std::fs::write(path, serde_json::to_vec_pretty(&document)?)?)
    }
}

impl Row {
    fn of(figure: &Figure, rounds: &Rounds) -> Option<Self> {
        let ours = Spread::of(&rounds.ours)?;
        let floor = Spread::of(&rounds.floor);
        let ratio = floor.map(|floor| ours.median / floor.median);
        let met = match figure.bar {
            Bar::AtLeastOfFloor(part) => ratio.map(|ratio| ratio >= part),
            Bar::AtMostOfFloor(multiple) => ratio.map(|ratio| ratio <= multiple),
            Bar::AtLeast(value) => Some(ours.median >= value),
            Bar::AtMost(value) => Some(ours.median <= value),
            Bar::Told => None,
        };
        let Figure { name, unit, bar } = *figure;
        Some(Self { figure: name, unit, floor, ours, ratio, bar, met, rounds: rounds.ours.len() })
    }
}

fn spread(spread: Spread) -> String {
    let digits = if spread.median.abs() >= 100.0 { 0 } else { 2 };
    let Spread { median, min, max } = spread;
    if min == max {
        format!("{median:.digits$}")
    } else {
        format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
    }
}

fn bar(bar: Bar) -> String {
    match bar {
        Bar::AtLeastOfFloor(part) => format!("≥ {part} × floor"),
        Bar::AtMostOfFloor(multiple) => format!("≤ {multiple} × floor"),
        Bar::AtLeast(value) => format!("≥ {value}"),
        Bar::AtMost(value) => format!("≤ {value}"),
        Bar::Told => "–".to_owned(),
    }
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map(|line| line.trim_start_matches(['\t', ' ', ':']).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_compares_medians_with_the_floor_of_the_same_run() {
        let figure = Figure { name: "x", unit: "", bar: Bar::AtLeastOfFloor(0.85) };
        let mut report = Report::default();
        for (floor, ours) in [(10.0, 9.0), (12.0, 8.0), (11.0, 10.0)] {
            report.add(figure, Whose::Floor, floor);
            report.add(figure, Whose::Ours, ours);
        }
        assert!(!report.is_met());
        report.add(figure, Whose::Ours, 30.0);
        assert!(report.is_met());
    }
}
