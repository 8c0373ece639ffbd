//! People: who they are, and the password of those who have a local account.

use crate::{Change, ChangeError, Store, StoreError};
use postern_ids::{Name, UserId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// A person. Issuer and subject identify; the e-mail address never does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The name to sign in with and to show; unique.
    pub name: Name,
    /// Who vouches for the person: `local`, or a provider's issuer URL.
    pub issuer: String,
    /// What the issuer calls the person; for `local` the id.
    pub subject: String,
    /// The full name, to show.
    pub display_name: Option<String>,
    /// To show; never compared.
    pub email: Option<String>,
    /// Whether every right is suspended.
    pub disabled: bool,
}

impl User {
    /// The issuer of local accounts.
    pub const LOCAL: &'static str = "local";

    /// A local account.
    pub fn local(id: UserId, name: Name) -> Self {
        Self {
            id,
            name,
            issuer: Self::LOCAL.into(),
            subject: id.to_string(),
            display_name: None,
            email: None,
            disabled: false,
        }
    }
}

/// A local account as sign-in needs it.
#[derive(Debug, Clone)]
pub struct LocalAccount {
    /// The person.
    pub user: User,
    /// The argon2 hash, as PHC text.
    pub password_hash: SecretString,
}

impl Change {
    /// Sets or removes the password of a local account. Other sign-ins of the person are left to the caller.
    pub async fn set_password_hash(&mut self, user: UserId, phc: Option<&str>) -> Result<(), ChangeError> {
        let _ = (user, phc);
        todo!()
    }

    /// Disables a person: every sign-in ends, every refresh token dies. Disabling twice changes nothing.
    pub async fn disable_user(&mut self, user: UserId) -> Result<(), ChangeError> {
        let _ = user;
        todo!()
    }

    /// Enables a person again; ended sign-ins stay ended.
    pub async fn enable_user(&mut self, user: UserId) -> Result<(), ChangeError> {
        let _ = user;
        todo!()
    }
}

impl Store {
    /// The local account with this user name, disabled or not; `None` also for people without a password.
    pub async fn local_account(&self, name: &Name) -> Result<Option<LocalAccount>, StoreError> {
        let _ = name;
        todo!()
    }
}
