//! A binary heap whose members know their place in it, so that any of them can be taken out in O(log n).
//!
//! Run queues and timer queues are made of it. Room is reserved beforehand and fallibly; no operation after
//! that allocates.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

/// Where the heap writes down each member's place whenever it moves: the owner of the members.
pub trait Places {
    /// Member `id` is at `place` now; `None` when it has left.
    fn set_place(&mut self, id: u32, place: Option<u32>);
}

/// A heap of members, named by number, with the smallest key first. Of equal keys any may come first.
#[derive(Debug)]
pub struct IndexedHeap<K> {
    entries: Vec<(K, u32)>,
}

impl<K> Default for IndexedHeap<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> IndexedHeap<K> {
    /// An empty heap without room.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// Makes room for `total` members. False when there is no memory; the heap is as before then.
    #[must_use]
    pub fn reserve(&mut self, total: usize) -> bool {
        let more = total.saturating_sub(self.entries.len());
        self.entries.try_reserve(more).is_ok()
    }

    /// For how many members there is room.
    pub fn room(&self) -> usize {
        self.entries.capacity()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<K: Ord + Copy> IndexedHeap<K> {
    /// The member with the smallest key.
    pub fn first(&self) -> Option<(K, u32)> {
        self.entries.first().copied()
    }

    /// All members, the smallest first, the others in heap order: early ones tend to be small.
    pub fn iter(&self) -> impl Iterator<Item = (K, u32)> + '_ {
        self.entries.iter().copied()
    }

    /// The member with the smallest key of those that are accepted. Looks at no member behind one that is accepted, nor
    /// behind one that comes after the best so far: where most are accepted, it looks at a few.
    pub fn first_where(&self, mut accepts: impl FnMut(u32) -> bool) -> Option<(K, u32)> {
        let mut best = None;
        self.search(0, &mut best, &mut accepts);
        best
    }

    /// Looks for a better member than `best` from `place` downwards. As deep as the heap: the logarithm of its size.
    fn search(
        &self,
        place: usize,
        best: &mut Option<(K, u32)>,
        accepts: &mut dyn FnMut(u32) -> bool,
    ) {
        let Some(entry) = self.entries.get(place) else {
            return;
        };
        if best.is_some_and(|best| best.0 <= entry.0) {
            return;
        }
        if accepts(entry.1) {
            *best = Some(*entry);
            return;
        }
        self.search(2 * place + 1, best, accepts);
        self.search(2 * place + 2, best, accepts);
    }

    /// Adds a member that is not in the heap. False, and nothing done, when no room was reserved for it.
    #[must_use]
    pub fn push(&mut self, key: K, id: u32, places: &mut impl Places) -> bool {
        let place = self.entries.len();
        if place == self.entries.capacity() {
            return false;
        }
        self.entries.push((key, id));
        self.rise(place, places);
        true
    }

    /// Takes the member at `place` out.
    pub fn remove(&mut self, place: u32, places: &mut impl Places) -> Option<(K, u32)> {
        let place = place as usize;
        if place >= self.entries.len() {
            return None;
        }
        let removed = self.entries.swap_remove(place);
        places.set_place(removed.1, None);
        if place < self.entries.len() {
            self.settle(place, places);
        }
        Some(removed)
    }

    /// Takes the member with the smallest key out.
    pub fn pop(&mut self, places: &mut impl Places) -> Option<(K, u32)> {
        self.remove(0, places)
    }

    /// Gives the member at `place` another key.
    pub fn change_key(&mut self, place: u32, key: K, places: &mut impl Places) {
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.0 = key;
            self.settle(place as usize, places);
        }
    }

    /// The key of the member at `place`.
    pub fn key_at(&self, place: u32) -> Option<K> {
        self.key(place as usize)
    }

    fn key(&self, place: usize) -> Option<K> {
        self.entries.get(place).map(|entry| entry.0)
    }

    fn note(&self, place: usize, places: &mut impl Places) {
        if let Some(entry) = self.entries.get(place) {
            places.set_place(entry.1, Some(place as u32));
        }
    }

    /// Moves the member at `place` to where its key belongs, up or down.
    fn settle(&mut self, place: usize, places: &mut impl Places) {
        let above = place
            .checked_sub(1)
            .and_then(|below_root| self.key(below_root / 2));
        if above.is_some() && self.key(place) < above {
            self.rise(place, places);
        } else {
            self.sink(place, places);
        }
    }

    fn rise(&mut self, mut place: usize, places: &mut impl Places) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.key(parent) <= self.key(place) {
                break;
            }
            self.entries.swap(parent, place);
            self.note(place, places);
            place = parent;
        }
        self.note(place, places);
    }

    fn sink(&mut self, mut place: usize, places: &mut impl Places) {
        loop {
            let left = 2 * place + 1;
            let Some(mut least) = self.key(left) else {
                break;
            };
            let mut child = left;
            if let Some(right) = self.key(left + 1).filter(|right| *right < least) {
                least = right;
                child = left + 1;
            }
            if self.key(place) <= Some(least) {
                break;
            }
            self.entries.swap(place, child);
            self.note(place, places);
            place = child;
        }
        self.note(place, places);
    }
}
