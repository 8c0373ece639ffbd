//! The way to the gateway: one link that all streams of a command share, dialed when it is needed and again when it was
//! lost. However many streams wait for it, it is dialed once.

mod dial;

use crate::{
    failure::{Failure, code},
    home::{Home, Profile},
    patience::Patience,
    renewal::{self, Offer, Renewal},
};
use dial::{Dialed, Manner, Missed, MissedKind};
use postern_tunnel_io::{Backoff, Event, Incoming, Link, LinkConfig, Proxy};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::watch, time};

/// How long the end of a session may take to reach the gateway.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often a link is looked at that is to be left once its last lane is gone.
const LEAVE_POLL: Duration = Duration::from_millis(1);

/// A link that lanes can be opened on.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) link: Link,
    /// It was dialed with a token that was good then: sessions can begin on it.
    pub(super) is_fresh: bool,
    place: usize,
    /// Nothing further is to be opened on it.
    is_left: Arc<AtomicBool>,
}

impl Kept {
    fn is_usable(&self) -> bool {
        !self.link.is_closed() && !self.is_left.load(Ordering::Relaxed)
    }
}

/// The way; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Way(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    home: Home,
    profile: Profile,
    manner: Manner,
    /// The address that is dialed first.
    first: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    /// Who tells what comes of the dialing that is under way.
    dialing: Weak<watch::Sender<News>>,
    /// Why the last attempt failed, while nothing better is known.
    trouble: Option<Failure>,
}

/// What comes of dialing.
#[derive(Debug, Clone)]
enum News {
    Nothing,
    /// A round failed; the next one follows.
    Missed {
        failure: Failure,
        is_away: bool,
    },
    /// The link, or why there will be none.
    Done(Result<Kept, Failure>),
}

impl Way {
    /// The way to the profile's gateway.
    pub(super) fn new(home: &Home, profile: Profile) -> Self {
        let manner =
            Manner { tls: profile.trust().into(), proxy: Proxy::from_env(), config: LinkConfig::default() };
        let (first, state) = (AtomicUsize::new(0), Mutex::default());
        Self(Arc::new(Inner { home: home.clone(), profile, manner, first, state }))
    }

    /// A link to begin something on. Whatever keeps from it is told at once, but for a gateway that may be restarting; the
    /// person may be asked to sign in.
    pub(super) async fn link(&self) -> Result<Kept, Failure> {
        let (mut patience, mut is_renewed) = (Patience::begin(), false);
        loop {
            if let Some(kept) = self.kept().filter(|kept| kept.is_fresh) {
                return Ok(kept);
            }
            // Good from here on, so that the link is one to begin on.
            let shown = renewal::get(&self.0.home, &self.0.profile).await?;
            let mut news = self.dial(|kept| kept.is_fresh);
            // A dialing that stopped without a word is begun anew.
            if news.changed().await.is_err() {
                continue;
            }
            let told = news.borrow().clone();
            let failure = match told {
                News::Done(Ok(kept)) if kept.is_fresh => return Ok(kept),
                News::Missed { is_away: true, .. } if patience.lasts() => continue,
                News::Done(Err(failure)) | News::Missed { failure, .. } => failure,
                News::Done(Ok(_)) | News::Nothing => continue,
            };
            let is_refused = failure.code == code::DENIED && !shown.is_service_account();
            if !is_refused || std::mem::replace(&mut is_renewed, true) {
                return Err(failure);
            }
            renewal::again(&self.0.home, &self.0.profile, &shown).await?;
        }
    }

    /// A link to go on with, however long it takes. An error is final.
    pub(super) async fn link_again(&self) -> Result<Kept, Failure> {
        loop {
            if let Some(kept) = self.kept() {
                return Ok(kept);
            }
            let mut news = self.dial(|_| true);
            while news.changed().await.is_ok() {
                if let News::Done(done) = &*news.borrow_and_update() {
                    return done.clone();
                }
            }
        }
    }

    /// Opens nothing further on this link. With `to_next`, the next address has its turn.
    pub(super) fn leave(&self, kept: &Kept, to_next: bool) {
        self.0.leave(kept, to_next);
        if kept.link.lanes() == 0 {
            kept.link.close(1000, "not needed any more");
        }
    }

    /// How many addresses there are.
    pub(super) fn addresses(&self) -> usize {
        self.0.profile().link_urls("/").len()
    }

    /// Keeps why an attempt failed.
    pub(super) fn note(&self, trouble: Failure) {
        self.0.lock().trouble = Some(trouble);
    }

    /// Why the last attempt failed, if none succeeded since.
    pub(super) fn trouble(&self) -> Option<Failure> {
        self.0.lock().trouble.clone()
    }

    /// Whether there is no link.
    pub(super) fn is_lost(&self) -> bool {
        self.kept().is_none()
    }

    /// Leaves the gateway in order: an end that is still on its way would be taken for a lost client.
    pub(super) async fn close(&self) {
        let Some(Kept { link, .. }) = self.0.lock().kept.take() else { return };
        let sent = async {
            while link.lanes() > 0 && !link.is_closed() {
                time::sleep(LEAVE_POLL).await;
            }
            link.close(1000, "done");
            // Not only ended: written. A process that goes before leaves the session waiting for it.
            link.gone().await;
        };
        let _ = time::timeout(LAST_WORDS, sent).await;
    }

