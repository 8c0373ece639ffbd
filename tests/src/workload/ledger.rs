//! Exact accounts of a checked stream: what came, what is missing, what came twice.

use super::record::{self, Found, Record};

/// What a ledger came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that came as they should.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that were skipped.
    pub lost: u64,
    /// Records that came again, or after a later one.
    pub doubled: u64,
    /// Bytes that belong to no record.
    pub damaged: u64,
    /// Records of another stream.
    pub foreign: u64,
}

impl Tally {
    /// Whether every record came once, in order, unharmed.
    pub fn is_clean(&self) -> bool {
        (self.lost, self.doubled, self.damaged, self.foreign) == (0, 0, 0, 0)
    }

    /// With what another ledger came to.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            damaged: self.damaged + other.damaged,
            foreign: self.foreign + other.foreign,
        }
    }

    /// Without what was counted before.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            records: self.records - before.records,
            bytes: self.bytes - before.bytes,
            lost: self.lost - before.lost,
            doubled: self.doubled - before.doubled,
            damaged: self.damaged - before.damaged,
            foreign: self.foreign - before.foreign,
        }
    }
}

/// Takes the bytes of a stream as they come.
#[derive(Debug, Default)]
pub struct Ledger {
    stream: Option<u64>,
    next: u64,
    pending: Vec<u8>,
    tally: Tally,
}

impl Ledger {
    /// Takes what came next.
    pub fn take(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            match record::read(self.pending.get(at..).unwrap_or_default()) {
                Found::Part => break,
                Found::Whole(record) => {
                    self.enter(record);
                    at += record.bytes;
                }
                Found::Damage => {
                    self.tally.damaged += 1;
                    at += 1;
                }
            }
        }
        self.pending.drain(..at);
    }

    fn enter(&mut self, record: Record) {
        if *self.stream.get_or_insert(record.stream) != record.stream {
            self.tally.foreign += 1;
        } else if record.sequence < self.next {
            self.tally.doubled += 1;
        } else {
            self.tally.lost += record.sequence - self.next;
            self.tally.records += 1;
            self.tally.bytes += u64::try_from(record.bytes).unwrap_or(u64::MAX);
            self.next = record.sequence + 1;
        }
    }

    /// The accounts so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The stream that it counts, once it is known.
    pub fn stream(&self) -> Option<u64> {
        self.stream
    }

    /// The sequence number that is due.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Bytes of a record that did not come whole.
    pub fn cut_off(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(count: u64) -> Vec<Vec<u8>> {
        (0..count).map(|sequence| record::write(1, sequence, 100)).collect()
    }

    fn counted(bytes: &[u8], piece: usize) -> Tally {
        let mut ledger = Ledger::default();
        bytes.chunks(piece).for_each(|piece| ledger.take(piece));
        ledger.tally()
    }

    #[test]
    fn a_whole_stream_is_clean_in_pieces_of_any_size() {
        let bytes = stream(20).concat();
        for piece in [1, 7, 131, 132, 133, 5000] {
            let tally = counted(&bytes, piece);
            assert_eq!((tally.records, tally.is_clean()), (20, true), "{piece}");
        }
    }

    #[test]
    fn a_lost_byte_is_seen_and_costs_its_record() {
        let mut bytes = stream(20).concat();
        bytes.remove(132 * 5 + 40);
        let tally = counted(&bytes, 64);
        assert_eq!((tally.records, tally.lost), (19, 1));
        assert!(tally.damaged > 0);
    }

    #[test]
    fn a_doubled_and_a_swapped_record_are_seen() {
        let mut records = stream(20);
        let again = records.get(3).cloned().unwrap_or_default();
        records.insert(5, again);
        assert_eq!(counted(&records.concat(), 64).doubled, 1);
        let mut records = stream(20);
        records.swap(7, 8);
        let tally = counted(&records.concat(), 64);
        assert_eq!((tally.lost, tally.doubled), (1, 1));
    }

    #[test]
    fn bytes_of_another_stream_are_seen() {
        let mut records = stream(3);
        records.push(record::write(2, 3, 100));
        assert_eq!(counted(&records.concat(), 64).foreign, 1);
    }
}
