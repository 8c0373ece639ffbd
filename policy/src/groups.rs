//! The group tree, flattened: for each group, everything its members inherit from.

use crate::{
    error::SnapshotError,
    limits::ANCESTORS_MAX,
    model::{Group, OWNERS},
};
use postern_ids::{GroupId, Name};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Every group with its ancestors.
#[derive(Debug)]
pub(crate) struct GroupTree {
    source: Vec<Arc<Group>>,
    groups: HashMap<GroupId, Arc<Group>>,
    /// Each group's ancestors, itself included.
    ancestors: HashMap<GroupId, Vec<GroupId>>,
}

impl GroupTree {
    pub(crate) fn new(source: &[Arc<Group>]) -> Result<Self, SnapshotError> {
        let mut groups = HashMap::with_capacity(source.len());
        for group in source {
            if groups.insert(group.id, group.clone()).is_some() {
                return Err(SnapshotError::Duplicate { kind: "groups", name: group.id.to_string() });
            }
        }
        let mut tree = Self { source: source.to_vec(), groups, ancestors: HashMap::new() };
        let ids: Vec<GroupId> = tree.groups.keys().copied().collect();
        for id in ids {
            let above = tree.climb(id)?;
            tree.ancestors.insert(id, above);
        }
        tree.ancestors.entry(OWNERS).or_insert_with(|| vec![OWNERS]);
        Ok(tree)
    }

    /// Whether these are the same groups, so that the tree can be kept.
    pub(crate) fn is_of(&self, source: &[Arc<Group>]) -> bool {
        self.source == source
    }

    pub(crate) fn group(&self, id: GroupId) -> Option<&Arc<Group>> {
        self.groups.get(&id)
    }

    pub(crate) fn name(&self, id: GroupId) -> Option<&Name> {
        self.groups.get(&id).map(|group| &group.name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.source.iter()
    }

    /// The direct groups and all that they inherit from. A membership in a group that is not in the tree counts for
    /// nothing: the group was deleted.
    pub(crate) fn with_inherited(&self, direct: &[GroupId]) -> BTreeSet<GroupId> {
        direct.iter().filter_map(|id| self.ancestors.get(id)).flatten().copied().collect()
    }

    /// Everything above a group; a cycle ends where it began.
    fn climb(&self, id: GroupId) -> Result<Vec<GroupId>, SnapshotError> {
        let mut seen = vec![id];
        let mut next = 0;
        while let Some(group) = seen.get(next).and_then(|id| self.groups.get(id)) {
            for parent in &group.parents {
                let known = self.groups.contains_key(parent) || *parent == OWNERS;
                if known && !seen.contains(parent) {
                    seen.push(*parent);
                }
            }
            next += 1;
            if seen.len() > ANCESTORS_MAX {
                let what = format!("groups above {}", self.name(id).map_or("a group", Name::as_str));
                return Err(SnapshotError::TooMany { what, count: seen.len(), max: ANCESTORS_MAX });
            }
        }
        Ok(seen)
    }
}