    fn kept(&self) -> Option<Kept> {
        self.0.lock().kept.clone().filter(Kept::is_usable)
    }

    /// The news of the dialing that is under way; it is begun unless a link that does is there meanwhile.
    fn dial(&self, does: impl Fn(&Kept) -> bool) -> watch::Receiver<News> {
        let mut state = self.0.lock();
        let kept = state.kept.clone().filter(|kept| kept.is_usable() && does(kept));
        if let (None, Some(dialing)) = (&kept, state.dialing.upgrade()) {
            return dialing.subscribe();
        }
        let (sender, receiver) = watch::channel(News::Nothing);
        match kept {
            Some(kept) => drop(sender.send(News::Done(Ok(kept)))),
            None => {
                let sender = Arc::new(sender);
                state.dialing = Arc::downgrade(&sender);
                tokio::spawn(self.0.clone().keep_dialing(sender));
            }
        }
        receiver
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The profile with the addresses as they were told last.
    fn profile(&self) -> Profile {
        let kept = Profile::load(&self.home).ok().flatten();
        kept.filter(|kept| kept.gateway == self.profile.gateway).unwrap_or_else(|| self.profile.clone())
    }

    /// Dials round after round, until there is a link, a final no, or nobody who waits.
    async fn keep_dialing(self: Arc<Self>, news: Arc<watch::Sender<News>>) {
        let (mut renewal, mut backoff) = (Renewal::default(), Backoff::default());
        loop {
            let missed = match self.round(&mut renewal).await {
                Ok(kept) => return self.done(&news, Ok(kept)),
                Err(missed) => missed,
            };
            let (pause, is_away) = match missed.kind {
                MissedKind::Away => (Duration::ZERO, true),
                MissedKind::Later(pause) => (pause, false),
                MissedKind::Unauthenticated | MissedKind::Never => {
                    return self.done(&news, Err(missed.failure));
                }
            };
            self.lock().trouble = Some(missed.failure.clone());
            let _ = news.send(News::Missed { failure: missed.failure, is_away });
            time::sleep(pause.max(backoff.next(rand::random(), Instant::now()))).await;
            let mut state = self.lock();
            if news.receiver_count() == 0 {
                state.dialing = Weak::new();
                return;
            }
        }
    }

    fn done(&self, news: &watch::Sender<News>, done: Result<Kept, Failure>) {
        let mut state = self.lock();
        state.dialing = Weak::new();
        if let Ok(kept) = &done {
            state.trouble = None;
            let older = state.kept.replace(kept.clone());
            if let Some(older) = older.filter(|older| older.link.lanes() == 0) {
                older.link.close(1000, "not needed any more");
            }
        }
        drop(state);
        let _ = news.send(News::Done(done));
    }

    async fn round(self: &Arc<Self>, renewal: &mut Renewal) -> Result<Kept, Missed> {
        let profile = self.profile();
        loop {
            let Offer { bearer, is_fresh } =
                renewal.offer(&self.home, &profile).await.map_err(Missed::never)?;
            let (bearer, first) = (Arc::new(bearer), self.first.load(Ordering::Relaxed));
            let missed =
                match dial::round(&self.manner, &profile.link_urls("/tunnel/client"), first, &bearer).await {
                    Ok(dialed) => return Ok(self.keep(dialed, is_fresh)),
                    Err(missed) => missed,
                };
            return Err(match missed.kind {
                // The next refresh may succeed, or the gateway have its store back.
                MissedKind::Unauthenticated if !is_fresh => {
                    Missed { kind: MissedKind::Later(Duration::ZERO), ..missed }
                }
                // By this machine's clock it is good: another one settles whose mistake it is.
                MissedKind::Unauthenticated if renewal.refused(&bearer) => continue,
                MissedKind::Unauthenticated | MissedKind::Never | MissedKind::Away | MissedKind::Later(_) => {
                    missed
                }
            });
        }
    }

    fn keep(self: &Arc<Self>, dialed: Dialed, is_fresh: bool) -> Kept {
        let Dialed { link, incoming, place } = dialed;
        self.first.store(place, Ordering::Relaxed);
        let kept = Kept { link, is_fresh, place, is_left: Arc::default() };
        tokio::spawn(self.clone().watch(incoming, kept.clone()));
        kept
    }

    /// Notes when the gateway leaves: what is opened later takes a link to the next one.
    async fn watch(self: Arc<Self>, mut incoming: Incoming, kept: Kept) {
        while let Some(event) = incoming.next().await {
            if matches!(event, Event::GoAway { .. }) {
                self.leave(&kept, true);
            }
        }
    }

    fn leave(&self, kept: &Kept, to_next: bool) {
        let was_left = kept.is_left.swap(true, Ordering::Relaxed);
        if to_next && !was_left {
            self.first.store(kept.place + 1, Ordering::Relaxed);
        }
    }
}
