//! Memberships: which principals a group holds directly.

use crate::{Change, ChangeError, Store, StoreError};
use postern_ids::GroupId;
use postern_policy::model::PrincipalId;

impl Change {
    /// Makes exactly these the groups of a principal.
    pub async fn set_groups_of(
        &mut self,
        principal: PrincipalId,
        groups: &[GroupId],
    ) -> Result<(), ChangeError> {
        let _ = (principal, groups);
        todo!()
    }

    /// Makes exactly these the direct members of a group.
    pub async fn set_members(&mut self, group: GroupId, members: &[PrincipalId]) -> Result<(), ChangeError> {
        let _ = (group, members);
        todo!()
    }
}

impl Store {
    /// The groups that hold this principal directly.
    pub async fn groups_of(&self, principal: PrincipalId) -> Result<Vec<GroupId>, StoreError> {
        let _ = principal;
        todo!()
    }

    /// The direct members of a group.
    pub async fn members_of(&self, group: GroupId) -> Result<Vec<PrincipalId>, StoreError> {
        let _ = group;
        todo!()
    }

    /// Every direct membership, for plans and exports.
    pub async fn memberships(&self) -> Result<Vec<(GroupId, PrincipalId)>, StoreError> {
        todo!()
    }
}
