//! The providers as they are configured at this moment, with what is known of each.

use postern_identity::oidc::{
    ClaimRules, EgressRules, GroupSource, Provider as Party, ProviderConfig, ProviderError,
};
use postern_ids::Name;
use postern_store::{Provider, Store, StoreError, Version};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use url::Url;

/// Providers that are kept: an installation has a handful.
const KEPT_MAX: usize = 64;

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be used as it is configured.
    #[error(transparent)]
    Config(#[from] ProviderError),
}

/// What is kept of providers between two sign-ins: their metadata and keys.
#[derive(Default)]
pub(crate) struct Registry {
    parties: Mutex<HashMap<Name, (Version, Arc<Party>)>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}

/// A provider, and we at it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) provider: Provider,
    pub(crate) party: Arc<Party>,
}

impl Registry {
    /// The provider of this name as it stands in the store; built anew when it changed there.
    pub(crate) async fn find(
        &self,
        store: &Store,
        issuer: &str,
        name: &Name,
    ) -> Result<Option<Known>, Unusable> {
        let Some(stored) = store.find_named::<Provider>(name).await? else { return Ok(None) };
        let kept = {
            let parties = self.parties.lock().unwrap_or_else(PoisonError::into_inner);
            parties
                .get(name)
                .filter(|(version, _)| *version == stored.version)
                .map(|(_, party)| Arc::clone(party))
        };
        let provider = stored.value;
        if let Some(party) = kept {
            return Ok(Some(Known { provider, party }));
        }
        let party = Arc::new(build(store, issuer, &provider).await?);
        let mut parties = self.parties.lock().unwrap_or_else(PoisonError::into_inner);
        if parties.len() >= KEPT_MAX {
            parties.clear();
        }
        parties.insert(name.clone(), (stored.version, Arc::clone(&party)));
        drop(parties);
        Ok(Some(Known { provider, party }))
    }
}

async fn build(store: &Store, issuer: &str, provider: &Provider) -> Result<Party, Unusable> {
    let config = ProviderConfig {
        name: provider.name.to_string(),
        issuer: provider.issuer.clone(),
        client_id: provider.client_id.clone(),
        client_secret: store.provider_secret(&provider.name).await?,
        scopes: provider.scopes.clone(),
        redirect_uri: redirect_uri(issuer, &provider.name)?,
        claims: ClaimRules {
            groups: provider.groups_claim.clone(),
            source: if provider.groups_from_user_info { GroupSource::UserInfo } else { GroupSource::IdToken },
        },
        egress: EgressRules {
            allow_private_address: provider.allow_private_address,
            ca_pem: provider.ca_pem.clone(),
        },
        strict_pkce: provider.strict_pkce,
    };
    Ok(Party::new(config)?)
}

/// The address at this gateway's origin that a provider sends people back to, one for each (RFC 9700 section 2.1.1).
fn redirect_uri(issuer: &str, provider: &Name) -> Result<Url, Unusable> {
    let no_address = ProviderError::Config("the gateway's public URL makes no redirect address");
    format!("{issuer}/oidc/{provider}/callback").parse().map_err(|_| no_address.into())
}
