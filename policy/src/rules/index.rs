//! Finding the few rules that a request needs. Cedar looks at every policy it is given; here each policy lies in the
//! bucket of the principal that its scope names, there on the shelf of the resource that its scope names, and there in the leaf
//! of a label that it demands of the resource.

use super::{
    rule::Rule,
    schema::{TYPES, access_uid, group_uid},
};
use crate::limits::{RULES_MAX, UNSCOPED_MAX};
use crate::{
    calendar::Calendar,
    error::SnapshotError,
    model::{ActionKind, Resource, Threshold},
};
use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint,
};
use postern_ids::GroupId;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// All rules of a snapshot, by the scopes that they name.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rules: Vec<Arc<Rule>>,
    by_entity: HashMap<EntityUid, Bucket>,
    by_type: HashMap<EntityTypeName, Bucket>,
    any: Bucket,
    /// The groups that some rule names; no other membership can matter.
    pub(crate) groups: HashMap<GroupId, EntityUid>,
    /// The windows that some rule names, as places in the calendar.
    pub(crate) windows: BTreeSet<usize>,
    paths: Paths,
}

/// Where rules ask for the path of HTTP requests, by the resource of their scope.
#[derive(Debug, Default)]
struct Paths {
    everywhere: bool,
    at: HashSet<EntityUid>,
}

/// The rules of one principal scope.
#[derive(Debug, Default)]
struct Bucket {
    any: Shelf,
    by_resource: HashMap<EntityUid, Shelf>,
}

/// The rules of one principal scope and one resource scope.
#[derive(Debug, Default)]
struct Shelf {
    /// Those that demand no label.
    plain: Leaf,
    /// The others under one of the labels that they demand, by its key and its value.
    by_label: HashMap<String, HashMap<String, Leaf>>,
}

/// Rules of one principal scope and one resource scope that can apply to the same resources.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    pub(crate) set: PolicySet,
    pub(crate) len: usize,
    /// Windows that its rules name, as places in the calendar.
    pub(crate) windows: Vec<usize>,
    /// Ages of the sign-in that its rules name.
    pub(crate) sign_in: Vec<Duration>,
    /// Ages of the second factor that its rules name.
    pub(crate) mfa: Vec<Duration>,
    /// What its rules would have a provider say of the sign-in.
    pub(crate) acr: BTreeSet<String>,
}

impl Index {
    pub(crate) fn new(
        rules: Vec<Arc<Rule>>,
        calendar: &Calendar,
        thresholds: &[Threshold],
    ) -> Result<Self, SnapshotError> {
        let mut index = Self::default();
        let demand = Demand::of(&rules);
        for (place, rule) in rules.iter().enumerate() {
            index.note_groups(rule);
            index.paths.note(rule);
            let leaf = index.leaf_of(rule, &demand);
            let policy = rule.policy.new_id(PolicyId::new(place.to_string()));
            leaf.set.add(policy).map_err(|e| SnapshotError::Internal(e.to_string()))?;
            leaf.len += 1;
            leaf.note_uses(rule, calendar, thresholds);
            index.windows.extend(rule.uses.windows.iter().filter_map(|name| calendar.place(name)));
        }
        index.rules = rules;
        debug_assert!(index.rules.len() <= RULES_MAX);
        index.within_limits()?;
        Ok(index)
    }

    fn within_limits(&self) -> Result<(), SnapshotError> {
        let everybody =
            self.any.any.len() + self.by_type.values().map(|bucket| bucket.any.len()).sum::<usize>();
        let everybody = ("everybody".to_owned(), everybody);
        let ones = self.by_entity.iter().map(|(entity, bucket)| (entity.to_string(), bucket.any.len()));
        match std::iter::once(everybody).chain(ones).find(|(_, count)| *count > UNSCOPED_MAX) {
            Some((whom, count)) => {
                let what = format!("rules about {whom} that name no resource in their scope");
                Err(SnapshotError::TooMany { what, count, max: UNSCOPED_MAX })
            }
            None => Ok(()),
        }
    }

    /// The rule that an evaluated policy is.
    pub(crate) fn rule(&self, id: &PolicyId) -> Option<&Arc<Rule>> {
        let text: &str = id.as_ref();
        self.rules.get(text.parse::<usize>().ok()?)
    }

    /// Every rule.
    pub(crate) fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The leaves whose rules can apply to a principal (`entities`: itself and its groups) at a resource (`places`:
    /// itself and its site).
    pub(crate) fn leaves<'a>(
        &'a self,
        entities: impl Iterator<Item = &'a EntityUid>,
        kind: &EntityTypeName,
        resource: &'a Resource,
        places: [&'a EntityUid; 2],
    ) -> impl Iterator<Item = &'a Leaf> {
        let buckets = entities
            .filter_map(|entity| self.by_entity.get(entity))
            .chain(self.by_type.get(kind))
            .chain(std::iter::once(&self.any));
        buckets.flat_map(move |bucket| {
            std::iter::once(&bucket.any)
                .chain(places.into_iter().filter_map(|place| bucket.by_resource.get(place)))
                .flat_map(|shelf| shelf.leaves(resource))
        })
    }

