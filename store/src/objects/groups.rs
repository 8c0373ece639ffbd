//! Memberships: which principals a group holds directly.

use crate::{
    Change, ChangeError, Kind, Store, StoreError,
    change::Note,
    db::{Tx, execute, fetch_all},
};
use postern_ids::GroupId;
use postern_policy::{admin::OWNERS, model::PrincipalId};
use std::{collections::BTreeSet, str::FromStr};

/// What a member id stands for: its prefix says which kind of principal.
fn member(text: &str) -> Result<PrincipalId, StoreError> {
    let user = text.parse().map(PrincipalId::User).ok();
    user.or_else(|| text.parse().map(PrincipalId::ServiceAccount).ok())
        .ok_or_else(|| StoreError::corrupt("memberships.member_id", text))
}

fn parse<T: FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::corrupt("memberships.group_id", text))
}

pub(crate) async fn groups_of(tx: &mut Tx, principal: PrincipalId) -> Result<Vec<GroupId>, StoreError> {
    let rows: Vec<(String,)> = fetch_all!(
        tx,
        (String,),
        "SELECT group_id FROM memberships WHERE member_id = $1 ORDER BY group_id",
        principal.to_string()
    )?;
    rows.iter().map(|(group,)| parse(group)).collect()
}

async fn members_of(tx: &mut Tx, group: GroupId) -> Result<Vec<PrincipalId>, StoreError> {
    let rows: Vec<(String,)> = fetch_all!(
        tx,
        (String,),
        "SELECT member_id FROM memberships WHERE group_id = $1 ORDER BY member_id",
        group.to_string()
    )?;
    rows.iter().map(|(id,)| member(id)).collect()
}

impl Store {
    /// The groups that hold this principal directly.
    pub async fn groups_of(&self, principal: PrincipalId) -> Result<Vec<GroupId>, StoreError> {
        groups_of(&mut self.inner.pools.read().await?, principal).await
    }

    /// The direct members of a group.
    pub async fn members_of(&self, group: GroupId) -> Result<Vec<PrincipalId>, StoreError> {
        members_of(&mut self.inner.pools.read().await?, group).await
    }

    /// Every direct membership, for plans and exports.
    pub async fn memberships(&self) -> Result<Vec<(GroupId, PrincipalId)>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<(String, String)> = fetch_all!(
            &mut tx,
            (String, String),
            "SELECT group_id, member_id FROM memberships ORDER BY group_id, member_id"
        )?;
        rows.iter().map(|(group, id)| Ok((parse(group)?, member(id)?))).collect()
    }
}

impl Change {
    /// Makes exactly these the groups of a principal.
    pub async fn set_groups_of(
        &mut self,
        principal: PrincipalId,
        groups: &[GroupId],
    ) -> Result<(), ChangeError> {
        let done = self.set_groups_unwatched(principal, groups).await;
        self.watch(done)
    }

    /// Makes exactly these the direct members of a group.
    pub async fn set_members(&mut self, group: GroupId, members: &[PrincipalId]) -> Result<(), ChangeError> {
        let done = self.set_members_unwatched(group, members).await;
        self.watch(done)
    }

    async fn set_groups_unwatched(
        &mut self,
        principal: PrincipalId,
        groups: &[GroupId],
    ) -> Result<(), ChangeError> {
        let before: BTreeSet<_> = groups_of(&mut self.tx, principal).await?.into_iter().collect();
        let after: BTreeSet<_> = groups.iter().copied().collect();
        for &group in before.difference(&after) {
            self.remove_member(group, principal).await?;
        }
        for &group in after.difference(&before) {
            self.add_member(group, principal).await?;
        }
        Ok(())
    }

    async fn set_members_unwatched(
        &mut self,
        group: GroupId,
        members: &[PrincipalId],
    ) -> Result<(), ChangeError> {
        let before: BTreeSet<_> = members_of(&mut self.tx, group).await?.into_iter().collect();
        let after: BTreeSet<_> = members.iter().copied().collect();
        for &principal in before.difference(&after) {
            self.remove_member(group, principal).await?;
        }
        for &principal in after.difference(&before) {
            self.add_member(group, principal).await?;
        }
        Ok(())
    }

    async fn add_member(&mut self, group: GroupId, principal: PrincipalId) -> Result<(), ChangeError> {
        let id = principal.to_string();
        // Two kinds of principals share the column, so the reference is checked here instead of by the database.
        let known = match principal {
            PrincipalId::User(_) => "SELECT id FROM users WHERE id = $1",
            PrincipalId::ServiceAccount(_) => "SELECT id FROM service_accounts WHERE id = $1",
            PrincipalId::Anonymous => return Err(ChangeError::Missing { kind: Kind::User, id }),
        };
        let found: Vec<(String,)> = fetch_all!(&mut self.tx, (String,), known, &id)?;
        if found.is_empty() {
            return Err(ChangeError::Missing { kind: kind_of(principal), id });
        }
        execute!(
            &mut self.tx,
            "INSERT INTO memberships (group_id, member_id) VALUES ($1, $2)",
            group.to_string(),
            &id
        )
        .map_err(|error| {
            let error = error.about(Kind::Group, &group);
            let is_unknown = matches!(error, ChangeError::Referenced { .. });
            if is_unknown { ChangeError::Missing { kind: Kind::Group, id: group.to_string() } } else { error }
        })?;
        self.note_membership(group, principal, "member_added")
    }

    async fn remove_member(&mut self, group: GroupId, principal: PrincipalId) -> Result<(), ChangeError> {
        execute!(
            &mut self.tx,
            "DELETE FROM memberships WHERE group_id = $1 AND member_id = $2",
            group.to_string(),
            principal.to_string()
        )?;
        if group == OWNERS {
            self.risk_owners();
        }
        self.note_membership(group, principal, "member_removed")
    }

    fn note_membership(
        &mut self,
        group: GroupId,
        principal: PrincipalId,
        action: &'static str,
    ) -> Result<(), ChangeError> {
        let member = principal.to_string();
        self.note(Note { after: Some(member.as_str().into()), ..Note::new(Kind::Group, action, &group) });
        self.touch_member(&member)
    }

    /// A membership belongs to its principal: that is what gateways keep and must read again.
    pub(super) fn touch_member(&mut self, id: &str) -> Result<(), ChangeError> {
        self.touch(kind_of(member(id)?), &id);
        Ok(())
    }
}

fn kind_of(principal: PrincipalId) -> Kind {
    match principal {
        PrincipalId::User(_) | PrincipalId::Anonymous => Kind::User,
        PrincipalId::ServiceAccount(_) => Kind::ServiceAccount,
    }
}
