//! A vector with holes: stable small indexes, constant time, no allocation per element.

/// "No index": the end of a list, or an element that is in none.
pub(super) const NONE: u32 = u32::MAX;

/// Slots that are kept when the arena runs empty; more go back to the allocator.
const KEEP: usize = 64;

/// Elements under indexes that stay valid until they are removed.
#[derive(Debug)]
pub(super) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: u32,
    len: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Full(T),
    Free { next: u32 },
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: NONE, len: 0 }
    }
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl<T> Arena<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.len = self.len.saturating_add(1);
        let index = self.free;
        if let Some(slot) = self.slots.get_mut(at(index)) {
            if let Slot::Free { next } = slot {
                self.free = *next;
            }
            *slot = Slot::Full(value);
            return index;
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(NONE);
        self.slots.push(Slot::Full(value));
        index
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let slot = self.slots.get_mut(at(index))?;
        if matches!(slot, Slot::Free { .. }) {
            return None;
        }
        let full = std::mem::replace(slot, Slot::Free { next: self.free });
        self.free = index;
        self.len = self.len.saturating_sub(1);
        if self.len == 0 && self.slots.capacity() > KEEP {
            self.slots = Vec::new();
            self.free = NONE;
        }
        match full {
            Slot::Full(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        match self.slots.get(at(index))? {
            Slot::Full(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.slots.get_mut(at(index))? {
            Slot::Full(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    /// All elements in the order of their indexes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(&self.slots).filter_map(|(index, slot)| match slot {
            Slot::Full(value) => Some((index, value)),
            Slot::Free { .. } => None,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_freed_index_is_used_again_and_the_others_stay() {
        let mut arena = Arena::default();
        let (a, b) = (arena.insert('a'), arena.insert('b'));
        assert_eq!(arena.remove(a), Some('a'));
        assert_eq!(arena.remove(a), None);
        assert_eq!(arena.insert('c'), a);
        assert_eq!(arena.get(b), Some(&'b'));
        assert_eq!(arena.iter().map(|(_, c)| *c).collect::<String>(), "cb");
    }

    #[test]
    fn an_empty_arena_gives_its_memory_back() {
        let mut arena = Arena::default();
        let all: Vec<u32> = (0..1_000).map(|n| arena.insert(n)).collect();
        all.iter().for_each(|&index| assert_eq!(arena.remove(index).unwrap(), i32::try_from(index).unwrap()));
        assert_eq!(arena.slots.capacity(), 0);
        assert_eq!(arena.insert(7), 0);
    }
}
