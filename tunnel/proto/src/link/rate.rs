//! How fast the transport takes bytes, and how much of a bulk lane may go at once because of it.

use std::time::{Duration, Instant};

/// How long a bulk chunk may occupy the link: what waits behind it waits this long.
const CHUNK_MICROS: u128 = 5_000;
const CHUNK_MIN: usize = 4 * 1024;
const CHUNK_MAX: usize = 64 * 1024;
/// Before anything was measured: small enough for a slow link, large enough not to slow a fast one for long.
const CHUNK_START: usize = 32 * 1024;
/// A sample is complete after this much time of writing or this many bytes.
const SAMPLE_TIME: Duration = Duration::from_millis(10);
const SAMPLE_BYTES: u64 = 128 * 1024;

/// A moving average of how fast the transport takes what it is given. Time without a message in the transport does not
/// count, so that a source that pauses often does not make the link look slow.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// Bytes per second; `None` before the first sample.
    per_second: Option<u64>,
    /// The message that the transport has: since when.
    writing: Option<Instant>,
    bytes: u64,
    busy: Duration,
}

impl Rate {
    /// A message of `bytes` is handed to the transport.
    pub(super) fn start(&mut self, bytes: usize, now: Instant) {
        self.writing = Some(now);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// The transport took all of it.
    pub(super) fn flushed(&mut self, now: Instant) {
        let Some(since) = self.writing.take() else { return };
        self.busy += now.saturating_duration_since(since);
        if self.busy < SAMPLE_TIME && self.bytes < SAMPLE_BYTES {
            return;
        }
        let micros = self.busy.as_micros().max(1);
        let sample =
            u64::try_from(u128::from(self.bytes).saturating_mul(1_000_000) / micros).unwrap_or(u64::MAX);
        // A quarter of the new value: a burst into an empty socket buffer moves it a little, a slow link moves it soon.
        self.per_second = Some(
            self.per_second.map_or(sample, |old| (old / 4).saturating_mul(3).saturating_add(sample / 4)),
        );
        (self.bytes, self.busy) = (0, Duration::ZERO);
    }

    /// Bytes of one bulk chunk.
    pub(super) fn chunk(&self) -> usize {
        self.per_second.map_or(CHUNK_START, |rate| {
            let bytes = u128::from(rate).saturating_mul(CHUNK_MICROS) / 1_000_000;
            usize::try_from(bytes).unwrap_or(CHUNK_MAX).clamp(CHUNK_MIN, CHUNK_MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(bytes_per_message: usize, took: Duration) -> usize {
        let (mut rate, mut now) = (Rate::default(), crate::epoch());
        for _ in 0..100 {
            rate.start(bytes_per_message, now);
            now += took;
            rate.flushed(now);
        }
        rate.chunk()
    }

    #[test]
    fn a_chunk_is_five_milliseconds_of_the_link_within_its_bounds() {
        assert_eq!(measured(64 * 1024, Duration::from_micros(100)), CHUNK_MAX);
        assert_eq!(measured(64 * 1024, Duration::from_secs(1)), CHUNK_MIN);
        let middle = measured(10_000, Duration::from_millis(5));
        assert!((9_500..=10_000).contains(&middle), "{middle}");
    }
}
