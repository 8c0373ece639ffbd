//! Principals as policy sees them, read one by one.

use crate::{Store, StoreError};
use postern_policy::model::{Principal, PrincipalId};

impl Store {
    /// The principal with its direct groups, as of the revision it carries. A disabled one is there too: the snapshot
    /// says that it is disabled, so that asking is a recorded denial. `None` when there is no such principal.
    pub async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>, StoreError> {
        let _ = id;
        todo!()
    }
}
