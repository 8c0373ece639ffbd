//! The providers as they are configured at this moment, with what is known of each.

use super::redirect_uri;
use crate::pages::PageFailure;
use postern_identity::oidc::{ClaimRules, EgressRules, GroupSource, Provider as Party, ProviderConfig};
use postern_ids::Name;
use postern_store::{Provider, Store, Version};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Providers that are kept: an installation has a handful.
const KEPT_MAX: usize = 64;

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
    ) -> Result<Option<Known>, PageFailure> {
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

async fn build(store: &Store, issuer: &str, provider: &Provider) -> Result<Party, PageFailure> {
    let config = ProviderConfig {
        name: provider.name.to_string(),
        issuer: provider.issuer.clone(),
        client_id: provider.client_id.clone(),
        client_secret: store.provider_secret(&provider.name).await?,
        scopes: provider.scopes.clone(),
        redirect_uri: redirect_uri(issuer, &provider.name).ok_or(PageFailure::Internal)?,
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
    Party::new(config).map_err(|error| {
        tracing::error!(provider = %provider.name, error = &error as &dyn std::error::Error, "a provider cannot be used as it is configured");
        PageFailure::Provider("An administrator has to correct how the provider is configured here.")
    })
}