    /// Whether a rule that can apply to HTTP requests at a resource (`places`: itself and its site) asks for their path.
    pub(crate) fn asks_path(&self, places: [&EntityUid; 2]) -> bool {
        self.paths.everywhere || places.into_iter().any(|place| self.paths.at.contains(place))
    }

    fn leaf_of(&mut self, rule: &Rule, demand: &Demand) -> &mut Leaf {
        let bucket = match &rule.scope.principal {
            PrincipalConstraint::Eq(entity)
            | PrincipalConstraint::In(entity)
            | PrincipalConstraint::IsIn(_, entity) => self.by_entity.entry(entity.clone()).or_default(),
            PrincipalConstraint::Is(kind) => self.by_type.entry(kind.clone()).or_default(),
            PrincipalConstraint::Any => &mut self.any,
        };
        let shelf = match &rule.scope.resource {
            ResourceConstraint::Eq(entity)
            | ResourceConstraint::In(entity)
            | ResourceConstraint::IsIn(_, entity) => bucket.by_resource.entry(entity.clone()).or_default(),
            ResourceConstraint::Is(_) | ResourceConstraint::Any => &mut bucket.any,
        };
        match demand.rarest(rule) {
            Some((key, value)) => {
                shelf.by_label.entry(key.clone()).or_default().entry(value.clone()).or_default()
            }
            None => &mut shelf.plain,
        }
    }

    fn note_groups(&mut self, rule: &Rule) {
        let groups =
            rule.policy.entity_literals().into_iter().filter(|entity| *entity.type_name() == TYPES.group);
        let ids = groups.filter_map(|entity| entity.id().unescaped().parse::<GroupId>().ok());
        self.groups.extend(ids.map(|id| (id, group_uid(id))));
    }
}

impl Shelf {
    fn len(&self) -> usize {
        self.plain.len + self.by_label.values().flat_map(HashMap::values).map(|leaf| leaf.len).sum::<usize>()
    }

    /// The leaves whose rules can hold or fail for a resource with these labels.
    fn leaves<'a>(&'a self, resource: &'a Resource) -> impl Iterator<Item = &'a Leaf> {
        let labels = if self.by_label.is_empty() { None } else { Some(&resource.labels) };
        let labelled = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| self.by_label.get(key.as_str())?.get(value.as_str()));
        std::iter::once(&self.plain).chain(labelled).filter(|leaf| leaf.len > 0)
    }
}

/// How many rules demand each label.
struct Demand<'a>(HashMap<&'a (String, String), usize>);

impl<'a> Demand<'a> {
    fn of(rules: &'a [Arc<Rule>]) -> Self {
        let mut counts = HashMap::new();
        for label in rules.iter().flat_map(|rule| &rule.uses.labels) {
            *counts.entry(label).or_default() += 1;
        }
        Self(counts)
    }

    /// Of the labels that a rule demands, the one that the fewest others do.
    fn rarest<'r>(&self, rule: &'r Rule) -> Option<&'r (String, String)> {
        rule.uses.labels.iter().min_by_key(|label| self.0.get(label))
    }
}

impl Paths {
    fn note(&mut self, rule: &Rule) {
        let is_http = |action: &EntityUid| action == access_uid(ActionKind::Http);
        let applies = match &rule.scope.action {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => is_http(action),
            ActionConstraint::In(actions) => actions.iter().any(is_http),
        };
        if !rule.uses.path || !applies {
            return;
        }
        match &rule.scope.resource {
            ResourceConstraint::Eq(entity)
            | ResourceConstraint::In(entity)
            | ResourceConstraint::IsIn(_, entity) => drop(self.at.insert(entity.clone())),
            ResourceConstraint::Is(_) | ResourceConstraint::Any => self.everywhere = true,
        }
    }
}

impl Leaf {
    fn note_uses(&mut self, rule: &Rule, calendar: &Calendar, thresholds: &[Threshold]) {
        let ages = |names: &BTreeSet<String>| -> Vec<Duration> {
            let named = thresholds.iter().filter(|threshold| names.contains(threshold.name.as_str()));
            named.map(|threshold| Duration::from_secs(threshold.seconds.into())).collect()
        };
        self.windows.extend(rule.uses.windows.iter().filter_map(|name| calendar.place(name)));
        self.sign_in.extend(ages(&rule.uses.sign_in));
        self.mfa.extend(ages(&rule.uses.mfa));
        self.acr.extend(rule.uses.acr.iter().cloned());
        for places in [&mut self.sign_in, &mut self.mfa] {
            places.sort_unstable();
            places.dedup();
        }
        self.windows.sort_unstable();
        self.windows.dedup();
    }
}
