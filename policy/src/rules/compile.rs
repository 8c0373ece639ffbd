//! From what the store holds to what is evaluated.

use super::{check::check, index::Index, public::Public, rule::Rule};
use crate::limits::{RULES_MAX, THRESHOLDS_MAX};
use crate::{
    calendar::Calendar,
    error::SnapshotError,
    model::{Grant, PolicyText},
    source::Rules,
};
use postern_ids::{GrantId, PolicyId, ResourceId};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// The compiled part of a snapshot.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) source: Arc<Rules>,
    /// The public paths of applications, which are rules as well.
    pub(crate) public: Arc<[Public]>,
    pub(crate) calendar: Calendar,
    pub(crate) index: Index,
    by_source: HashMap<Arc<str>, Vec<Arc<Rule>>>,
    by_application: HashMap<ResourceId, Vec<Arc<Rule>>>,
}

impl Compiled {
    /// Compiles everything that `earlier` does not have already.
    pub(crate) fn new(
        source: Arc<Rules>,
        public: Arc<[Public]>,
        earlier: Option<&Self>,
    ) -> Result<Self, SnapshotError> {
        within_rules_max(&source, &public)?;
        let calendar = Calendar::new(&source.windows)?;
        let names = Names::new(&source)?;
        let mut by_source = HashMap::new();
        let mut rules = Vec::new();
        let reusable = earlier.map(Reusable::new).unwrap_or_default();
        for policy in &source.policies {
            let id: Arc<str> = policy.id.to_string().into();
            let made = match reusable.policy(policy) {
                Some(made) => made,
                None => vec![Arc::new(compile_policy(policy, &id)?)],
            };
            names.check(&made, "policy")?;
            rules.extend(made.iter().cloned());
            by_source.insert(id, made);
        }
        for grant in &source.grants {
            let id: Arc<str> = grant.id.to_string().into();
            let made = match reusable.grant(grant) {
                Some(made) => made,
                None => compile_grant(grant, &id)?,
            };
            names.check(&made, "grant")?;
            rules.extend(made.iter().cloned());
            by_source.insert(id, made);
        }
        let mut by_application = HashMap::new();
        for application in public.iter() {
            let made = match reusable.public(application) {
                Some(made) => made,
                None => application.compile()?,
            };
            rules.extend(made.iter().cloned());
            by_application.insert(application.resource, made);
        }
        let index = Index::new(rules, &calendar, &source.thresholds)?;
        Ok(Self { source, public, calendar, index, by_source, by_application })
    }
}

/// Counted before anything is compiled: a grant makes one rule for each of its subjects.
fn within_rules_max(source: &Rules, public: &[Public]) -> Result<(), SnapshotError> {
    let subjects: usize = source.grants.iter().map(|grant| grant.subjects.len()).sum();
    let public: usize = public.iter().map(Public::count).sum();
    let count = source.policies.len() + subjects + public;
    if count > RULES_MAX {
        return Err(SnapshotError::TooMany { what: "rules".to_owned(), count, max: RULES_MAX });
    }
    Ok(())
}

fn compile_policy(policy: &PolicyText, id: &Arc<str>) -> Result<Rule, SnapshotError> {
    let checked = check(&policy.text)
        .map_err(|fault| SnapshotError::rule("policy", id.as_ref(), &policy.name, fault))?;
    let mut rule = Rule::new(id.clone(), policy.name.clone(), policy.text.as_str().into(), checked);
    rule.outage = policy.outage;
    Ok(rule)
}

fn compile_grant(grant: &Grant, id: &Arc<str>) -> Result<Vec<Arc<Rule>>, SnapshotError> {
    let one = |text: String| {
        let checked =
            check(&text).map_err(|fault| SnapshotError::rule("grant", id.as_ref(), &grant.name, fault))?;
        let mut rule = Rule::new(id.clone(), grant.name.clone(), text.into(), checked);
        (rule.expires_at, rule.outage) = (grant.expires_at, grant.outage);
        Ok(Arc::new(rule))
    };
    grant.cedar_parts().into_iter().map(one).collect()
}

/// The names of windows and thresholds that exist.
struct Names<'a> {
    windows: BTreeSet<&'a str>,
    thresholds: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn new(source: &'a Rules) -> Result<Self, SnapshotError> {
        let count = source.thresholds.len();
        if count > THRESHOLDS_MAX {
            return Err(SnapshotError::TooMany { what: "thresholds".to_owned(), count, max: THRESHOLDS_MAX });
        }
        Ok(Self {
            windows: source.windows.iter().map(|window| window.name.as_str()).collect(),
            thresholds: source.thresholds.iter().map(|threshold| threshold.name.as_str()).collect(),
        })
    }

    fn check(&self, rules: &[Arc<Rule>], kind: &'static str) -> Result<(), SnapshotError> {
        for rule in rules {
            super::check::names_exist(&rule.uses, &rule.text, &self.windows, &self.thresholds)
                .map_err(|fault| SnapshotError::rule(kind, rule.id.as_ref(), &rule.name, fault))?;
        }
        Ok(())
    }
}

/// What an earlier compilation can lend: rules whose source is word for word the same.
#[derive(Default)]
struct Reusable<'a> {
    policies: HashMap<PolicyId, &'a PolicyText>,
    grants: HashMap<GrantId, &'a Grant>,
    applications: HashMap<ResourceId, &'a Public>,
    made: Option<&'a Compiled>,
}

impl<'a> Reusable<'a> {
    fn new(earlier: &'a Compiled) -> Self {
        Self {
            policies: earlier.source.policies.iter().map(|policy| (policy.id, policy)).collect(),
            grants: earlier.source.grants.iter().map(|grant| (grant.id, grant)).collect(),
            applications: earlier.public.iter().map(|public| (public.resource, public)).collect(),
            made: Some(earlier),
        }
    }

    fn policy(&self, policy: &PolicyText) -> Option<Vec<Arc<Rule>>> {
        (**self.policies.get(&policy.id)? == *policy)
            .then(|| self.made?.by_source.get(policy.id.to_string().as_str()).cloned())?
    }

    fn grant(&self, grant: &Grant) -> Option<Vec<Arc<Rule>>> {
        (**self.grants.get(&grant.id)? == *grant)
            .then(|| self.made?.by_source.get(grant.id.to_string().as_str()).cloned())?
    }

    fn public(&self, public: &Public) -> Option<Vec<Arc<Rule>>> {
        (**self.applications.get(&public.resource)? == *public)
            .then(|| self.made?.by_application.get(&public.resource).cloned())?
    }
}
