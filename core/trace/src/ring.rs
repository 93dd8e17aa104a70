//! The ring of one processor: written here, read by a program that has it mapped.
//!
//! Positions count modulo twice the ring's size, so that full and empty differ. A record never lies across the ring's
//! end: where it has no room there, a filler takes the rest.

use crate::event::LOST_RECORDS;
use crate::Record;

/// What stands before the records: the reader's position, then the writer's.
pub const HEADER_BYTES: u32 = 8;

/// Where the reader's position stands in a ring's memory.
const CONSUMED: u32 = 0;
/// Where the writer's position stands.
const PRODUCED: u32 = 4;

/// The bytes of a note that records were lost.
const NOTE_BYTES: u32 = 4 + 8 + 16;

/// A ring's memory, header and all. `offset` is a multiple of four below the size that the ring was made with.
pub trait RingMemory {
    /// Reads a word that the reader may have written.
    fn load(&self, offset: u32) -> u32;
    /// Writes a word; what was written before is seen before.
    fn store(&self, offset: u32, value: u32);
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is in the ring.
    Kept,
    /// It is in the ring, which is half full now: tell the reader.
    HalfFull,
    /// There was no room.
    Lost,
}

/// The writer's side of a ring.
#[derive(Debug)]
pub struct Ring {
    /// Bytes for records.
    size: u32,
    /// Where the next record goes, modulo twice the size.
    produced: u32,
    /// Records lost since the last that had room, and when and by whom the first of them was.
    lost: u32,
    first_lost: (u64, u32),
}

impl Ring {
    /// An empty ring in so many bytes of memory; `None` where they cannot hold a record.
    pub fn new(memory: &impl RingMemory, bytes: u32) -> Option<Self> {
        let size = bytes.checked_sub(HEADER_BYTES)? & !3;
        if !(256..=u32::MAX / 4).contains(&size) {
            return None;
        }
        memory.store(CONSUMED, 0);
        memory.store(PRODUCED, 0);
        Some(Self {
            size,
            produced: 0,
            lost: 0,
            first_lost: (0, 0),
        })
    }

    /// Writes a record about the vCPU ([`crate::event::vcpu`]) that runs.
    pub fn add(&mut self, memory: &impl RingMemory, record: &Record, now: u64, vcpu: u32) -> Added {
        let before = self.unread(memory);
        let note = if self.lost > 0 { NOTE_BYTES } else { 0 };
        // Each of the two may need the ring's end filled before it: less than a record's size.
        let wanted = self.with_filler(note, record.bytes());
        if self.size - before < wanted {
            if self.lost == 0 {
                self.first_lost = (now, vcpu);
            }
            self.lost = self.lost.saturating_add(1);
            return Added::Lost;
        }
        if self.lost > 0 {
            let (time, first) = self.first_lost;
            let words = [self.lost, first, time as u32, (time >> 32) as u32];
            self.put(memory, &Record::new(LOST_RECORDS, &words).at(now));
            self.lost = 0;
        }
        self.put(memory, record);
        memory.store(PRODUCED, self.produced);
        let after = before + wanted;
        let half = self.size / 2;
        if before < half && after >= half {
            Added::HalfFull
        } else {
            Added::Kept
        }
    }

    /// Bytes that the reader has not taken. A position of the reader's that cannot be is none.
    fn unread(&self, memory: &impl RingMemory) -> u32 {
        let both = 2 * self.size;
        let consumed = memory.load(CONSUMED);
        if consumed >= both {
            return self.size;
        }
        let unread = (self.produced + both - consumed) % both;
        unread.min(self.size)
    }

    /// Bytes up to the ring's end.
    fn to_end(position: u32, size: u32) -> u32 {
        size - position % size
    }

    /// The room that two records need, one after the other, with what fills the ring's end before them. The first may
    /// be none.
    fn with_filler(&self, first: u32, second: u32) -> u32 {
        let mut needed = 0;
        for bytes in [first, second] {
            let left = Self::to_end(self.produced + needed, self.size);
            needed += if left < bytes { left + bytes } else { bytes };
        }
        needed
    }

    fn put(&mut self, memory: &impl RingMemory, record: &Record) {
        let left = Self::to_end(self.produced, self.size);
        if left < record.bytes() {
            self.write(memory, &Record::filler(left));
        }
        self.write(memory, record);
    }

    /// Writes a record that has room up to the ring's end.
    fn write(&mut self, memory: &impl RingMemory, record: &Record) {
        let mut at = self.produced % self.size;
        for word in record.encoded() {
            memory.store(HEADER_BYTES + at, word);
            at += 4;
        }
        self.produced = (self.produced + record.bytes()) % (2 * self.size);
    }
}
