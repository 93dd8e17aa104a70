//! Which frames are the allocator's at all, and on which NUMA node they lie.

use vocabulary::{refuse, Errno, Refused};

/// Most separate stretches of memory that can be told apart. Adjacent ones of one node count as one.
pub const MAX_REGIONS: usize = 128;

/// Frames `start..end` of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub start: u32,
    pub end: u32,
    pub node: u8,
}

impl Region {
    /// Whether the `count` frames from `first` all lie in the region.
    pub fn covers(&self, first: u32, count: u32) -> bool {
        first >= self.start && first < self.end && count <= self.end - first
    }
}

/// The regions, sorted, disjoint.
pub(crate) struct Regions {
    entries: [Region; MAX_REGIONS],
    count: usize,
}

impl Regions {
    pub const fn new() -> Self {
        let nowhere = Region {
            start: 0,
            end: 0,
            node: 0,
        };
        Self {
            entries: [nowhere; MAX_REGIONS],
            count: 0,
        }
    }

    pub fn as_slice(&self) -> &[Region] {
        self.entries.get(..self.count).unwrap_or(&[])
    }

    /// The region that holds the frame.
    pub fn find(&self, frame: u32) -> Option<Region> {
        let regions = self.as_slice();
        let after = regions.partition_point(|region| region.start <= frame);
        let region = regions.get(after.checked_sub(1)?)?;
        (frame < region.end).then_some(*region)
    }

    /// Adds a region, joining it with neighbours of the same node. EEXIST: overlaps; ENOSPC: too many.
    pub fn add(&mut self, new: Region) -> Refused<()> {
        let at = self
            .as_slice()
            .partition_point(|region| region.start < new.start);
        let before = at
            .checked_sub(1)
            .and_then(|index| self.as_slice().get(index))
            .copied();
        let after = self.as_slice().get(at).copied();
        let overlaps = before.is_some_and(|region| region.end > new.start)
            || after.is_some_and(|region| region.start < new.end);
        if overlaps {
            return refuse(Errno::EEXIST, "the memory region overlaps one given before");
        }
        let joins_before =
            before.is_some_and(|region| region.end == new.start && region.node == new.node);
        let joins_after =
            after.is_some_and(|region| region.start == new.end && region.node == new.node);
        match (joins_before, joins_after) {
            (true, true) => {
                let end = after.map_or(new.end, |region| region.end);
                self.set_end(at - 1, end);
                self.remove(at);
            }
            (true, false) => self.set_end(at - 1, new.end),
            (false, true) => {
                if let Some(region) = self.entries.get_mut(at) {
                    region.start = new.start;
                }
            }
            (false, false) => return self.insert(at, new),
        }
        Ok(())
    }

    fn set_end(&mut self, index: usize, end: u32) {
        if let Some(region) = self.entries.get_mut(index) {
            region.end = end;
        }
    }

    fn remove(&mut self, index: usize) {
        if let Some(tail) = self.entries.get_mut(index..self.count) {
            tail.rotate_left(1);
            self.count -= 1;
        }
    }

    fn insert(&mut self, index: usize, region: Region) -> Refused<()> {
        let Some(tail) = self.entries.get_mut(index..=self.count) else {
            return refuse(
                Errno::ENOSPC,
                "the memory map has more separate regions than can be kept",
            );
        };
        tail.rotate_right(1);
        if let Some(slot) = tail.first_mut() {
            *slot = region;
        }
        self.count += 1;
        Ok(())
    }
}
