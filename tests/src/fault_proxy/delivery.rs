//! What was read and is not due yet: delay, jitter, throttle and loss, in order.

use super::path::Path;
use crate::chance::Chance;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What was read at once.
pub(super) type Piece = Vec<u8>;

/// A path that is long and wide holds this much on its way; then the reader waits.
const WAITING_MAX_BYTES: usize = 16 * 1024 * 1024;

/// How long a sender takes to find out that a piece was lost, beside the delay: the shortest retransmission timeout of Linux.
const RETRANSMIT_AFTER: Duration = Duration::from_millis(200);

/// The pieces on their way, with the time at which each arrives.
#[derive(Debug)]
pub(super) struct Delivery {
    pieces: VecDeque<(Instant, Piece)>,
    bytes: usize,
    last: Option<Instant>,
    chance: Chance,
}

impl Delivery {
    pub(super) fn new(chance: Chance) -> Self {
        Self { pieces: VecDeque::new(), bytes: 0, last: None, chance }
    }

    /// Sends a piece on its way.
    pub(super) fn put(&mut self, piece: Piece, path: &Path, now: Instant) {
        let mut due = now + path.delay + self.chance.between(Duration::ZERO, path.jitter);
        if self.chance.percent(path.loss_percent) {
            due += RETRANSMIT_AFTER + path.delay * 2;
        }
        let mut due = self.last.map_or(due, |last| due.max(last));
        if let Some(rate) = path.bytes_per_second {
            let nanoseconds = piece.len() as u128 * 1_000_000_000 / u128::from(rate.get());
            due += Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        }
        self.last = Some(due);
        self.bytes += piece.len();
        self.pieces.push_back((due, piece));
    }

    /// The next piece, if it has arrived.
    pub(super) fn due(&mut self, now: Instant) -> Option<Piece> {
        let (_, piece) = self.pieces.pop_front_if(|(due, _)| *due <= now)?;
        self.bytes -= piece.len();
        Some(piece)
    }

    /// How long until the next piece arrives.
    pub(super) fn next_due(&self, now: Instant) -> Option<Duration> {
        self.pieces.front().map(|(due, _)| due.saturating_duration_since(now))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= WAITING_MAX_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_and_loss_never_reorder() {
        let path = Path {
            delay: Duration::from_millis(10),
            jitter: Duration::from_millis(40),
            loss_percent: 30,
            ..Path::default()
        };
        let mut delivery = Delivery::new(Chance::new(5));
        let start = Instant::now();
        for number in 0..200_u8 {
            delivery.put(vec![number], &path, start + Duration::from_millis(u64::from(number)));
        }
        assert_eq!(delivery.due(start + Duration::from_millis(9)), None);
        let late = start + Duration::from_secs(60);
        let order: Vec<u8> = std::iter::from_fn(|| delivery.due(late)).flatten().collect();
        assert_eq!(order, (0..200).collect::<Vec<u8>>());
        assert!(delivery.is_empty());
    }

    #[test]
    fn a_throttle_spaces_pieces_by_their_size() {
        let mut delivery = Delivery::new(Chance::new(5));
        let (start, path) = (Instant::now(), Path::throttled(1000));
        delivery.put(vec![0; 500], &path, start);
        delivery.put(vec![0; 500], &path, start);
        let at = |millis| start + Duration::from_millis(millis);
        assert!(delivery.due(at(499)).is_none());
        assert!(delivery.due(at(500)).is_some());
        assert!(delivery.due(at(999)).is_none());
        assert!(delivery.due(at(1000)).is_some());
    }
}
