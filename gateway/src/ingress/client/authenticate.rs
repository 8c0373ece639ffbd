//! Who dials: a person by an access token, or a program by a service-account token. The token is proven here, once; from
//! then on the link lives as long as the sign-in or token behind it, whose end reaches the node through the snapshot.

use super::credentials::{FactCache, Unavailable};
use crate::policies::Policies;
use http::{HeaderMap, header};
use postern_ids::{ServiceAccountId, SignInId, Timestamp, UserId};
use postern_policy::{
    Snapshot,
    model::{Credential, PrincipalId, SignIn, TokenFacts},
};
use postern_store::{SecretHash, Store};
use postern_token::{
    ACCESS_AUDIENCE, Expect, Rejected,
    opaque::{Opaque, OpaqueKind},
    verify_access,
};
use postern_web::KeyRing;
use std::{fmt, sync::Arc, time::Instant};

/// Who dialed, and what proved it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub principal: PrincipalId,
    /// What proved it.
    pub credential: Credential,
}

impl Caller {
    /// Whether the snapshot still honors what this caller showed.
    pub fn is_good(&self, snapshot: &Snapshot, now: Timestamp) -> bool {
        let enabled = match self.principal {
            PrincipalId::User(user) => !snapshot.is_disabled(user),
            PrincipalId::ServiceAccount(_) => true,
            PrincipalId::Anonymous => false,
        };
        let live = match &self.credential {
            Credential::SignIn(sign_in) => now < sign_in.expires_at && !snapshot.has_ended(sign_in.id),
            Credential::Token(token) => {
                token.expires_at.is_none_or(|at| now < at) && !snapshot.is_revoked(token.id)
            }
            Credential::None => false,
        };
        enabled && live
    }
}

/// Why a dial proves nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthenticated {
    /// There is no credential, or not exactly one.
    #[error("there is no credential")]
    Missing,
    /// The access token was rejected.
    #[error("the access token was rejected: {}", .0.label())]
    Token(Rejected),
    /// The service-account token is malformed or unknown.
    #[error("the service-account token is unknown")]
    Unknown,
    /// It was good once: the sign-in ended, the token was revoked, the user disabled.
    #[error("the sign-in or token has ended")]
    Ended,
    /// The store is away and was not asked about this credential before.
    #[error("the store is away")]
    Stale,
}

impl NotAuthenticated {
    /// The word for logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Token(rejected) => rejected.label(),
            Self::Unknown => "unknown_token",
            Self::Ended => "ended",
            Self::Stale => "policy_stale",
        }
    }
}

impl From<Unavailable> for NotAuthenticated {
    fn from(_: Unavailable) -> Self {
        Self::Stale
    }
}

/// Proves who dials.
pub struct Authenticator {
    store: Store,
    policies: Arc<Policies>,
    keys: Arc<KeyRing>,
    issuer: Arc<str>,
    sign_ins: FactCache<SignInId, (UserId, Arc<SignIn>)>,
    tokens: FactCache<SecretHash, (ServiceAccountId, Arc<TokenFacts>)>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Authenticator {
    /// For tokens of `issuer`.
    pub fn new(store: Store, policies: Arc<Policies>, keys: Arc<KeyRing>, issuer: Arc<str>) -> Self {
        let (sign_ins, tokens) = (FactCache::default(), FactCache::default());
        Self { store, policies, keys, issuer, sign_ins, tokens }
    }

    /// The caller behind the headers of a dial.
    pub async fn caller(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, NotAuthenticated> {
        let token = bearer(headers).ok_or(NotAuthenticated::Missing)?;
        let caller = if token.starts_with(OpaqueKind::ServiceAccount.prefix()) {
            self.service_account(token).await?
        } else {
            self.person(token, now).await?
        };
        if caller.is_good(&self.policies.snapshot(), now) { Ok(caller) } else { Err(NotAuthenticated::Ended) }
    }

    async fn person(&self, token: &str, now: Timestamp) -> Result<Caller, NotAuthenticated> {
        let expect = Expect { issuer: &self.issuer, audience: ACCESS_AUDIENCE };
        let claims = verify_access(token, self.keys.keys().access_keys(), expect, now)
            .map_err(NotAuthenticated::Token)?;
        let read = || async {
            let found = self.store.sign_in(claims.sid).await?;
            Ok(found.filter(|s| s.ended_at.is_none()).map(|s| (s.user, Arc::new(s.facts()))))
        };
        match self.sign_ins.get(claims.sid, read, Instant::now()).await? {
            Some((user, facts)) if user == claims.sub => {
                Ok(Caller { principal: PrincipalId::User(user), credential: Credential::SignIn(facts) })
            }
            Some(_) | None => Err(NotAuthenticated::Ended),
        }
    }

    async fn service_account(&self, token: &str) -> Result<Caller, NotAuthenticated> {
        let token = Opaque::parse_as(OpaqueKind::ServiceAccount, token).ok_or(NotAuthenticated::Unknown)?;
        let hash = SecretHash(token.hash());
        let read = || async {
            let found = self.store.service_token(hash).await?;
            Ok(found.filter(|t| t.revoked_at.is_none()).map(|t| (t.account, Arc::new(t.facts()))))
        };
        let (account, facts) =
            self.tokens.get(hash, read, Instant::now()).await?.ok_or(NotAuthenticated::Unknown)?;
        Ok(Caller { principal: PrincipalId::ServiceAccount(account), credential: Credential::Token(facts) })
    }
}

/// The one bearer credential; two would leave open which of them counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token)
}
