//! One round of dials: every address of the gateway has its chance, the first link that stands is taken.

use crate::{
    bearer::Bearer,
    failure::{Failure, chain, code},
    patience::is_absence,
};
use http::HeaderValue;
use postern_tunnel_io::{
    Challenge, Credentials, Dial, DialError, Incoming, Link, LinkConfig, Proxy, Refused, dial, tls,
};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time};
use url::Url;

/// The head start of an address over the next one. One that refuses connections costs nothing; one that swallows them
/// would cost its whole deadline.
const HEAD_START: Duration = Duration::from_secs(1);
/// A gateway may ask for a pause, up to this long: whoever waits behind it has no more than the window.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(15);

/// What every dial of this process has in common.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// Keeps the TLS sessions, so that dialing again is cheap.
    pub(super) tls: tls::Client,
    pub(super) proxy: Proxy,
    pub(super) config: LinkConfig,
}

/// A link that stands, and at which of the addresses.
pub(super) struct Dialed {
    pub(super) link: Link,
    pub(super) incoming: Incoming,
    pub(super) place: usize,
}

/// Why a round gave no link.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) failure: Failure,
    pub(super) kind: MissedKind,
}

/// What a round without a link means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissedKind {
    /// Nobody was there: each address refused the connection, or dropped it before it said anything.
    Away,
    /// It may do better, but not sooner than this.
    Later(Duration),
    /// The token was not accepted.
    Unauthenticated,
    /// It would do no better.
    Never,
}

struct BearerCredentials(Arc<Bearer>);

impl Credentials for BearerCredentials {
    fn authorization(&mut self, _: Option<&Challenge>) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0.secret())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Dials the addresses in their order, beginning with number `first`.
pub(super) async fn round(
    manner: &Manner,
    urls: &[Url],
    first: usize,
    bearer: &Arc<Bearer>,
) -> Result<Dialed, Missed> {
    let mut waiting = (0..urls.len()).map(|nth| (first + nth) % urls.len()).collect::<Vec<_>>().into_iter();
    let mut running = JoinSet::new();
    let mut last = None;
    loop {
        if let Some((place, url)) = waiting.next().and_then(|place| Some((place, urls.get(place)?.clone()))) {
            running.spawn(one(manner.clone(), url, bearer.clone(), place));
        }
        let done = tokio::select! {
            done = running.join_next() => done,
            () = time::sleep(HEAD_START), if waiting.len() > 0 => continue,
        };
        match done {
            Some(Ok(Ok(dialed))) => {
                leave_others(running);
                return Ok(dialed);
            }
            // A gateway that was reached and says no speaks for all of them.
            Some(Ok(Err(missed))) if missed.is_for_all() => {
                leave_others(running);
                return Err(missed);
            }
            Some(Ok(Err(missed))) => last = Some(missed.after(last)),
            Some(Err(error)) => last = Some(Missed::later(Failure::unavailable(error.to_string()))),
            None => {
                return Err(
                    last.unwrap_or_else(|| Missed::later(Failure::unavailable("no address is known")))
                );
            }
        }
    }
}

/// A link lives on without its handle: those that came second are closed.
fn leave_others(mut running: JoinSet<Result<Dialed, Missed>>) {
    running.abort_all();
    while let Some(done) = running.try_join_next() {
        if let Ok(Ok(dialed)) = done {
            dialed.link.close(1000, "another gateway was faster");
        }
    }
}

async fn one(manner: Manner, url: Url, bearer: Arc<Bearer>, place: usize) -> Result<Dialed, Missed> {
    let Manner { tls, proxy, config } = manner;
    let mut credentials = BearerCredentials(bearer.clone());
    let dialed = dial(Dial { url, tls, proxy, credentials: &mut credentials, config }).await;
    let (link, incoming) = dialed.map_err(|error| Missed::of(&error, &bearer))?;
    Ok(Dialed { link, incoming, place })
}

impl Missed {
    fn later(failure: Failure) -> Self {
        Self { failure, kind: MissedKind::Later(Duration::ZERO) }
    }

    /// A gateway that was reached and says no.
    fn is_for_all(&self) -> bool {
        match self.kind {
            MissedKind::Unauthenticated | MissedKind::Never => true,
            MissedKind::Away | MissedKind::Later(_) => false,
        }
    }

    /// With what became of the addresses before this one.
    fn after(self, before: Option<Self>) -> Self {
        match (self.kind, before) {
            (MissedKind::Away, Some(before)) => Self { kind: before.kind, ..self },
            _ => self,
        }
    }

    pub(super) fn never(failure: Failure) -> Self {
        Self { failure, kind: MissedKind::Never }
    }

    fn of(error: &DialError, bearer: &Bearer) -> Self {
        let DialError::Refused { refused } = error else {
            let failure = Failure::unavailable(chain(error)).then("postern status");
            let is_ours =
                matches!(error, DialError::Url(_) | DialError::Trust(_) | DialError::ProxyScheme { .. });
            if is_ours {
                return Self::never(failure);
            }
            let kind = if is_away(error) { MissedKind::Away } else { MissedKind::Later(Duration::ZERO) };
            return Self { failure, kind };
        };
        let Refused { status, detail, retry_after, .. } = refused;
        let told = detail.clone().unwrap_or_else(|| format!("the gateway answered {status}"));
        let pause = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let (kind, failure) = match status.as_u16() {
            401 if bearer.is_service_account() => (
                MissedKind::Unauthenticated,
                Failure::new(code::DENIED, "the gateway does not accept POSTERN_TOKEN"),
            ),
            401 => (
                MissedKind::Unauthenticated,
                Failure::signed_out("the gateway does not accept your sign-in any more"),
            ),
            403 => (MissedKind::Never, Failure::new(code::DENIED, told)),
            _ => (MissedKind::Later(pause), Failure::unavailable(told)),
        };
        Self { failure, kind }
    }
}

/// Whether nobody was there who could have said anything.
fn is_away(error: &DialError) -> bool {
    let (DialError::Connect { source, .. } | DialError::Tls { source, .. } | DialError::Io(source)) = error
    else {
        return false;
    };
    is_absence(source.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, ErrorKind};

    #[test]
    fn only_who_is_not_there_is_waited_for() {
        let host = || "gateway".to_owned();
        let source = |kind| io::Error::from(kind);
        let away = [
            DialError::Connect { host: host(), source: source(ErrorKind::ConnectionRefused) },
            DialError::Tls { host: host(), source: source(ErrorKind::UnexpectedEof) },
            DialError::Io(source(ErrorKind::ConnectionReset)),
        ];
        assert!(away.iter().all(is_away));
        let wrong = [
            DialError::Resolve { host: host(), source: source(ErrorKind::NotFound) },
            DialError::Tls { host: host(), source: source(ErrorKind::InvalidData) },
            DialError::Connect { host: host(), source: source(ErrorKind::HostUnreachable) },
        ];
        assert!(!wrong.iter().any(is_away));
    }

    #[test]
    fn one_address_that_fails_otherwise_is_no_gateway_that_restarts() {
        let missed = |kind| Missed { failure: Failure::unavailable("away"), kind };
        let of = |first, second| missed(second).after(Some(missed(first))).kind;
        let later = MissedKind::Later(Duration::ZERO);
        assert_eq!(of(MissedKind::Away, MissedKind::Away), MissedKind::Away);
        assert_eq!(of(later, MissedKind::Away), later);
        assert_eq!(of(MissedKind::Away, later), later);
    }
}
