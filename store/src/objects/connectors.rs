//! Connectors: made by enrolment, renamed or revoked by administrators.

use crate::{Change, ChangeError, Expect, Kind};
use postern_ids::ConnectorId;
use postern_policy::model::{Connector, ConnectorState};

impl Change {
    /// Revokes a connector for good: it never dials in again under this id, and its key enrolls no other.
    pub async fn revoke_connector(&mut self, id: ConnectorId) -> Result<(), ChangeError> {
        let Some(found) = self.find::<Connector>(&id).await? else {
            return self.watch(Err(ChangeError::Missing { kind: Kind::Connector, id: id.to_string() }));
        };
        let connector = Connector { state: ConnectorState::Revoked, ..found.value };
        self.put(&connector, Expect::At(found.version)).await.map(drop)
    }
}
