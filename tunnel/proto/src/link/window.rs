//! The receive window of one lane: what the peer may send, and when it may send more.

use super::Limits;
use crate::frame::CREDIT_MAX;
use std::time::{Duration, Instant};

/// What a window falls to while the link or the process holds too much.
pub(super) const WINDOW_UNDER_PRESSURE: u32 = 64 * 1024;

#[derive(Debug)]
pub(super) struct Window {
    /// The size that is aimed at.
    size: u32,
    /// Bytes that the peer may still send.
    allowance: u32,
    /// Bytes that came and were not consumed: in the queue or in the application's hands.
    held: u32,
    /// Bytes consumed since `since`, to measure the application's rate.
    consumed: u32,
    since: Option<Instant>,
}

impl Window {
    pub(super) fn new(size: u32) -> Self {
        Self { size, allowance: size, held: 0, consumed: 0, since: None }
    }

    /// The peer sent `bytes`; false when that is more than it was granted.
    pub(super) fn receive(&mut self, bytes: u32) -> bool {
        let Some(left) = self.allowance.checked_sub(bytes) else { return false };
        self.allowance = left;
        self.held = self.held.saturating_add(bytes);
        true
    }

    /// Bytes that the peer may still send.
    pub(super) fn allowance(&self) -> u32 {
        self.allowance
    }

    /// Bytes that came and were not consumed.
    pub(super) fn held(&self) -> u32 {
        self.held
    }

    /// The application is done with `bytes`; gives back how many were really held.
    pub(super) fn consume(&mut self, bytes: u32, now: Instant) -> u32 {
        let bytes = bytes.min(self.held);
        self.held = self.held.saturating_sub(bytes);
        self.consumed = self.consumed.saturating_add(bytes);
        self.since.get_or_insert(now);
        bytes
    }

    /// Whether enough was consumed to say something about the rate; a round trip should be known then.
    pub(super) fn is_measured(&self) -> bool {
        self.consumed >= self.size / 2
    }

    /// Grows with twice the bandwidth-delay product of what was measured, never further and at most to the double.
    pub(super) fn grow(&mut self, rtt: Duration, limits: &Limits, now: Instant) {
        let Some(since) = self.since.filter(|_| self.is_measured()) else { return };
        let took = now.saturating_duration_since(since).as_micros().max(1);
        let product = u128::from(self.consumed).saturating_mul(rtt.as_micros()) / took;
        let target = u32::try_from(product.saturating_mul(2)).unwrap_or(CREDIT_MAX);
        let most = self.size.saturating_mul(2).min(limits.window_max).max(self.size);
        self.size = target.clamp(self.size, most);
        (self.consumed, self.since) = (0, Some(now));
    }

    /// What a Credit should grant now; 0 while it is not worth a frame. Half a window at a time: each grant wakes the
    /// sender and a quarter at a time cost a tenth more CPU per byte, while the other half keeps the path busy.
    pub(super) fn grant(&self, pressed: bool) -> u32 {
        let size = if pressed { self.size.min(WINDOW_UNDER_PRESSURE) } else { self.size };
        let room = size.saturating_sub(self.allowance).saturating_sub(self.held);
        if room >= size / 2 { room } else { 0 }
    }

    pub(super) fn granted(&mut self, bytes: u32) {
        self.allowance = self.allowance.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u32 = 1024;

    fn grown(rtt: Duration, per_second: u32) -> u32 {
        let (mut window, mut now, limits) = (Window::new(256 * KIB), crate::epoch(), Limits::default());
        for _ in 0..100 {
            let grant = window.grant(false);
            window.granted(grant);
            // What arrives in a round trip is the window or the path's rate, whichever is less.
            let path =
                u32::try_from(u128::from(per_second) * rtt.as_micros() / 1_000_000).unwrap_or(u32::MAX);
            let bytes = window.allowance().min(path.max(KIB));
            assert!(window.receive(bytes));
            now += rtt;
            window.consume(bytes, now);
            window.grow(rtt, &limits, now);
        }
        window.size
    }

    #[test]
    fn a_window_stays_small_on_a_short_path_and_grows_on_a_long_fat_one() {
        assert_eq!(grown(Duration::from_micros(100), 500_000_000), 256 * KIB);
        let fat = grown(Duration::from_millis(50), 50_000_000);
        assert!((2_500_000..=5_500_000).contains(&fat), "{fat}");
        assert_eq!(grown(Duration::from_millis(300), 500_000_000), 8 * KIB * KIB);
        assert_eq!(grown(Duration::from_millis(50), 1_000_000), 256 * KIB);
    }

    #[test]
    fn credit_is_given_in_halves_and_never_beyond_the_window() {
        let (mut window, now) = (Window::new(256 * KIB), crate::epoch());
        assert!(window.receive(200 * KIB));
        assert_eq!(window.consume(120 * KIB, now), 120 * KIB);
        assert_eq!(window.grant(false), 0);
        window.consume(10 * KIB, now);
        assert_eq!(window.grant(false), 130 * KIB);
        assert_eq!(window.grant(true), 0);
        assert!(!window.receive(57 * KIB));
        assert_eq!(window.consume(u32::MAX, now), 70 * KIB);
    }
}
