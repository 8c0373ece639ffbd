//! The secrets of documents: hashed or kept for sealing before anything is planned, and never shown.

use super::super::bootstrap::not_hashed;
use crate::{WebState, problem::Failure};
use postern_api::{Document, ObjectKind, Secret, UserDocument};
use postern_identity::Password;
use postern_ids::Name;
use postern_store::LocalAccount;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;

/// Passwords in one request: each costs a tenth of a second of a core.
const PASSWORDS_MAX: usize = 50;
/// The longest client secret.
const CLIENT_SECRET_MAX: usize = 4 * 1024;

/// New secrets by the name of their object. One that is in force already is left out, so that applying a file twice
/// changes nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets {
    /// Hashes of local accounts' passwords.
    pub(super) passwords: HashMap<Name, String>,
    /// Our secrets at providers.
    pub(super) provider_secrets: HashMap<Name, SecretString>,
}

impl Secrets {
    /// The secrets of these documents.
    pub(super) async fn read(state: &WebState, documents: &[Document]) -> Result<Self, Failure> {
        let mut secrets = Self::default();
        for document in documents {
            match document {
                Document::User(user) => secrets.read_user(state, user).await?,
                Document::Provider(provider) => {
                    let Some(secret) = &provider.client_secret else { continue };
                    secrets.read_client_secret(state, &provider.name, secret).await?;
                }
                Document::Site(_)
                | Document::Resource(_)
                | Document::Group(_)
                | Document::ServiceAccount(_)
                | Document::Grant(_)
                | Document::Policy(_)
                | Document::Window(_)
                | Document::Threshold(_)
                | Document::Absent(_) => {}
            }
        }
        Ok(secrets)
    }

    /// The field of this object that gets a new secret.
    pub(super) fn changed(&self, kind: ObjectKind, name: &Name) -> Option<&'static str> {
        if kind == ObjectKind::User && self.passwords.contains_key(name) {
            return Some("password");
        }
        (kind == ObjectKind::Provider && self.provider_secrets.contains_key(name)).then_some("client_secret")
    }

    async fn read_user(&mut self, state: &WebState, user: &UserDocument) -> Result<(), Failure> {
        let Some(secret) = &user.password else { return Ok(()) };
        if user.provider.is_some() {
            let why = "a person of a provider has no password here";
            return Err(Failure::invalid(format!("user {}: {why}", user.name)));
        }
        let text = value(secret, ObjectKind::User, &user.name)?;
        if self.passwords.len() >= PASSWORDS_MAX {
            return Err(Failure::invalid(format!("a request sets at most {PASSWORDS_MAX} passwords")));
        }
        let account = state.store().local_account(&user.name).await?;
        let presented = Password::presented(text.to_owned());
        if is_in_force(state, account.as_ref(), presented).await? {
            return Ok(());
        }
        let password = Password::new(text.to_owned(), user.name.as_str())
            .map_err(|why| Failure::invalid(format!("user {}: {why}", user.name)))?;
        let hash = state.door().pool().hash(password).await.map_err(not_hashed)?;
        self.passwords.insert(user.name.clone(), hash);
        Ok(())
    }

    async fn read_client_secret(
        &mut self,
        state: &WebState,
        name: &Name,
        secret: &Secret,
    ) -> Result<(), Failure> {
        let text = value(secret, ObjectKind::Provider, name)?;
        if text.is_empty() || text.len() > CLIENT_SECRET_MAX {
            return Err(Failure::invalid(format!("provider {name}: the client secret is empty or too long")));
        }
        let before = state.store().provider_secret(name).await?;
        if before.is_none_or(|before| before.expose_secret() != text) {
            self.provider_secrets.insert(name.clone(), SecretString::from(text));
        }
        Ok(())
    }
}

fn value<'a>(secret: &'a Secret, kind: ObjectKind, name: &Name) -> Result<&'a str, Failure> {
    match secret {
        Secret::Value(text) => Ok(text),
        Secret::FromEnv(_) | Secret::FromFile(_) => Err(Failure::invalid(format!(
            "{kind} {name}: the command reads fromEnv and fromFile and sends the value"
        ))),
    }
}

async fn is_in_force(
    state: &WebState,
    account: Option<&LocalAccount>,
    presented: Password,
) -> Result<bool, Failure> {
    let Some(account) = account else { return Ok(false) };
    let hash = account.password_hash.expose_secret().to_owned();
    state.door().pool().verify(presented, Some(hash)).await.map_err(not_hashed)
}
