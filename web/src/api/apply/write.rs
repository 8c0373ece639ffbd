//! Writing a plan: one transaction, at exactly the revision that was planned on.

use super::{
    super::world::{Table, World},
    plan::Planned,
};
use crate::{WebState, caller::Caller, problem::Failure};
use postern_api::{Change as Planning, ChangeKind, ObjectKind, Plan};
use postern_ids::Name;
use postern_policy::{admin::AdminPermit, model::PrincipalId};
use postern_store::{Change, ChangeError, Expect, Object, ServiceAccount, User};

/// Makes the planned changes. Nothing when another change came between the plan and this transaction.
pub(super) async fn write(
    state: &WebState,
    _may: &AdminPermit,
    caller: &Caller,
    planned: Planned,
) -> Result<Option<Plan>, Failure> {
    let mut plan = planned.shown(true);
    if planned.changes.is_empty() {
        return Ok(Some(plan));
    }
    let mut change = state.store().change(caller.actor(), state.now()).await?;
    if change.revision() != planned.before.revision.saturating_add(1) {
        change.rollback().await?;
        return Ok(None);
    }
    for planning in &planned.changes {
        one(&mut change, &planned, planning).await?;
    }
    plan.revision = change.commit().await?;
    Ok(Some(plan))
}

async fn one(change: &mut Change, planned: &Planned, planning: &Planning) -> Result<(), ChangeError> {
    let (before, after, name) = (&planned.before, &planned.after, &planning.name);
    match planning.object {
        ObjectKind::Site => object(change, &before.sites, &after.sites, name).await,
        ObjectKind::Window => object(change, &before.windows, &after.windows, name).await,
        ObjectKind::Threshold => object(change, &before.thresholds, &after.thresholds, name).await,
        ObjectKind::Group => object(change, &before.groups, &after.groups, name).await,
        ObjectKind::Resource => object(change, &before.resources, &after.resources, name).await,
        ObjectKind::Grant => object(change, &before.grants, &after.grants, name).await,
        ObjectKind::Policy => object(change, &before.policies, &after.policies, name).await,
        ObjectKind::ServiceAccount => account(change, planned, planning).await,
        ObjectKind::Provider => provider(change, planned, planning).await,
        ObjectKind::User => user(change, planned, planning).await,
    }
}

/// Creates, replaces or deletes, at the version that was read.
async fn object<T: Object>(
    change: &mut Change,
    before: &Table<T>,
    after: &Table<T>,
    name: &Name,
) -> Result<(), ChangeError> {
    let expect = before.get(name).map_or(Expect::New, |stored| Expect::At(stored.version));
    match (before.get(name), after.get(name)) {
        (_, Some(new)) => change.put(&new.value, expect).await.map(drop),
        (Some(old), None) => change.delete::<T>(&old.value.id(), expect).await,
        (None, None) => Ok(()),
    }
}

async fn account(change: &mut Change, planned: &Planned, planning: &Planning) -> Result<(), ChangeError> {
    let name = &planning.name;
    object(change, &planned.before.accounts, &planned.after.accounts, name).await?;
    let Some(account) = planned.after.accounts.get(name) else { return Ok(()) };
    let ServiceAccount { id, .. } = account.value;
    memberships(change, &planned.before, &planned.after, PrincipalId::ServiceAccount(id)).await
}

/// A person's rights are suspended and given back by their own verbs, which also end what lives.
async fn user(change: &mut Change, planned: &Planned, planning: &Planning) -> Result<(), ChangeError> {
    let name = &planning.name;
    let (before, after) = (&planned.before.users, &planned.after.users);
    let Some(new) = after.get(name) else { return object(change, before, after, name).await };
    let was_disabled = before.get(name).is_some_and(|stored| stored.value.disabled);
    let expect = before.get(name).map_or(Expect::New, |stored| Expect::At(stored.version));
    let id = new.value.id;
    change.put(&User { disabled: was_disabled, ..new.value.clone() }, expect).await?;
    memberships(change, &planned.before, &planned.after, PrincipalId::User(id)).await?;
    if let Some(hash) = planned.secrets.passwords.get(name) {
        change.set_password_hash(id, Some(hash)).await?;
    }
    match (was_disabled, new.value.disabled) {
        (false, true) => change.disable_user(id).await,
        (true, false) => change.enable_user(id).await,
        (true, true) | (false, false) => Ok(()),
    }
}

async fn provider(change: &mut Change, planned: &Planned, planning: &Planning) -> Result<(), ChangeError> {
    let name = &planning.name;
    object(change, &planned.before.providers, &planned.after.providers, name).await?;
    match planned.secrets.provider_secrets.get(name) {
        Some(secret) if planning.change != ChangeKind::Delete => {
            change.set_provider_secret(name, Some(secret)).await
        }
        Some(_) | None => Ok(()),
    }
}

async fn memberships(
    change: &mut Change,
    before: &World,
    after: &World,
    principal: PrincipalId,
) -> Result<(), ChangeError> {
    let groups = after.groups_of(principal);
    if before.groups_of(principal) == groups {
        return Ok(());
    }
    let groups: Vec<_> = groups.into_iter().collect();
    change.set_groups_of(principal, &groups).await
}
