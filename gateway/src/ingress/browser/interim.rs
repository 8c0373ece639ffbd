//! Interim answers (1xx). They stay here: the gateway says itself when it wants a body. An application that sends no end of
//! them is at fault (H19).

use super::answer::Trouble;
use http::Request;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::Notify;

/// Before an answer; more than any application has reason for.
const INTERIM_MAX: u32 = 16;

/// The interim answers to one request.
#[derive(Debug, Default)]
pub(super) struct Interim {
    seen: AtomicU32,
    full: Notify,
}

impl Interim {
    /// Counts those of a request that is about to be sent.
    pub(super) fn count<B>(request: &mut Request<B>) -> Arc<Self> {
        let interim = Arc::new(Self::default());
        let counts = Arc::clone(&interim);
        hyper::ext::on_informational(request, move |_| {
            if counts.seen.fetch_add(1, Ordering::Relaxed) >= INTERIM_MAX {
                counts.full.notify_one();
            }
        });
        interim
    }

    /// Completes when there were too many.
    pub(super) async fn too_many(&self) {
        self.full.notified().await;
    }

    /// The same, looked at once the answer is there: it may have come in the same breath.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        if self.seen.load(Ordering::Relaxed) > INTERIM_MAX { Err(Trouble::BadUpstream) } else { Ok(()) }
    }
}
