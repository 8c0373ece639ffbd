//! Principals as policy sees them, read one by one.

use crate::{
    Store, StoreError,
    change::count,
    db::fetch_optional,
    objects::{Row, ServiceAccount, User, groups_of, select_one},
};
use postern_policy::model::{Principal, PrincipalId};
use std::{sync::Arc, time::Duration};

/// The first use of a principal on a node waits for this read, and no longer (D4).
const READ_MAX: Duration = Duration::from_secs(1);

impl Store {
    /// The principal with its direct groups, as of the revision it carries. A disabled one is there too: the snapshot
    /// says that it is disabled, so that asking is a recorded denial. `None` when there is no such principal.
    pub async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>, StoreError> {
        match tokio::time::timeout(READ_MAX, self.read_principal(id)).await {
            Ok(read) => read,
            Err(elapsed) => Err(StoreError::Unavailable(Box::new(elapsed))),
        }
    }

    async fn read_principal(&self, id: PrincipalId) -> Result<Option<Principal>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let text = id.to_string();
        let name: Option<Arc<str>> = match id {
            PrincipalId::User(_) => {
                let found = select_one::<User>(&mut tx, User::SELECT_BY_ID, &text).await?;
                found.map(|user| user.value.name.as_str().into())
            }
            PrincipalId::ServiceAccount(_) => {
                let found =
                    select_one::<ServiceAccount>(&mut tx, ServiceAccount::SELECT_BY_ID, &text).await?;
                found.map(|account| account.value.name.as_str().into())
            }
            PrincipalId::Anonymous => return Ok(Some(Principal::anonymous())),
        };
        let Some(name) = name else { return Ok(None) };
        let groups = groups_of(&mut tx, id).await?;
        let row: Option<(i64,)> =
            fetch_optional!(&mut tx, (i64,), "SELECT revision FROM meta WHERE one = 1")?;
        let (revision,) = row.ok_or_else(|| StoreError::corrupt("meta", "no row"))?;
        Ok(Some(Principal { id, name, groups, revision: count(revision, "meta.revision")? }))
    }
}
