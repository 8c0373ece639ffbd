//! Room that a table keeps for entries that are gone.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
};

/// Entries that a table keeps room for although they are gone.
const KEPT: usize = 128;

/// Gives memory back to the allocator once most of a large table is gone.
pub fn give_back<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if table.capacity() > KEPT && table.len() < table.capacity() / 8 {
        table.shrink_to(table.len().saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_once_held_thousands_gives_its_memory_back_and_keeps_what_it_holds() {
        let mut table: HashMap<u32, u32> = (0..10_000).map(|n| (n, n)).collect();
        table.retain(|n, _| *n < 1_000);
        give_back(&mut table);
        assert!((2_000..4_000).contains(&table.capacity()), "{}", table.capacity());
        assert_eq!(table.len(), 1_000);
    }

    #[test]
    fn a_small_or_a_full_table_keeps_its_room() {
        let mut small: HashMap<u32, ()> = HashMap::with_capacity(KEPT / 2);
        let mut full: HashMap<u32, ()> = (0..10_000).map(|n| (n, ())).collect();
        let before = (small.capacity(), full.capacity());
        give_back(&mut small);
        give_back(&mut full);
        assert_eq!((small.capacity(), full.capacity()), before);
    }
}
