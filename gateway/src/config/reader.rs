//! Reading single settings: what is there is parsed, what is wrong is noted, and the reading goes on.

use super::{Mistake, Origin, Settings};
use std::{fmt::Display, num::NonZeroU32, path::PathBuf, str::FromStr};

/// The settings, and the mistakes that were found in them so far.
pub(super) struct Reader<'a> {
    pub(super) settings: &'a Settings,
    pub(super) mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let entry = self.settings.entry(key)?;
        match entry.items.as_slice() {
            [one] => Some(one.clone()),
            _ => {
                let at = entry.at.clone();
                self.wrong(at, format!("{key} takes one value"), "write one string");
                None
            }
        }
    }

    pub(super) fn at(&self, key: &str) -> Origin {
        self.settings.entry(key).map_or(Origin::Nowhere, |entry| entry.at.clone())
    }

    pub(super) fn wrong(&mut self, at: Origin, what: impl Into<String>, hint: impl Into<String>) {
        self.mistakes.push(Mistake::new(at, what, hint));
    }

    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if text.is_empty() {
            self.wrong(self.at(key), format!("{key} is empty"), "write a path, or remove the setting");
            return None;
        }
        Some(text.into())
    }

    /// Any number of paths: a list, or one; in the environment separated by commas.
    pub(super) fn paths(&mut self, key: &str) -> Vec<PathBuf> {
        let Some(entry) = self.settings.entry(key) else { return Vec::new() };
        let words: Vec<String> = match &entry.at {
            Origin::Environment(_) => entry
                .items
                .iter()
                .flat_map(|item| item.split(','))
                .map(|word| word.trim().to_owned())
                .collect(),
            Origin::File { .. } | Origin::Flag(_) | Origin::Nowhere => entry.items.clone(),
        };
        if words.iter().any(String::is_empty) {
            self.wrong(self.at(key), format!("{key} is empty"), "write a path, or remove the setting");
            return Vec::new();
        }
        words.into_iter().map(PathBuf::from).collect()
    }

    pub(super) fn parsed<T: FromStr>(&mut self, key: &str, default: &str, hint: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text(key).unwrap_or_else(|| default.to_owned());
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(self.at(key), format!("{key} = {text:?}: {error}"), hint);
                None
            }
        }
    }

    pub(super) fn whole_number(&mut self, key: &str, default: &str) -> Option<NonZeroU32> {
        let text = self.text(key).unwrap_or_else(|| default.to_owned());
        let number = text.parse().ok();
        if number.is_none() {
            let what = format!("{key} = {text:?} is no whole number above zero");
            self.wrong(self.at(key), what, format!("write a number such as {default}, which is the default"));
        }
        number
    }
}
