//! Identity providers: how each is reached and read, and its client secret.

use crate::{
    Change, ChangeError, Kind, Store, StoreError,
    change::Note,
    db::{execute, fetch_optional},
    seal::Place,
};
use postern_ids::{GroupId, Name};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const TABLE: &str = "providers";
const COLUMN: &str = "client_secret_sealed";

/// An OpenID provider that vouches for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its name: what policies see as `idp`, and part of its addresses here.
    pub name: Name,
    /// What people see on the sign-in page.
    pub display_name: String,
    /// Its issuer, as it writes it itself; unique, for it is half of every person's identity.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    /// The claim with a person's groups; none if its groups play no role.
    pub groups_claim: Option<String>,
    /// Whether the groups stand in the userinfo answer instead of the ID token.
    pub groups_from_user_info: bool,
    /// Which groups of ours follow from its groups. A group belongs to one provider at most.
    pub groups: BTreeMap<String, GroupId>,
    /// Whether people whom nobody announced become users at their first sign-in, without any right.
    pub adopts: bool,
    /// Whether it may live in a private network.
    pub allow_private_address: bool,
    /// Certificates to trust there besides the system's, in PEM.
    pub ca_pem: Option<String>,
    /// Whether its metadata must promise PKCE.
    pub strict_pkce: bool,
}

impl Change {
    /// Sets or removes our secret at a provider.
    pub async fn set_provider_secret(
        &mut self,
        provider: &Name,
        secret: Option<&SecretString>,
    ) -> Result<(), ChangeError> {
        let done = self.set_provider_secret_unwatched(provider, secret).await;
        self.watch(done)
    }

    async fn set_provider_secret_unwatched(
        &mut self,
        provider: &Name,
        secret: Option<&SecretString>,
    ) -> Result<(), ChangeError> {
        let id = provider.as_str();
        let place = Place { table: TABLE, id, column: COLUMN };
        let sealed = secret.map(|secret| self.inner.seals.seal(place, secret.expose_secret().as_bytes()));
        // The version moves too: whoever keeps the provider in memory reads it again.
        let found = execute!(
            &mut self.tx,
            "UPDATE providers SET client_secret_sealed = $2, version = version + 1, updated_at = $3 WHERE id = $1",
            id,
            sealed,
            self.now.as_micros()
        )?;
        if found == 0 {
            return Err(ChangeError::Missing { kind: Kind::Provider, id: id.to_owned() });
        }
        let action = if secret.is_some() { "secret_set" } else { "secret_removed" };
        self.touch(Kind::Provider, &id);
        self.note(Note::new(Kind::Provider, action, &id));
        Ok(())
    }
}

impl Store {
    /// Our secret at a provider, if it has one.
    pub async fn provider_secret(&self, provider: &Name) -> Result<Option<SecretString>, StoreError> {
        let id = provider.as_str();
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(Option<Vec<u8>>,)> = fetch_optional!(
            &mut tx,
            (Option<Vec<u8>>,),
            "SELECT client_secret_sealed FROM providers WHERE id = $1",
            id
        )?;
        let Some(sealed) = row.and_then(|(sealed,)| sealed) else { return Ok(None) };
        let opened = self.inner.seals.open(Place { table: TABLE, id, column: COLUMN }, &sealed)?;
        let text = std::str::from_utf8(&opened).map_err(|_| StoreError::corrupt(COLUMN, id))?;
        Ok(Some(SecretString::from(text)))
    }
}
