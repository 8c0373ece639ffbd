//! Who stands behind a token that is looked up by its hash: a program, or a person's program at one application.

use super::facts::{FactCache, Unavailable};
use postern_ids::{ServiceAccountId, Timestamp};
use postern_policy::{
    Snapshot,
    model::{PrincipalId, TokenFacts},
};
use postern_store::{AppToken, SecretHash, Store};
use postern_token::opaque::Opaque;
use std::{sync::Arc, time::Instant};

/// The tokens that were shown on this node a moment ago.
pub(in crate::ingress) struct Tokens {
    store: Store,
    service: FactCache<SecretHash, (ServiceAccountId, Arc<TokenFacts>)>,
    app: FactCache<SecretHash, Arc<AppToken>>,
}

impl Tokens {
    pub(in crate::ingress) fn new(store: Store) -> Self {
        Self { store, service: FactCache::default(), app: FactCache::default() }
    }

    /// The program behind a service account's token; none if the token is unknown or revoked.
    pub(in crate::ingress) async fn service_account(
        &self,
        token: &Opaque,
    ) -> Result<Option<(ServiceAccountId, Arc<TokenFacts>)>, Unavailable> {
        let hash = SecretHash(token.hash());
        let read = || async {
            let found = self.store.service_token(hash).await?;
            Ok(found.filter(|t| t.revoked_at.is_none()).map(|t| (t.account, Arc::new(t.facts()))))
        };
        self.service.get(hash, read, Instant::now()).await
    }

    /// A person's token for an application; none if it is unknown or revoked.
    pub(in crate::ingress) async fn application(
        &self,
        token: &Opaque,
    ) -> Result<Option<Arc<AppToken>>, Unavailable> {
        let hash = SecretHash(token.hash());
        let read = || async {
            let found = self.store.app_token(hash).await?;
            Ok(found.filter(|t| t.revoked_at.is_none()).map(Arc::new))
        };
        self.app.get(hash, read, Instant::now()).await
    }
}

/// Whether the policy in force still honors a token of this principal (A7).
pub(in crate::ingress) fn is_honored(
    principal: PrincipalId,
    token: &TokenFacts,
    snapshot: &Snapshot,
    now: Timestamp,
) -> bool {
    let is_over = token.expires_at.is_some_and(|at| at <= now);
    !is_over && !snapshot.is_revoked(token.id) && !snapshot.disables(principal)
}
