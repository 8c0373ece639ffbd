//! How many frames that carry nothing a peer may send (H15): each has to be answered, and the library answers them all.

use std::time::{Duration, Instant};

/// PING and SETTINGS frames within one window. A browser sends a handful in a day.
const FRAMES_MAX: u32 = 100;
const WINDOW: Duration = Duration::from_secs(10);
/// What else was sent since the last such frame makes the next one a measurement of it, as gRPC makes them all the time.
const USEFUL: u64 = 32;

/// The count of one connection.
#[derive(Debug)]
pub(super) struct Calm {
    since: Instant,
    frames: u32,
    /// Bytes that were sent to the peer, the acknowledgements among them, and those that it was owed.
    sent: u64,
    owed: u64,
    /// How much beside acknowledgements had been sent at the last frame that did not count.
    useful: u64,
}

impl Calm {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, frames: 0, sent: 0, owed: 0, useful: 0 }
    }

    /// So many bytes were sent to the peer.
    pub(super) fn handle_sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Such a frame came; its acknowledgement has so many bytes. Whether that is still bearable.
    pub(super) fn handle_frame(&mut self, acknowledgement: u64, now: Instant) -> bool {
        let useful = self.sent.saturating_sub(self.owed);
        self.owed = self.owed.saturating_add(acknowledgement);
        if useful >= self.useful + USEFUL {
            self.useful = useful;
            return true;
        }
        if now.saturating_duration_since(self.since) >= WINDOW {
            (self.since, self.frames) = (now, 0);
        }
        self.frames += 1;
        self.frames <= FRAMES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u64 = 17;

    #[test]
    fn h15_more_than_100_pings_in_10_seconds_are_too_many() {
        let now = Instant::now();
        let mut calm = Calm::new(now);
        for _ in 0..100 {
            assert!(calm.handle_frame(PING, now));
            calm.handle_sent(17);
        }
        assert!(!calm.handle_frame(PING, now));
        assert!(calm.handle_frame(PING, now + WINDOW), "the next window is another");
    }

    #[test]
    fn h15_acknowledgements_that_were_sent_at_once_buy_nothing() {
        let now = Instant::now();
        let mut calm = Calm::new(now);
        let mut bearable = 0;
        for _ in 0..20 {
            bearable += (0..10).filter(|_| calm.handle_frame(PING, now)).count();
            calm.handle_sent(170);
        }
        assert_eq!(bearable, 100);
    }

    #[test]
    fn a_ping_with_each_answer_is_no_flood() {
        let now = Instant::now();
        let mut calm = Calm::new(now);
        for _ in 0..1_000 {
            calm.handle_sent(17 + 60);
            assert!(calm.handle_frame(PING, now));
        }
    }
}
