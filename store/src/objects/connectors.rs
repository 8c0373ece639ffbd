//! Connectors: made by enrolment, renamed or revoked by administrators.

use crate::{Change, ChangeError};
use postern_ids::ConnectorId;

impl Change {
    /// Revokes a connector for good: it never dials in again under this id.
    pub async fn revoke_connector(&mut self, id: ConnectorId) -> Result<(), ChangeError> {
        let _ = id;
        todo!()
    }
}
