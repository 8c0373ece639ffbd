//! Settings of the whole installation.

use crate::{Change, ChangeError, Expect, Store, StoreError, Stored, Version};
use postern_policy::model::Settings;

impl Store {
    /// The settings in force.
    pub async fn settings(&self) -> Result<Stored<Settings>, StoreError> {
        todo!()
    }
}

impl Change {
    /// Replaces the settings.
    pub async fn put_settings(
        &mut self,
        settings: &Settings,
        expect: Expect,
    ) -> Result<Version, ChangeError> {
        let _ = (settings, expect);
        todo!()
    }
}
