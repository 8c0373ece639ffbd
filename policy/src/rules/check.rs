//! Whether one policy text may stand in the store.

use super::{
    schema::{ACCESS, TYPES},
    walk::{self, Uses},
};
use crate::{
    fault::RuleFault,
    limits::{NESTING_MAX, OPERATORS_MAX, TEXT_BYTES_MAX},
};
use cedar_policy::{
    Effect, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint, ValidationMode, Validator,
};
use postern_ids::{GroupId, ResourceId, ServiceAccountId, SiteId, UserId};
use std::{collections::BTreeSet, sync::LazyLock};

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| Validator::new(ACCESS.clone()));

/// A policy that may be evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) policy: Policy,
    pub(crate) uses: Uses,
}

/// Says what is wrong with a policy text, if anything is. The names of windows and thresholds are those that exist.
pub fn check_policy(
    text: &str,
    windows: &BTreeSet<&str>,
    thresholds: &BTreeSet<&str>,
) -> Result<(), RuleFault> {
    let checked = check(text)?;
    names_exist(&checked.uses, text, windows, thresholds)
}

/// Parses and validates one policy on its own.
pub(crate) fn check(text: &str) -> Result<Checked, RuleFault> {
    within_limits(text)?;
    let policy =
        Policy::parse(Some(PolicyId::new("rule")), text).map_err(|e| RuleFault::of_parse(&e, text))?;
    let json = policy.to_json().map_err(|e| RuleFault::whole(e.to_string()))?;
    let uses = walk::uses(&json, text)?;
    for literal in policy.entity_literals() {
        known_entity(&literal, text)?;
    }
    validate(&policy, text)?;
    spares_anonymous(&policy)?;
    Ok(Checked { policy, uses })
}

/// Every window and threshold that is named must exist: a misspelled one would never be open.
pub(crate) fn names_exist(
    uses: &Uses,
    text: &str,
    windows: &BTreeSet<&str>,
    thresholds: &BTreeSet<&str>,
) -> Result<(), RuleFault> {
    let missing = |names: &BTreeSet<String>, known: &BTreeSet<&str>, kind: &str| match names
        .iter()
        .find(|name| !known.contains(name.as_str()))
    {
        Some(name) => Err(RuleFault::at_word(format!("there is no {kind} `{name}`"), text, name)),
        None => Ok(()),
    };
    missing(&uses.windows, windows, "window")?;
    missing(&uses.sign_in, thresholds, "threshold")?;
    missing(&uses.mfa, thresholds, "threshold")
}

fn validate(policy: &Policy, text: &str) -> Result<(), RuleFault> {
    let set = PolicySet::from_policies([policy.clone()]).map_err(|e| RuleFault::whole(e.to_string()))?;
    let result = VALIDATOR.validate(&set, ValidationMode::Strict);
    match result.validation_errors().next() {
        Some(error) => Err(RuleFault::of_validation(error, text)),
        None => Ok(()),
    }
}

/// An entity is named by its id, which nothing else ever gets; and administration is not for stored rules.
fn known_entity(entity: &EntityUid, text: &str) -> Result<(), RuleFault> {
    let (kind, id) = (entity.type_name(), entity.id().unescaped());
    let is_id = if *kind == TYPES.user {
        id.parse::<UserId>().is_ok()
    } else if *kind == TYPES.group {
        id.parse::<GroupId>().is_ok()
    } else if *kind == TYPES.service_account {
        id.parse::<ServiceAccountId>().is_ok()
    } else if *kind == TYPES.resource {
        id.parse::<ResourceId>().is_ok()
    } else if *kind == TYPES.site {
        id.parse::<SiteId>().is_ok()
    } else if *kind == TYPES.action {
        if id != "connect" && id != "http" {
            let message = "the rights of administrators come from the group `owners`, not from rules";
            return Err(RuleFault::at_word(message, text, id));
        }
        true
    } else {
        true
    };
    if is_id {
        return Ok(());
    }
    let message = format!("{kind}::\"{}\" is not an id: rules name things by id", entity.id().escaped());
    Err(RuleFault::at_word(message, text, id))
}

/// A permit reaches people who are not signed in only if it says so.
fn spares_anonymous(policy: &Policy) -> Result<(), RuleFault> {
    if policy.effect() == Effect::Forbid {
        return Ok(());
    }
    let open = match policy.principal_constraint() {
        PrincipalConstraint::Any => {
            policy.get_valid_request_envs(&ACCESS).any(|env| *env.principal() == TYPES.anonymous)
        }
        PrincipalConstraint::In(_)
        | PrincipalConstraint::Eq(_)
        | PrincipalConstraint::Is(_)
        | PrincipalConstraint::IsIn(..) => false,
    };
    if open {
        return Err(RuleFault::whole(
            "this would also admit people who are not signed in: write `principal is User`, or `principal is Anonymous` if that is meant",
        ));
    }
    Ok(())
}

/// Counts brackets and operators before Cedar sees the text: its parser and evaluator recurse.
fn within_limits(text: &str) -> Result<(), RuleFault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(RuleFault::whole(format!(
            "it has {} bytes, at most {TEXT_BYTES_MAX} are supported",
            text.len()
        )));
    }
    let (mut depth, mut operators) = (0usize, 0usize);
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => {
                while let Some((_, inner)) = rest.next() {
                    match inner {
                        '\\' => drop(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if rest.peek().is_some_and(|&(_, next)| next == '/') => {
                while rest.next().is_some_and(|(_, inner)| inner != '\n') {}
            }
            '(' | '[' | '{' => {
                depth += 1;
                operators += 1;
                if depth > NESTING_MAX {
                    let message = format!("brackets nest deeper than {NESTING_MAX}");
                    return Err(RuleFault::at(message, text, at));
                }
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '&' | '|' | '!' | '+' | '-' | '*' | '.' | '=' | '<' | '>' => operators += 1,
            _ => {}
        }
        if operators > OPERATORS_MAX {
            return Err(RuleFault::at(format!("it has more than {OPERATORS_MAX} operators"), text, at));
        }
    }
    Ok(())
}
