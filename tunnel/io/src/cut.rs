//! The orders to end a session, or only to let its lanes go: given once, and heard by whoever carries it.

use postern_ids::Ended;
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};
use tokio::sync::Notify;

/// No code on the wire is this one.
const NOT_GIVEN: u16 = 0;

/// A session's cut: cheap to clone, given at most once, heard by every clone.
#[derive(Debug, Clone, Default)]
pub struct Cut(Arc<State>);

/// The order to let a resumable session's lanes go without ending the session: cheap to clone, given at most once.
#[derive(Debug, Clone, Default)]
pub struct Detach(Arc<State>);

#[derive(Debug, Default)]
struct State {
    code: AtomicU16,
    given: Notify,
}

impl State {
    /// The first order counts.
    fn order(&self, code: u16) -> bool {
        let first = self.code.compare_exchange(NOT_GIVEN, code, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if first {
            self.given.notify_waiters();
        }
        first
    }

    fn ordered(&self) -> Option<u16> {
        Some(self.code.load(Ordering::Acquire)).filter(|code| *code != NOT_GIVEN)
    }

    async fn wait(&self) -> u16 {
        loop {
            // Registered before the check: an order that lands between the two must wake this waiter.
            let mut given = std::pin::pin!(self.given.notified());
            given.as_mut().enable();
            if let Some(code) = self.ordered() {
                return code;
            }
            given.await;
        }
    }
}

impl Cut {
    /// A cut that nobody has given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Orders the end. The first order counts: returns false, and changes nothing, if one was given before.
    pub fn cut(&self, ended: Ended) -> bool {
        self.0.order(ended.code())
    }

    /// Why the session is to end, if it is.
    pub fn ended(&self) -> Option<Ended> {
        self.0.ordered().and_then(Ended::from_code)
    }

    /// Waits for the order. Never returns if it is never given.
    pub async fn wait(&self) -> Ended {
        // Only codes of `Ended` are ordered.
        Ended::from_code(self.0.wait().await).unwrap_or(Ended::Lost)
    }
}

impl Detach {
    /// An order that nobody has given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Orders it, with the code that both lanes are reset with: `Ended::GatewayStopped` for a drain,
    /// `Refusal::Superseded` when a newer lane carries the stream. The first order counts: returns false, and changes
    /// nothing, if one was given before.
    pub fn detach(&self, code: u16) -> bool {
        self.0.order(code)
    }

    /// Waits for the order. Never returns if it is never given.
    pub async fn wait(&self) -> u16 {
        self.0.wait().await
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
