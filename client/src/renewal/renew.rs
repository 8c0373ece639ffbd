//! A new token for one that is at its end: refreshed, or asked from the person.

use crate::{
    bearer::Bearer,
    clock::now,
    failure::{Failure, code},
    home::{Home, Lock, Profile, Tokens},
    patience::Patience,
    sign_in::{self, Granted, RefreshError},
};
use postern_tunnel_io::Backoff;
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};
use tokio::{task::JoinHandle, time};
use zeroize::Zeroizing;

/// How long a command waits for another one that refreshes or asks the person to sign in.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a session that has lost its gateway waits for a new token before it shows the old one.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no new token.
#[derive(Debug)]
pub(super) enum NotRenewed {
    /// The sign-in is over.
    SignedOut(Failure),
    /// Nobody answered who could tell.
    NotNow(Failure),
}

impl From<NotRenewed> for Failure {
    fn from(not: NotRenewed) -> Self {
        match not {
            NotRenewed::SignedOut(failure) | NotRenewed::NotNow(failure) => failure,
        }
    }
}

/// Which tokens are not good enough any more, and what may be done about it.
#[derive(Debug, Default)]
pub(super) struct Stale {
    /// The gateway refused this one, whatever this machine's clock says.
    pub(super) refused: Option<Zeroizing<String>>,
    /// The person may be asked to sign in again.
    pub(super) may_ask: bool,
}

impl Stale {
    fn admits(&self, tokens: &Tokens) -> bool {
        let is_refused = self.refused.as_ref().is_some_and(|refused| **refused == tokens.access_token);
        tokens.is_fresh(now()) && !is_refused
    }
}

/// Refreshes, or has the person sign in again; one process at a time.
pub(super) async fn renew(home: &Home, profile: &Profile, stale: Stale) -> Result<Bearer, NotRenewed> {
    let gateway = profile.gateway.as_str();
    // Begun before the wait for the lock, so that many commands do not wait one after the other.
    let mut patience = if stale.may_ask { Patience::begin() } else { Patience::none() };
    let fresh = || Tokens::load(home, gateway).ok().flatten().filter(|tokens| stale.admits(tokens));
    let lock = Lock::take(home, WAIT_MAX, || fresh().is_none()).await.map_err(NotRenewed::NotNow)?;
    // Whoever held the lock before may have done it all.
    if let Some(tokens) = fresh() {
        return Ok(Bearer::of_sign_in(&tokens));
    }
    let Some(lock) = lock else { return Err(NotRenewed::NotNow(still_waiting())) };
    let Some(kept) = Tokens::load(home, gateway).map_err(NotRenewed::NotNow)? else {
        return Err(NotRenewed::SignedOut(Failure::signed_out("you are not signed in")));
    };
    let granted = match refresh(profile, &kept, &mut patience).await {
        Ok(granted) => granted,
        Err(RefreshError::Unavailable(failure) | RefreshError::Away(failure)) => {
            return Err(NotRenewed::NotNow(failure));
        }
        Err(RefreshError::Ended)
            if stale.may_ask && has_terminal() && !lock.was_asked_in_vain(home.began()) =>
        {
            ask(profile, &lock).await.map_err(NotRenewed::SignedOut)?
        }
        Err(RefreshError::Ended) => return Err(NotRenewed::SignedOut(expired())),
    };
    let tokens = granted.keep(home, profile).map_err(NotRenewed::NotNow)?;
    lock.note_settled().map_err(NotRenewed::NotNow)?;
    Ok(Bearer::of_sign_in(&tokens))
}

/// Has the person sign in again, and tells the commands that wait for it if they do not.
async fn ask(profile: &Profile, lock: &Lock) -> Result<Granted, Failure> {
    lock.note_asked()?;
    eprintln!("postern: your sign-in expired");
    let asked = sign_in::browser::sign_in(profile).await;
    if asked.is_err() {
        lock.note_asked()?;
    }
    asked
}

/// Refreshes. A gateway that is not there may be restarting.
async fn refresh(profile: &Profile, kept: &Tokens, patience: &mut Patience) -> Result<Granted, RefreshError> {
    let mut backoff = Backoff::default();
    loop {
        match sign_in::refresh(profile, kept).await {
            Err(RefreshError::Away(_)) if patience.lasts() => {
                time::sleep(backoff.next(rand::random(), Instant::now())).await;
            }
            done => return done,
        }
    }
}

fn still_waiting() -> Failure {
    let sentence = "your sign-in expired and another command still waits for a new one";
    Failure::new(code::DENIED, sentence).then("postern login")
}

/// One line: a hundred commands may say it at once.
fn expired() -> Failure {
    Failure::new(code::DENIED, "your sign-in expired; sign in again with `postern login`")
}

/// Under ssh, standard input and output are pipes and standard error is the terminal, if there is one.
fn has_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// What a gateway is shown when a session that lost it dials again.
#[derive(Debug)]
pub struct Offer {
    /// The token.
    pub bearer: Bearer,
    /// Whether it is good now. One that is not may still do: a gateway whose store is away accepts it for sessions that
    /// it knows.
    pub is_fresh: bool,
}

/// Renews tokens for sessions that wait: never longer than a moment, and without asking anybody.
#[derive(Debug, Default)]
pub struct Renewal {
    /// A refresh that was begun is never given up: its answer has the only token that gets the next one.
    running: Option<JoinHandle<Result<Bearer, NotRenewed>>>,
    refused: Option<Zeroizing<String>>,
}

impl Renewal {
    /// The best token that is to be had now. An error is final: there is no sign-in any more.
    pub async fn offer(&mut self, home: &Home, profile: &Profile) -> Result<Offer, Failure> {
        if let Some(bearer) = Bearer::from_env() {
            return Ok(Offer { bearer, is_fresh: true });
        }
        let Some(kept) = Tokens::load(home, profile.gateway.as_str())? else {
            return Err(Failure::signed_out("you are not signed in any more"));
        };
        let stale = Stale { refused: self.refused.clone(), may_ask: false };
        if stale.admits(&kept) {
            return Ok(Offer { bearer: Bearer::of_sign_in(&kept), is_fresh: true });
        }
        match self.renewed(home, profile, stale).await {
            Some(Ok(bearer)) => Ok(Offer { bearer, is_fresh: true }),
            Some(Err(NotRenewed::SignedOut(failure))) => Err(failure),
            Some(Err(NotRenewed::NotNow(_))) | None => {
                Ok(Offer { bearer: Bearer::of_sign_in(&kept), is_fresh: false })
            }
        }
    }

    /// Notes that the gateway does not accept a token that looked good; says whether another one is worth a try.
    pub fn refused(&mut self, bearer: &Bearer) -> bool {
        let is_first = self.refused.is_none() && !bearer.is_service_account();
        self.refused = Some(Zeroizing::new(bearer.secret().to_owned()));
        is_first
    }

    /// Notes that the gateway accepts what it is shown.
    pub fn accepted(&mut self) {
        self.refused = None;
    }

    async fn renewed(
        &mut self,
        home: &Home,
        profile: &Profile,
        stale: Stale,
    ) -> Option<Result<Bearer, NotRenewed>> {
        let running = self.running.get_or_insert_with(|| {
            let (home, profile) = (home.clone(), profile.clone());
            tokio::spawn(async move { renew(&home, &profile, stale).await })
        });
        let done = time::timeout(PATIENCE, running).await.ok()?;
        self.running = None;
        done.ok()
    }
}
