//! Streams that outlive their link: what all streams of one command share, and how one of them is carried to its end.

pub(super) mod lane;
mod progress;
mod session;

use super::way::Way;
use crate::{
    failure::Failure,
    home::{Home, Profile},
    renewal::Keeper,
    resource::ResourceRef,
};
use postern_ids::{DecisionId, Ended, StreamId};
use postern_tunnel_io::{
    Cut,
    stream::{Carry, Local, Over, StreamConfig, StreamKey, carry},
};
use progress::Progress;
use session::Session;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The variable that turns resuming off, or says for how long it is tried.
const VARIABLE: &str = "POSTERN_RESUME";
/// Longer than any connector keeps a stream.
const WINDOW_MAX_SECONDS: u64 = 86_400;

/// Whether streams outlive their link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// A lost link ends them.
    Off,
    /// They wait for another one for this long.
    Within(Duration),
}

impl Resume {
    /// What the environment says; by default as long as a connector waits.
    pub(super) fn from_env() -> Result<Self, Failure> {
        Self::parse(std::env::var(VARIABLE).unwrap_or_default().trim())
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        match (text, text.parse()) {
            ("" | "on", _) => Ok(Self::Within(StreamConfig::default().window)),
            ("off", _) => Ok(Self::Off),
            (_, Ok(seconds @ 1..=WINDOW_MAX_SECONDS)) => Ok(Self::Within(Duration::from_secs(seconds))),
            _ => Err(Failure::usage(format!(
                "{VARIABLE} is {text:?}; it can be on, off, or a number of seconds"
            ))),
        }
    }
}

/// What one command is about: a resource, and the way there, which all its streams share.
pub(super) struct Errand {
    pub(super) home: Home,
    pub(super) resource: ResourceRef,
    pub(super) way: Way,
    config: StreamConfig,
    progress: Progress,
    keeper: Keeper,
}

impl Errand {
    /// Begins; nothing is dialed before the first stream, or before `Way::link` is asked.
    pub(super) fn begin(home: &Home, profile: Profile, resource: &ResourceRef, resume: Resume) -> Arc<Self> {
        let mut config = StreamConfig::default();
        if let Resume::Within(window) = resume {
            config.window = window;
        }
        Arc::new(Self {
            home: home.clone(),
            resource: resource.clone(),
            way: Way::new(home, profile.clone()),
            config,
            progress: Progress::start(home, resource),
            // Beside the streams: the next dial, and the next command, find fresh tokens.
            keeper: Keeper::start(home.clone(), profile),
        })
    }

    /// Carries what comes and goes at `local` to the resource until both directions have ended, over as many links as it
    /// takes.
    pub(super) async fn carry<L: Local>(self: &Arc<Self>, mut local: L, cut: Cut) -> Result<(), Failure> {
        // The window runs from the stream's beginning: a person may take longer to sign in.
        if let Err(failure) = self.way.link().await {
            local.abort();
            return Err(failure);
        }
        let key = StreamKey::generate().map_err(|error| Failure::unavailable(error.to_string()))?;
        let id = StreamId::from_bytes(rand::random());
        let verdict = Verdict::default();
        let session = Session::new(self.clone(), verdict.clone());
        let done = carry(Carry { local, id, key, config: self.config.clone(), cut }, session).await;
        verdict.on(done.over, || self.lost())
    }

    /// Gateway or connector did not come back in time.
    fn lost(&self) -> Failure {
        let window = self.config.window.as_secs();
        let cause = self.way.trouble().map(|trouble| format!(": {}", trouble.sentence)).unwrap_or_default();
        Failure::unavailable(format!(
            "the connection was lost and could not be made again within {window} s{cause}"
        ))
    }

    /// Leaves everything in order.
    pub(super) async fn finish(&self) {
        self.way.close().await;
        self.progress.finish();
        self.keeper.stop().await;
    }
}

/// How a stream ends, gathered by its session.
#[derive(Debug, Clone, Default)]
struct Verdict(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    /// Why its session gave up.
    told: Option<Failure>,
    /// By which it was admitted.
    decision: Option<DecisionId>,
    is_attached: bool,
}

impl Verdict {
    fn tell(&self, failure: Failure) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).told = Some(failure);
    }

    fn admitted(&self, decision: DecisionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).decision = Some(decision);
    }

    fn set_detached(&self, is_detached: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_attached = !is_detached;
    }

    fn on(&self, over: Over, lost: impl FnOnce() -> Failure) -> Result<(), Failure> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (found.told.take(), over.code) {
            // Everything arrived, whether or not somebody could still be told.
            (_, code) if code == Ended::Finished.code() => Ok(()),
            (Some(failure), _) => Err(failure),
            // Nobody refused it, and nothing carried it: its time was over.
            (None, code) if code == Ended::ResumeFailed.code() && !found.is_attached => Err(lost()),
            (None, code) => Err(Failure { decision: found.decision, ..Failure::ended(code) }),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn resuming_is_on_unless_the_environment_says_otherwise() {
        let within = |seconds| Resume::Within(Duration::from_secs(seconds));
        for (text, resume) in [("", within(120)), ("on", within(120)), ("off", Resume::Off), ("7", within(7))]
        {
            assert_eq!(Resume::parse(text).unwrap(), resume, "{text:?}");
        }
        for bad in ["no", "0", "-1", "1.5", "86401", "2m"] {
            assert_eq!(Resume::parse(bad).unwrap_err().code, 64, "{bad:?}");
        }
    }

    #[test]
    fn a_window_that_is_over_names_its_cause_and_every_other_end_its_reason() {
        let over = |code| Over { code, reason: "" };
        let lost = || Failure::unavailable("lost");
        let verdict = Verdict::default();
        assert_eq!(verdict.on(over(1000), lost), Ok(()));
        assert_eq!(verdict.on(over(4410), lost), Err(lost()));
        verdict.set_detached(false);
        assert_eq!(verdict.on(over(4410), lost), Err(Failure::ended(4410)), "the connector said so");
        assert_eq!(verdict.on(over(4412), lost).unwrap_err().code, 77);
        verdict.tell(Failure::signed_out("gone"));
        assert_eq!(verdict.on(over(4486), lost), Err(Failure::signed_out("gone")));
        verdict.tell(Failure::signed_out("gone"));
        assert_eq!(verdict.on(over(1000), lost), Ok(()), "everything had arrived");
    }
}
