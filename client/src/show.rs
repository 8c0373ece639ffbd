//! Results on standard output: tables for people, JSON for programs.

use crate::failure::{Failure, printable};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Prints a value as JSON.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::usage(e.to_string()))?;
    println!("{text}");
    Ok(())
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
    println!("{}", table(header, items.iter().map(row)));
    Ok(())
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
