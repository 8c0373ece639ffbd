//! What an application is told about who asks: a signed assertion and plain headers (D8). Made once for a session and an
//! application, and kept until it is about to end or what it says has changed; a request only copies it.

mod value;
mod written;

use crate::ingress::facts::{FactCache, Unavailable};
use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderName, HeaderValue};
use postern_ids::{SessionId, Timestamp, UserId};
use postern_policy::{
    Snapshot,
    model::{self, Principal, PrincipalId, Resource},
};
use postern_store::{Store, User};
use postern_token::{ASSERTION_LIFETIME, AssertionClaims, KeyError, Occasion, Subject};
use postern_web::KeyRing;
use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// An assertion is made anew this long before it ends, so that an application never gets one in its last seconds.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The session.
    pub session: SessionId,
    /// Who asks.
    pub principal: &'a Principal,
    /// The application.
    pub resource: &'a Resource,
    /// Its own URL as browsers know it: `https://host`, with the port where it is not 443.
    pub audience: &'a str,
    /// The policy in force, for the groups.
    pub snapshot: &'a Snapshot,
}

/// Why nothing can be said about somebody.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAsserted {
    /// The store was not asked about this person before, and is away.
    #[error("the store is away and has not been asked about this person before")]
    Unavailable,
    /// There is no key to sign with, or it failed.
    #[error("an assertion cannot be signed")]
    CannotSign(#[source] Option<KeyError>),
}

impl From<Unavailable> for NotAsserted {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

/// What is shown of a person and no rule looks at.
#[derive(Debug, Default)]
struct Person {
    name: Option<String>,
    email: Option<String>,
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        Self { name: user.display_name, email: user.email.filter(|email| value::is_address(email)) }
    }
}

/// Tells applications who asks.
pub(super) struct Asserter {
    store: Store,
    keys: Arc<KeyRing>,
    issuer: Arc<str>,
    /// By person and the revision at which they were read: a change of a person makes a new principal, so nothing changes
    /// under its key, and an absent store is not waited for.
    people: FactCache<(UserId, u64), Arc<Person>>,
}

impl fmt::Debug for Asserter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asserter").field(&self.issuer).finish()
    }
}

impl Asserter {
    /// In the name of `issuer`, with the keys of the installation.
    pub(super) fn new(store: Store, keys: Arc<KeyRing>, issuer: Arc<str>) -> Self {
        Self { store, keys, issuer, people: FactCache::lasting() }
    }

    /// What to tell; nothing about nobody. `kept` is the session's own place for this application.
    pub(super) async fn assert(
        &self,
        kept: &Kept,
        about: &About<'_>,
        now: Timestamp,
    ) -> Result<Option<Arc<Asserted>>, NotAsserted> {
        if about.principal.id == PrincipalId::Anonymous {
            return Ok(None);
        }
        if let Some(good) = kept.0.load_full().filter(|kept| kept.is_good(about, now)) {
            return Ok(Some(good));
        }
        let person = self.person(about.principal).await?;
        let made = Arc::new(self.make(about, &person, now)?);
        kept.0.store(Some(Arc::clone(&made)));
        Ok(Some(made))
    }

    async fn person(&self, principal: &Principal) -> Result<Arc<Person>, Unavailable> {
        let PrincipalId::User(id) = principal.id else { return Ok(Arc::default()) };
        let read = || async {
            let found = self.store.find::<User>(&id).await?;
            Ok(found.map(|found| Arc::new(Person::from(found.value))))
        };
        let person = self.people.get((id, principal.revision), read, Instant::now()).await?;
        Ok(person.unwrap_or_default())
    }

    fn make(&self, about: &About<'_>, person: &Person, now: Timestamp) -> Result<Asserted, NotAsserted> {
        let said = Said::now(about);
        let subject = Subject {
            id: about.principal.id.to_string(),
            username: about.principal.name.to_string(),
            name: person.name.clone(),
            email: person.email.clone(),
            groups: said.groups.clone(),
        };
        let occasion = Occasion {
            issuer: &self.issuer,
            audience: about.audience,
            session: about.session,
            nonce: rand::random(),
        };
        let claims = AssertionClaims::new(&subject, occasion, now);
        let keys = self.keys.keys();
        let key = keys.assertion_signer(now).ok_or(NotAsserted::CannotSign(None))?;
        let headers = written::headers(&claims, about.principal.id.kind(), &said.identity.compatible, key)
            .map_err(|error| NotAsserted::CannotSign(Some(error)))?;
        let until = now.plus(ASSERTION_LIFETIME.saturating_sub(RENEWED_BEFORE));
        let seen = AtomicU64::new(about.snapshot.revision());
        Ok(Asserted { headers, said, until, seen })
    }
}

/// The place of one session and application for what was made last.
#[derive(Debug, Default)]
pub(super) struct Kept(ArcSwapOption<Asserted>);

/// What depends on policy, and so may change while an assertion lasts.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    principal: (PrincipalId, u64),
    session: SessionId,
    audience: Box<str>,
    identity: model::Identity,
    groups: Vec<String>,
}

impl Said {
    fn now(about: &About<'_>) -> Self {
        let identity = about.resource.web.as_ref().map(|web| web.identity.clone()).unwrap_or_default();
        let theirs = about.snapshot.with_inherited(&about.principal.groups);
        let listed = identity.groups.iter().filter(|id| theirs.contains(id));
        let names: BTreeSet<String> =
            listed.filter_map(|id| about.snapshot.group(*id)).map(|group| group.name.to_string()).collect();
        Self {
            principal: (about.principal.id, about.principal.revision),
            session: about.session,
            audience: about.audience.into(),
            identity,
            groups: names.into_iter().collect(),
        }
    }
}

/// What an application is told, ready to be copied.
#[derive(Debug)]
pub(super) struct Asserted {
    headers: Vec<(HeaderName, HeaderValue)>,
    said: Said,
    until: Timestamp,
    /// The revision at which it was last found to be right.
    seen: AtomicU64,
}

impl Asserted {
    /// Writes it; whatever had these names is gone.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }

    fn is_good(&self, about: &About<'_>, now: Timestamp) -> bool {
        let (said, revision) = (&self.said, about.snapshot.revision());
        let is_same = said.principal == (about.principal.id, about.principal.revision)
            && said.session == about.session
            && *said.audience == *about.audience;
        if now >= self.until || !is_same {
            return false;
        }
        if self.seen.load(Ordering::Relaxed) == revision {
            return true;
        }
        let is_right = Said::now(about) == *said;
        if is_right {
            self.seen.store(revision, Ordering::Relaxed);
        }
        is_right
    }
}

#[cfg(test)]
mod tests;
