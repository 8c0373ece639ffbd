//! The names behind ids: what is shown to people.

use postern_ids::Name;
use std::collections::{BTreeSet, HashMap};

/// The names behind ids; what no longer exists shows as its id would.
pub(super) struct Names(HashMap<String, Name>);

impl Names {
    /// From names by id.
    pub(super) fn new(names: HashMap<String, Name>) -> Self {
        Self(names)
    }

    pub(super) fn one(&self, id: &impl ToString) -> Option<Name> {
        let id = id.to_string();
        // An id is itself within the alphabet of names, so that a dangling reference can be seen and not only missed.
        self.0.get(&id).cloned().or_else(|| id.parse().ok())
    }

    /// The names of these, sorted: the order in which ids were stored says nothing.
    pub(super) fn all<'a, I: ToString + 'a>(&self, ids: impl IntoIterator<Item = &'a I>) -> Vec<Name> {
        let names: BTreeSet<Name> = ids.into_iter().filter_map(|id| self.one(id)).collect();
        names.into_iter().collect()
    }
}
