//! Deficit round robin with a head start for the sparse (the rule of `FQ-CoDel`, RFC 8290 section 4.2).
//!
//! What becomes active waits in the *fresh* list, is served before all others and gets one quantum there; then it joins the
//! *old* list, where everybody gets one quantum a round. What runs dry while fresh passes through the old list once, so that
//! nobody stays fresh by stopping often.

use super::arena::{Arena, NONE};

/// Something that is scheduled.
#[derive(Debug)]
pub(super) struct Item<T> {
    pub(super) value: T,
    prev: u32,
    next: u32,
    list: Which,
    /// Bytes that it may still send in this round.
    deficit: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Fresh,
    Old,
}

impl<T> Item<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value, prev: NONE, next: NONE, list: Which::Fresh, deficit: 0 }
    }
}

#[derive(Debug, Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

/// The two lists of one level.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drr {
    fresh: List,
    old: List,
}

impl Drr {
    pub(super) fn is_empty(&self) -> bool {
        self.fresh.head == NONE && self.old.head == NONE
    }

    /// Adds an item of the arena that is in no list.
    pub(super) fn add<T>(&mut self, items: &mut Arena<Item<T>>, index: u32, quantum: i64) {
        if let Some(item) = items.get_mut(index) {
            item.deficit = quantum;
        }
        self.append(items, index, Which::Fresh);
    }

    /// Takes an item out of its list; it stays in the arena.
    pub(super) fn unlink<T>(&mut self, items: &mut Arena<Item<T>>, index: u32) {
        let Some(item) = items.get(index) else { return };
        let (prev, next, which) = (item.prev, item.next, item.list);
        match items.get_mut(prev) {
            Some(item) => item.next = next,
            None => self.list(which).head = next,
        }
        match items.get_mut(next) {
            Some(item) => item.prev = prev,
            None => self.list(which).tail = prev,
        }
    }

    /// Whose turn it is.
    pub(super) fn front<T>(&mut self, items: &mut Arena<Item<T>>, quantum: i64) -> Option<u32> {
        loop {
            let index = if self.fresh.head == NONE { self.old.head } else { self.fresh.head };
            let item = items.get_mut(index)?;
            if item.deficit > 0 {
                return Some(index);
            }
            item.deficit = item.deficit.saturating_add(quantum.max(1));
            self.move_to_old(items, index);
        }
    }

    /// The item at the front sent `bytes`. Without `more` it leaves once it came to its turn in the old list with nothing
    /// to send, or when it is alone; says whether it is still in a list.
    pub(super) fn served<T>(
        &mut self,
        items: &mut Arena<Item<T>>,
        index: u32,
        bytes: i64,
        more: bool,
    ) -> bool {
        let Some(item) = items.get_mut(index) else { return false };
        item.deficit = item.deficit.saturating_sub(bytes);
        if more {
            return true;
        }
        if (bytes > 0 || item.list == Which::Fresh) && !self.is_alone(index) {
            self.move_to_old(items, index);
            return true;
        }
        self.unlink(items, index);
        false
    }

    /// Whether no other item is in the lists.
    fn is_alone(&self, index: u32) -> bool {
        let only = |list: &List| list.head == NONE || (list.head == index && list.tail == index);
        only(&self.fresh) && only(&self.old)
    }

    fn move_to_old<T>(&mut self, items: &mut Arena<Item<T>>, index: u32) {
        self.unlink(items, index);
        self.append(items, index, Which::Old);
    }

    fn append<T>(&mut self, items: &mut Arena<Item<T>>, index: u32, which: Which) {
        let list = self.list(which);
        let tail = std::mem::replace(&mut list.tail, index);
        if tail == NONE {
            list.head = index;
        }
        if let Some(item) = items.get_mut(tail) {
            item.next = index;
        }
        if let Some(item) = items.get_mut(index) {
            (item.prev, item.next, item.list) = (tail, NONE, which);
        }
    }

    fn list(&mut self, which: Which) -> &mut List {
        match which {
            Which::Fresh => &mut self.fresh,
            Which::Old => &mut self.old,
        }
    }
}
