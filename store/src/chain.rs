//! Hash chains: each record's hash covers the one before it, so a record cannot be altered, removed or moved unnoticed.

use aws_lc_rs::digest::{Context, SHA256};
use postern_ids::Timestamp;

pub(crate) type Hash = [u8; 32];

/// Where a chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The position of the last record; 0 when there is none.
    pub(crate) sequence: u64,
    /// Its hash, or the hash of the chain's name.
    pub(crate) hash: Hash,
}

impl Head {
    /// A chain without records. The name is part of every hash, so no chain can pass for another.
    pub(crate) fn start(chain: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"postern.chain.v1");
        context.update(chain.as_bytes());
        Self { sequence: 0, hash: finish(context) }
    }

    /// The chain with one more record.
    pub(crate) fn after(self, at: Timestamp, kind: &str, body: &[u8]) -> Self {
        let sequence = self.sequence + 1;
        let mut context = Context::new(&SHA256);
        context.update(&self.hash);
        context.update(&sequence.to_be_bytes());
        context.update(&at.as_micros().to_be_bytes());
        context.update(&(kind.len() as u64).to_be_bytes());
        context.update(kind.as_bytes());
        context.update(body);
        Self { sequence, hash: finish(context) }
    }
}

fn finish(context: Context) -> Hash {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Record = (i64, String, Vec<u8>);

    fn run(chain: &str, records: &[Record]) -> Head {
        records.iter().fold(Head::start(chain), |head, (at, kind, body)| {
            head.after(Timestamp::from_micros(*at), kind, body)
        })
    }

    proptest! {
        #[test]
        fn l04_any_altered_removed_or_swapped_record_changes_the_end_of_the_chain(
            records in prop::collection::vec((any::<i64>(), "[a-z.]{1,12}", prop::collection::vec(any::<u8>(), 0..40)), 1..12),
            pick in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let whole = run("c", &records);
            let at = pick.index(records.len());

            let mut altered = records.clone();
            altered[at].2.push(byte);
            prop_assert_ne!(run("c", &altered).hash, whole.hash);

            let mut moved = records.clone();
            moved[at].0 = moved[at].0.wrapping_add(1);
            prop_assert_ne!(run("c", &moved).hash, whole.hash);

            let mut removed = records.clone();
            removed.remove(at);
            prop_assert_ne!(run("c", &removed).hash, whole.hash);

            let mut swapped = records.clone();
            let with = other.index(records.len());
            swapped.swap(at, with);
            if swapped != records {
                prop_assert_ne!(run("c", &swapped).hash, whole.hash);
            }

            prop_assert_ne!(run("d", &records).hash, whole.hash);
        }

        #[test]
        fn l04_the_border_between_kind_and_body_is_part_of_the_hash(text in "[a-z]{2,20}", cut in any::<prop::sample::Index>()) {
            let cut = 1 + cut.index(text.len() - 1);
            let (kind, body) = text.split_at(cut);
            let whole = run("c", &[(0, text.clone(), Vec::new())]);
            prop_assert_ne!(run("c", &[(0, kind.to_owned(), body.as_bytes().to_vec())]).hash, whole.hash);
        }
    }
}
