//! Results on standard output: tables for people, JSON for programs.

use crate::failure::{Failure, printable};
use comfy_table::{ContentArrangement, Table, presets};
use postern_api::Time;
use postern_ids::Timestamp;
use serde::Serialize;
use std::io::{self, Write};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Prints text. A reader who has seen enough, as `head` has, is no failure.
pub fn text(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::unavailable(format!("standard output cannot be written: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints a value as JSON.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(|e| Failure::usage(e.to_string()))?;
    text(&format!("{json}\n"))
}

/// Prints a list: JSON as it is, or a table with one row an item. An empty table says so on standard error.
pub fn list<T: Serialize>(
    form: Form,
    items: &[T],
    header: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), Failure> {
    if form == Form::Json {
        return json(&items);
    }
    if items.is_empty() {
        eprintln!("nothing to show");
        return Ok(());
    }
    text(&format!("{}\n", table(header, items.iter().map(row))))
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|title| title.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// `yes` or `no`.
pub fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// A moment for people: to the second.
pub fn moment(Time(at): Time) -> String {
    Time(Timestamp::from_secs(at.as_secs())).to_string()
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut whole = count;
    while whole >= 10_240 && unit + 1 < UNITS.len() {
        whole /= 1_024;
        unit += 1;
    }
    format!("{whole} {}", UNITS.get(unit).unwrap_or(&"B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_control_characters_from_others() {
        let text = table(&["name"], [vec!["\u{1b}[31mred\nnext".to_owned()]].into_iter());
        assert!(text.starts_with("NAME") && !text.contains('\u{1b}'));
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn bytes_are_short() {
        assert_eq!(
            [bytes(0), bytes(10_239), bytes(10_240), bytes(5 << 30)],
            ["0 B", "10239 B", "10 KiB", "5120 MiB"]
        );
    }
}
