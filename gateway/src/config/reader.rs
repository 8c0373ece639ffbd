//! Reading single settings: what is there is parsed, what is wrong is noted, and the reading goes on.

use super::{Mistake, Origin, Settings};
use std::{fmt::Display, path::PathBuf, str::FromStr};

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
}
