//! Who dials: a person by an access token, or a program by a service-account token. The token is proven here, once; from
//! then on the link lives as long as the sign-in or token behind it, whose end reaches the node through the snapshot.

use crate::{
    ingress::{
        facts::{FactCache, Unavailable},
        tokens::{Tokens, is_honored},
    },
    policies::Policies,
    signing::Facts,
};
use http::{HeaderMap, header};
use postern_ids::{SignInId, Timestamp, UserId};
use postern_policy::{
    Snapshot,
    model::{Credential, PrincipalId, SignIn},
};
use postern_store::Store;
use postern_token::{
    ACCESS_AUDIENCE, AccessClaims, Expect, Rejected, Verified,
    opaque::{Opaque, OpaqueKind},
    verify_access, verify_lapsed_access,
};
use postern_web::KeyRing;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// The store confirms the policy each second; after three misses it is taken to be away.
const AWAY_AFTER: Duration = Duration::from_secs(3);

/// Who dialed, and what proved it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub principal: PrincipalId,
    proof: Proof,
}

/// What a dial proved.
#[derive(Debug, Clone)]
enum Proof {
    /// A credential that is good.
    Good(Credential),
    /// While the store is away: a sign-in by an access token that ended a moment ago, or whose facts were never read here.
    /// It is good enough for sessions that it began.
    Lapsed { sign_in: SignInId, facts: Option<Arc<SignIn>> },
}

impl Caller {
    fn good(principal: PrincipalId, credential: Credential) -> Self {
        Self { principal, proof: Proof::Good(credential) }
    }

    /// What new sessions are decided on; none where only sessions that live may go on.
    pub fn for_new_sessions(&self) -> Option<Credential> {
        match &self.proof {
            Proof::Good(credential) => Some(credential.clone()),
            Proof::Lapsed { .. } => None,
        }
    }

    /// What a session that goes on is decided on: where the facts of the sign-in were never read here, those that its
    /// ticket states.
    pub fn for_resumes(&self, stated: Option<&Facts>) -> Option<Credential> {
        match &self.proof {
            Proof::Good(credential) => Some(credential.clone()),
            Proof::Lapsed { facts: Some(facts), .. } => Some(Credential::SignIn(Arc::clone(facts))),
            Proof::Lapsed { sign_in, facts: None } => match stated.map(|stated| &stated.credential) {
                Some(Credential::SignIn(facts)) if facts.id == *sign_in => {
                    Some(Credential::SignIn(Arc::clone(facts)))
                }
                Some(Credential::SignIn(_) | Credential::Token(_) | Credential::None) | None => None,
            },
        }
    }

    /// Whether the snapshot still honors what this caller showed.
    pub fn is_good(&self, snapshot: &Snapshot, now: Timestamp) -> bool {
        let enabled = match self.principal {
            PrincipalId::User(user) => !snapshot.is_disabled(user),
            PrincipalId::ServiceAccount(_) => true,
            PrincipalId::Anonymous => false,
        };
        let live = match &self.proof {
            Proof::Good(Credential::SignIn(facts)) => now < facts.expires_at && !snapshot.has_ended(facts.id),
            Proof::Good(Credential::Token(token)) => is_honored(self.principal, token, snapshot, now),
            Proof::Good(Credential::None) => false,
            Proof::Lapsed { sign_in, facts } => {
                facts.as_ref().is_none_or(|facts| now < facts.expires_at) && !snapshot.has_ended(*sign_in)
            }
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
    tokens: Tokens,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Authenticator {
    /// For tokens of `issuer`.
    pub fn new(store: Store, policies: Arc<Policies>, keys: Arc<KeyRing>, issuer: Arc<str>) -> Self {
        let (sign_ins, tokens) = (FactCache::default(), Tokens::new(store.clone()));
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

    /// The caller behind a sign-in that a cookie of ours names.
    pub async fn signed_in(
        &self,
        user: UserId,
        sign_in: SignInId,
        now: Timestamp,
    ) -> Result<Caller, NotAuthenticated> {
        let facts = self.facts(user, sign_in).await?.ok_or(NotAuthenticated::Stale)?;
        let caller = Caller::good(PrincipalId::User(user), Credential::SignIn(facts));
        if caller.is_good(&self.policies.snapshot(), now) { Ok(caller) } else { Err(NotAuthenticated::Ended) }
    }

    /// The facts of a live sign-in of this person; none where they were never read here and the store is away.
    async fn facts(&self, user: UserId, sign_in: SignInId) -> Result<Option<Arc<SignIn>>, NotAuthenticated> {
        let read = || async {
            let found = self.store.sign_in(sign_in).await?;
            Ok(found.filter(|s| s.ended_at.is_none()).map(|s| (s.user, Arc::new(s.facts()))))
        };
        match self.sign_ins.get(sign_in, read, Instant::now()).await {
            Ok(Some((owner, facts))) if owner == user => Ok(Some(facts)),
            Ok(Some(_) | None) => Err(NotAuthenticated::Ended),
            Err(Unavailable) if self.is_store_away() => Ok(None),
            Err(Unavailable) => Err(NotAuthenticated::Stale),
        }
    }

    async fn person(&self, token: &str, now: Timestamp) -> Result<Caller, NotAuthenticated> {
        let (claims, is_fresh) = self.access(token, now)?;
        let facts = self.facts(claims.sub, claims.sid).await?;
        let principal = PrincipalId::User(claims.sub);
        Ok(match facts {
            Some(facts) if is_fresh => Caller::good(principal, Credential::SignIn(facts)),
            facts => Caller { principal, proof: Proof::Lapsed { sign_in: claims.sid, facts } },
        })
    }

    /// The claims of an access token, and whether it is good: one that ended is taken for as long as policy may be stale,
    /// while the store that could give a fresh one is away.
    fn access(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<(Verified<AccessClaims>, bool), NotAuthenticated> {
        let expect = || Expect { issuer: &self.issuer, audience: ACCESS_AUDIENCE };
        let keys = self.keys.keys();
        match verify_access(token, keys.access_keys(), expect(), now) {
            Ok(claims) => Ok((claims, true)),
            Err(Rejected::Expired) if self.is_store_away() => {
                let grace = self.policies.snapshot().max_staleness().0;
                let lapsed = verify_lapsed_access(token, keys.access_keys(), expect(), grace, now);
                Ok((lapsed.map_err(NotAuthenticated::Token)?, false))
            }
            Err(rejected) => Err(NotAuthenticated::Token(rejected)),
        }
    }

    /// The tokens that are looked up by their hash.
    pub(in crate::ingress) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    fn is_store_away(&self) -> bool {
        self.policies.current().1.0 > AWAY_AFTER
    }

    async fn service_account(&self, token: &str) -> Result<Caller, NotAuthenticated> {
        let token = Opaque::parse_as(OpaqueKind::ServiceAccount, token).ok_or(NotAuthenticated::Unknown)?;
        let (account, facts) = self.tokens.service_account(&token).await?.ok_or(NotAuthenticated::Unknown)?;
        Ok(Caller::good(PrincipalId::ServiceAccount(account), Credential::Token(facts)))
    }
}

/// The one bearer credential; two would leave open which of them counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token)
}
