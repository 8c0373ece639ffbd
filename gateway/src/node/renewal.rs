//! Certificates that are replaced while the node runs, and the alarm about one that nobody replaced in time.
//!
//! Files are looked at by themselves: whatever renews them need not tell the gateway. What is worse than what is there is not
//! taken, so a mistake costs no handshake; and one that has ended is presented on, because connectors and commands that
//! pinned a key would lose more by finding nobody.

use super::certificate::{Presented, Source};
use crate::{
    exit::Failure,
    policies::wall_clock,
    tls::{Authority, Standing, validity},
};
use postern_ids::Timestamp;
use rustls::sign::CertifiedKey;
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(30);
/// How often somebody is told about a certificate that ends or has ended.
const TELL: Duration = Duration::from_secs(3_600);

impl Presented {
    /// Takes certificates that were read or issued now, if each of them is good. Those that are there already may stay,
    /// whatever became of them.
    pub(super) fn take(&self, next: Vec<CertifiedKey>) -> Result<(), Failure> {
        let (now, before) = (wall_clock(), self.certificates.presented());
        for certified in next.iter().filter(|next| !before.iter().any(|before| before.cert == next.cert)) {
            match validity(certified).map(|validity| validity.standing(now)) {
                Some(Standing::Good | Standing::EndsSoon) => {}
                Some(Standing::Ended) => return Err(unusable("has ended")),
                Some(Standing::Early) => return Err(unusable("is not good yet")),
                None => return Err(unusable("does not say until when it is good")),
            }
        }
        let is_same = before.len() == next.len()
            && before.iter().zip(&next).all(|(before, next)| before.cert == next.cert);
        if !is_same {
            self.certificates.replace(next);
        }
        Ok(())
    }

    /// Renews in time and tells when nothing else can, for ever.
    pub(super) async fn keep_fresh(self) -> Infallible {
        let (mut renewed, mut told, mut failed) = (Instant::now(), Instant::now(), String::new());
        loop {
            tokio::time::sleep(LOOK).await;
            let is_due = match &**self.source.load() {
                Source::Files(_) => true,
                Source::Own { .. } => renewed.elapsed() >= Authority::renewal_after(),
            };
            if is_due {
                renewed = Instant::now();
                // Files are replaced one after the other, so a mistake may be gone at the next look; it is told once.
                let error = self.renew().err().map(|error| error.to_string()).unwrap_or_default();
                if !error.is_empty() && error != failed {
                    tracing::error!(error, "key.rotation_failed: the certificate could not be renewed");
                }
                failed = error;
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                self.tell_standing();
            }
        }
    }

    fn renew(&self) -> Result<(), Failure> {
        let before = self.certificates.presented();
        self.take(self.source.load().issue()?)?;
        if !std::sync::Arc::ptr_eq(&before, &self.certificates.presented()) {
            tracing::info!("key.rotated: new connections get a new certificate");
            self.tell_standing();
        }
        Ok(())
    }

    /// Says what the certificates are worth, where that is not all well.
    pub(super) fn tell_standing(&self) {
        let now = wall_clock();
        let presented = self.certificates.presented();
        let all: Vec<_> = presented.iter().filter_map(|certified| validity(certified)).collect();
        for validity in &all {
            let until = readable(validity.until);
            match validity.standing(now) {
                Standing::Good => {}
                Standing::EndsSoon => {
                    tracing::warn!(until, "certificate.ends_soon: a certificate ends soon, renew it");
                }
                Standing::Early => tracing::error!(
                    until,
                    "certificate.early: a certificate is not good yet: check the clock"
                ),
                Standing::Ended => tracing::error!(
                    until,
                    "certificate.expired: a certificate has ended and is presented on: browsers refuse it until it is renewed"
                ),
            }
        }
        if let Some(first) = all.iter().map(|validity| validity.until).min() {
            #[expect(clippy::cast_precision_loss, reason = "the seconds of this century are exact")]
            metrics::gauge!("postern_certificate_until_seconds").set(first.as_secs() as f64);
        }
    }
}

fn readable(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.as_secs()).map_or_else(|_| "an odd time".to_owned(), |at| at.to_string())
}

fn unusable(why: &str) -> Failure {
    Failure::Config(format!("the certificate {why}, so the one before is presented on"))
}
