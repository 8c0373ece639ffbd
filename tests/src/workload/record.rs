//! One record of a checked stream: who sent it, which one it is, and a sum over all of it.

/// Magic, length, stream, sequence number, sum.
pub(super) const HEADER_BYTES: usize = 32;

/// A longer one is damage.
pub(super) const PAYLOAD_MAX: usize = 64 * 1024;

const MAGIC: [u8; 4] = *b"pRec";

/// A record as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) stream: u64,
    pub(super) sequence: u64,
    pub(super) bytes: usize,
}

/// What the beginning of some bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Too little to tell.
    Part,
    /// A whole record.
    Whole(Record),
    /// No record.
    Damage,
}

/// Writes a record; its payload follows from stream and sequence number.
pub(super) fn write(stream: u64, sequence: u64, payload_bytes: usize) -> Vec<u8> {
    let payload_bytes = payload_bytes.min(PAYLOAD_MAX);
    let mut record = Vec::with_capacity(HEADER_BYTES + payload_bytes);
    record.extend_from_slice(&MAGIC);
    record.extend_from_slice(&u32::try_from(payload_bytes).unwrap_or(0).to_be_bytes());
    record.extend_from_slice(&stream.to_be_bytes());
    record.extend_from_slice(&sequence.to_be_bytes());
    record.extend_from_slice(&[0; 8]);
    let mut word = stream.rotate_left(32) ^ sequence ^ 0x9e37_79b9_7f4a_7c15;
    while record.len() < HEADER_BYTES + payload_bytes {
        word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let room = (HEADER_BYTES + payload_bytes - record.len()).min(8);
        record.extend_from_slice(word.to_le_bytes().get(..room).unwrap_or_default());
    }
    let sum = sum(&record).to_be_bytes();
    record.splice(24..HEADER_BYTES, sum);
    record
}

/// Reads the record at the beginning of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Found {
    let magic = bytes.get(..MAGIC.len().min(bytes.len())).unwrap_or_default();
    if !MAGIC.starts_with(magic) {
        return Found::Damage;
    }
    if bytes.len() < HEADER_BYTES {
        return Found::Part;
    }
    let payload = usize::try_from(number(bytes, 4, 4)).unwrap_or(usize::MAX);
    if payload > PAYLOAD_MAX {
        return Found::Damage;
    }
    let Some(record) = bytes.get(..HEADER_BYTES + payload) else { return Found::Part };
    if number(record, 24, 8) != sum(record) {
        return Found::Damage;
    }
    Found::Whole(Record {
        stream: number(record, 8, 8),
        sequence: number(record, 16, 8),
        bytes: record.len(),
    })
}

/// A big-endian number of `length` bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let digits = bytes.get(at..at + length).unwrap_or_default();
    digits.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A sum that every byte but its own eight counts in, with its place.
fn sum(record: &[u8]) -> u64 {
    let counted = record.get(..24).into_iter().chain(record.get(HEADER_BYTES..)).flatten();
    counted.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for payload in [0, 1, 7, 8, 1000, PAYLOAD_MAX] {
            let bytes = write(3, 9, payload);
            let whole = Found::Whole(Record { stream: 3, sequence: 9, bytes: HEADER_BYTES + payload });
            assert_eq!(read(&bytes), whole);
            assert_eq!(read(bytes.get(..bytes.len() - 1).unwrap_or_default()), Found::Part);
        }
    }

    #[test]
    fn one_changed_bit_is_seen() {
        let good = write(3, 9, 50);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad.splice(at..=at, [good.get(at).map_or(0, |byte| byte ^ 4)]);
            assert!(!matches!(read(&bad), Found::Whole(_)), "byte {at}");
        }
    }
}
