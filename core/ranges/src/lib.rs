//! Sets of numbers that come in ranges: the ports, frames and interrupts a domain was granted.
//!
//! A set is a sorted list of ranges that neither overlap nor touch, so that equal sets are equal lists, a question is one
//! binary search, and a set has at most one range more than the calls that made it.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use vocabulary::{refuse, Errno, Refused};

/// A range, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The lowest number.
    pub first: u64,
    /// The highest number, not below the lowest.
    pub last: u64,
}

/// A set of numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    ranges: Vec<Range>,
}

impl RangeSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Whether all numbers from `first` to `last` are in the set.
    pub fn contains(&self, first: u64, last: u64) -> bool {
        let next = self.ranges.partition_point(|range| range.last < first);
        let found = self.ranges.get(next);
        found.is_some_and(|range| range.first <= first && last <= range.last)
    }

    /// Whether there is nothing in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The set's ranges, lowest first.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// Adds the numbers from `first` to `last`; nothing where `last` is below `first`. ENOMEM, with the set as it was.
    pub fn insert(&mut self, first: u64, last: u64) -> Refused<()> {
        if last < first {
            return Ok(());
        }
        self.reserve()?;
        // Every range that overlaps the new one or touches it becomes part of it.
        let start = self
            .ranges
            .partition_point(|range| range.last < first && range.last + 1 < first);
        let end = self
            .ranges
            .partition_point(|range| range.first <= last.saturating_add(1));
        let joined = self.ranges.get(start..end).unwrap_or_default();
        let lowest = joined.first().map_or(first, |range| range.first.min(first));
        let highest = joined.last().map_or(last, |range| range.last.max(last));
        let new = Range {
            first: lowest,
            last: highest,
        };
        self.ranges.splice(start..end.max(start), [new]);
        Ok(())
    }

    /// Takes the numbers from `first` to `last` out; nothing where `last` is below `first`. ENOMEM, with the set as it
    /// was.
    pub fn remove(&mut self, first: u64, last: u64) -> Refused<()> {
        if last < first {
            return Ok(());
        }
        self.reserve()?;
        let start = self.ranges.partition_point(|range| range.last < first);
        let end = self.ranges.partition_point(|range| range.first <= last);
        let cut = self.ranges.get(start..end).unwrap_or_default();
        let below = cut.first().filter(|range| range.first < first);
        let below = below.map(|range| Range {
            first: range.first,
            last: first - 1,
        });
        let above = cut.last().filter(|range| range.last > last);
        let above = above.map(|range| Range {
            first: last + 1,
            last: range.last,
        });
        self.ranges
            .splice(start..end.max(start), below.into_iter().chain(above));
        Ok(())
    }

    /// Makes room for one range more, which is all that a change can need.
    fn reserve(&mut self) -> Refused<()> {
        match self.ranges.try_reserve(1) {
            Ok(()) => Ok(()),
            Err(_) => refuse(Errno::ENOMEM, "no memory for another range"),
        }
    }
}
