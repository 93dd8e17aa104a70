//! Things by small dense numbers: vCPUs and domains by key, CPUs by number, pools by place.

use alloc::vec::Vec;
use core::ops::Range;

/// For how many a table of what guests consist of has room when the first comes. It stays when they go: one that grew while
/// there were many would keep memory in use that was taken for those.
const CROWD: usize = 128;

/// For how many a table or a queue is to have room that is to hold so many.
pub(crate) fn room_for(wanted: usize) -> usize {
    wanted.next_power_of_two().max(CROWD)
}

/// A table of things by number, with nothing at some numbers. Only what reserves takes memory.
#[derive(Debug)]
pub struct Slots<T>(Vec<Option<T>>);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slots<T> {
    /// Nothing, and room for nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// What is at a number.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.0.get(number as usize)?.as_ref()
    }

    /// What is at a number, to change it.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.0.get_mut(number as usize)?.as_mut()
    }

    /// Makes room at a number. False where there is no memory; nothing has changed then.
    #[must_use]
    pub fn reserve(&mut self, number: u32) -> bool {
        let total = number as usize + 1;
        let more = total.saturating_sub(self.0.len());
        if self.0.try_reserve(more).is_err() {
            return false;
        }
        if more != 0 {
            self.0.resize_with(total, || None);
        }
        true
    }

    /// [`Slots::reserve`] for things that come and go by the dozen: there is room for 128 from the first on, if there is
    /// memory for it.
    #[must_use]
    pub fn reserve_for_many(&mut self, number: u32) -> bool {
        if self.0.capacity() == 0 {
            let _may_be_less = self.0.try_reserve(CROWD);
        }
        self.reserve(number)
    }

    /// Puts a thing at a number that room was made at; elsewhere it is dropped. Answers what was there.
    pub fn put(&mut self, number: u32, thing: T) -> Option<T> {
        self.0.get_mut(number as usize)?.replace(thing)
    }

    /// Takes away what is at a number.
    pub fn take(&mut self, number: u32) -> Option<T> {
        self.0.get_mut(number as usize)?.take()
    }

    /// All things with their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> + '_ {
        let slots = (0u32..).zip(&self.0);
        slots.filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// All things with their numbers, in order, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> + '_ {
        let slots = (0u32..).zip(&mut self.0);
        slots.filter_map(|(number, slot)| Some((number, slot.as_mut()?)))
    }

    /// The numbers at which there is room: all that things have, and more.
    pub fn numbers(&self) -> Range<u32> {
        0..self.0.len() as u32
    }

    /// The lowest number at which there is nothing; there may be no room yet.
    pub fn lowest_free(&self) -> u32 {
        let free = self.0.iter().position(Option::is_none);
        free.unwrap_or(self.0.len()) as u32
    }
}
