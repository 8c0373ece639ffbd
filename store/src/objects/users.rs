//! People: who they are, and the password of those who have a local account.

use crate::{
    Change, ChangeError, Expect, Kind, Store, StoreError,
    change::Note,
    db::{execute, fetch_optional},
};
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
    /// Sets or removes the password of a local account. Sign-ins of the person go on.
    pub async fn set_password_hash(&mut self, user: UserId, phc: Option<&str>) -> Result<(), ChangeError> {
        let done = self.set_password_unwatched(user, phc).await;
        self.watch(done)
    }

    /// Disables a person: every sign-in ends, every refresh token dies. Disabling twice changes nothing.
    pub async fn disable_user(&mut self, user: UserId) -> Result<(), ChangeError> {
        self.set_disabled(user, true).await
    }

    /// Enables a person again; ended sign-ins stay ended.
    pub async fn enable_user(&mut self, user: UserId) -> Result<(), ChangeError> {
        self.set_disabled(user, false).await
    }

    async fn set_disabled(&mut self, id: UserId, disabled: bool) -> Result<(), ChangeError> {
        let Some(found) = self.find::<User>(&id).await? else {
            return self.watch(Err(ChangeError::Missing { kind: Kind::User, id: id.to_string() }));
        };
        let user = User { disabled, ..found.value };
        self.put(&user, Expect::At(found.version)).await.map(drop)
    }

    async fn set_password_unwatched(&mut self, user: UserId, phc: Option<&str>) -> Result<(), ChangeError> {
        let id = user.to_string();
        let found = execute!(&mut self.tx, "UPDATE users SET password_hash = $2 WHERE id = $1", &id, phc)?;
        if found == 0 {
            return Err(ChangeError::Missing { kind: Kind::User, id });
        }
        self.note(Note::new(
            Kind::User,
            if phc.is_some() { "password_set" } else { "password_removed" },
            &id,
        ));
        Ok(())
    }
}

impl Store {
    /// The local account with this user name, disabled or not; `None` also for people without a password.
    pub async fn local_account(&self, name: &Name) -> Result<Option<LocalAccount>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(String, String)> = fetch_optional!(
            &mut tx,
            (String, String),
            "SELECT body, password_hash FROM users WHERE name = $1 AND issuer = $2 AND password_hash IS NOT NULL",
            name.as_str(),
            User::LOCAL
        )?;
        let Some((body, phc)) = row else { return Ok(None) };
        let user = serde_json::from_str(&body).map_err(|error| StoreError::corrupt("users", error))?;
        Ok(Some(LocalAccount { user, password_hash: phc.into() }))
    }
}
