//! Sign-ins: the sessions of people behind tokens and admitted sessions.

use crate::{Actor, ChangeError, Revision, Store, StoreError};
use postern_ids::{SignInId, Timestamp, UserId};

/// One sign-in of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// Who signed in.
    pub user: UserId,
    /// The OAuth client it was made for, such as `postern-cli`.
    pub client_id: String,
    /// Which provider proved the person; `local` for local accounts.
    pub idp: String,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When a second factor was last checked.
    pub mfa_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it ended early, if it did.
    pub ended_at: Option<Timestamp>,
    /// Why it ended early.
    pub end_reason: Option<String>,
}

impl SignIn {
    /// Whether it is neither ended nor expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// What policy may know of it.
    pub fn facts(&self) -> postern_policy::model::SignIn {
        postern_policy::model::SignIn {
            id: self.id,
            at: self.authenticated_at,
            mfa_at: self.mfa_at,
            expires_at: self.expires_at,
            idp: self.idp.as_str().into(),
        }
    }
}

impl Store {
    /// Stores a new sign-in and audits it. Moves no revision: a sign-in takes no right from anybody.
    pub async fn begin_sign_in(&self, sign_in: &SignIn, now: Timestamp) -> Result<(), ChangeError> {
        let _ = (sign_in, now);
        todo!()
    }

    /// The sign-in with this id, live or not.
    pub async fn sign_in(&self, id: SignInId) -> Result<Option<SignIn>, StoreError> {
        let _ = id;
        todo!()
    }

    /// The live sign-ins of a person, newest first.
    pub async fn sign_ins_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SignIn>, StoreError> {
        let _ = (user, now);
        todo!()
    }

    /// Ends a sign-in for good and moves the revision, so that its live sessions are cut. Ending an ended one changes
    /// nothing.
    pub async fn end_sign_in(
        &self,
        id: SignInId,
        reason: &str,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Revision, ChangeError> {
        let _ = (id, reason, by, now);
        todo!()
    }
}
