//! Certificates for the names of applications, from the gateway's own authority: one for each name, issued when somebody
//! first asks for it. Browsers take no wildcard right below names such as `localhost`, and no certificate names more than the
//! application that was asked for.

use rustls::sign::CertifiedKey;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Certificates that are kept: beyond it the one that was issued first goes, and is issued anew when it is asked for, which
/// takes a fraction of a millisecond.
const ISSUED_MAX: usize = 256;

type Issue = Box<dyn Fn(&str) -> Option<CertifiedKey> + Send + Sync>;
type IsPublished = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Issues certificates for published hosts, and for no other: strangers choose what they ask for.
pub struct PerHost {
    issue: Issue,
    /// Known only when a policy is in force.
    is_published: OnceLock<IsPublished>,
    issued: Mutex<Issued>,
}

/// The oldest first.
#[derive(Default)]
struct Issued(VecDeque<(Box<str>, Arc<CertifiedKey>)>);

impl PerHost {
    /// Issues by `issue`; nothing is published yet.
    pub fn new(issue: impl Fn(&str) -> Option<CertifiedKey> + Send + Sync + 'static) -> Self {
        Self { issue: Box::new(issue), is_published: OnceLock::new(), issued: Mutex::default() }
    }

    /// The first word counts.
    pub(super) fn publish(&self, is_published: IsPublished) {
        let _ = self.is_published.set(is_published);
    }

    /// Everything is issued anew when it is next asked for.
    pub(super) fn forget(&self) {
        self.lock().0.clear();
    }

    /// The certificate of a published host. Two who ask at once may each get one of their own.
    pub(super) fn certificate(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        if !self.is_published.get().is_some_and(|is_published| is_published(host)) {
            return None;
        }
        if let Some(kept) = self.lock().of(host) {
            return Some(kept);
        }
        let issued = Arc::new((self.issue)(host)?);
        self.lock().keep(host, &issued);
        Some(issued)
    }

    fn lock(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issued {
    fn of(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        self.0.iter().find(|(known, _)| **known == *host).map(|(_, kept)| Arc::clone(kept))
    }

    fn keep(&mut self, host: &str, issued: &Arc<CertifiedKey>) {
        if self.0.len() >= ISSUED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((host.into(), Arc::clone(issued)));
    }
}

impl fmt::Debug for PerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerHost")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{
        super::{Authority, Certificates, certificate::covers},
        *,
    };
    use postern_ids::Timestamp;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use url::Host;

    fn issue(authority: &Authority, host: &str) -> CertifiedKey {
        let hosts = [Host::Domain(host.to_owned())];
        authority.issue(&hosts, [7; 16], Timestamp::from_secs(1_800_000_000)).unwrap()
    }

    #[test]
    fn h08_only_published_hosts_get_a_certificate_of_their_own_and_it_is_kept() {
        let authority = Authority::from_pkcs8(&Authority::generate_key().unwrap()).unwrap();
        let first = issue(&authority, "postern.localhost");
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let per_host = PerHost::new(move |host| {
            counted.fetch_add(1, Ordering::Relaxed);
            Some(issue(&authority, host))
        });
        let certificates = Certificates::issuing(first, per_host);
        let issued = || count.load(Ordering::Relaxed);
        let is_default =
            |name: Option<&str>| covers(&certificates.select(name).unwrap(), "postern.localhost");
        assert!(is_default(Some("grafana.localhost")) && is_default(None) && issued() == 0);

        let published = Arc::new(AtomicBool::new(true));
        let is_published = Arc::clone(&published);
        certificates.publish(move |host| host == "grafana.localhost" && is_published.load(Ordering::Relaxed));
        let one = certificates.select(Some("grafana.localhost")).unwrap();
        assert!(covers(&one, "grafana.localhost") && !covers(&one, "postern.localhost"));
        assert!(Arc::ptr_eq(&one, &certificates.select(Some("grafana.localhost")).unwrap()));
        assert!(is_default(Some("wiki.localhost")) && is_default(Some("postern.localhost")));
        assert_eq!(issued(), 1, "strange names cost nothing");

        published.store(false, Ordering::Relaxed);
        assert!(is_default(Some("grafana.localhost")), "a host that was taken back has no certificate");
    }

    #[test]
    fn h08_the_certificates_that_are_kept_are_bounded() {
        let authority = Authority::from_pkcs8(&Authority::generate_key().unwrap()).unwrap();
        let kept = Arc::new(issue(&authority, "a.localhost"));
        let mut issued = Issued::default();
        for n in 0..ISSUED_MAX + 10 {
            issued.keep(&format!("{n}.localhost"), &kept);
        }
        assert_eq!(issued.0.len(), ISSUED_MAX);
        assert!(issued.of("9.localhost").is_none() && issued.of("10.localhost").is_some());
    }
}
