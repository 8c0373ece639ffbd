//! Browser sign-ins: a sign-in that a cookie stands for. The cookie's value is a secret; its hash leads to the sign-in.

use super::{SecretHash, sign_ins, sign_ins::RestsOn};
use crate::{ChangeError, SignIn, Store, StoreError};
use postern_ids::Timestamp;

impl Store {
    /// Stores a new sign-in and the hash of the cookie that stands for it, and audits the sign-in.
    pub async fn begin_browser_sign_in(
        &self,
        sign_in: &SignIn,
        cookie: SecretHash,
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        sign_ins::begin(self, sign_in, RestsOn::ProofWithCookie(cookie), now).await
    }

    /// The sign-in that this cookie stands for, live or not.
    pub async fn browser_sign_in(&self, cookie: SecretHash) -> Result<Option<SignIn>, StoreError> {
        sign_ins::select_by_cookie(&mut self.inner.pools.read().await?, cookie).await
    }
}
