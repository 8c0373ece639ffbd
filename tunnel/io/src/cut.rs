//! The order to end a session, given once and heard by whoever carries it.

use postern_ids::Ended;
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};
use tokio::sync::Notify;

/// No [`Ended`] has this code.
const NOT_CUT: u16 = 0;

/// A session's cut: cheap to clone, given at most once, heard by every clone.
#[derive(Debug, Clone, Default)]
pub struct Cut(Arc<State>);

#[derive(Debug, Default)]
struct State {
    code: AtomicU16,
    given: Notify,
}

impl Cut {
    /// A cut that nobody has given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Orders the end. The first order counts: returns false, and changes nothing, if one was given before.
    pub fn cut(&self, ended: Ended) -> bool {
        let first =
            self.0.code.compare_exchange(NOT_CUT, ended.code(), Ordering::AcqRel, Ordering::Acquire).is_ok();
        if first {
            self.0.given.notify_waiters();
        }
        first
    }

    /// Why the session is to end, if it is.
    pub fn ended(&self) -> Option<Ended> {
        match self.0.code.load(Ordering::Acquire) {
            NOT_CUT => None,
            code => Ended::from_code(code),
        }
    }

    /// Waits for the order. Never returns if it is never given.
    pub async fn wait(&self) -> Ended {
        loop {
            // Registered before the check: an order that lands between the two must wake this waiter.
            let mut given = std::pin::pin!(self.0.given.notified());
            given.as_mut().enable();
            if let Some(ended) = self.ended() {
                return ended;
            }
            given.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_order_counts_and_every_clone_hears_it() {
        let cut = Cut::new();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let cut = cut.clone();
                tokio::spawn(async move { cut.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(cut.cut(Ended::Revoked));
        assert!(!cut.cut(Ended::Expired));
        for waiter in waiters {
            assert_eq!(waiter.await.ok(), Some(Ended::Revoked));
        }
        assert_eq!(cut.wait().await, Ended::Revoked);
    }
}
