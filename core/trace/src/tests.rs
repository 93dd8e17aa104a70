//! Tests of trace buffers: a reader that follows the format takes out what was put in.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use std::cell::RefCell;
use std::collections::VecDeque;

use proptest::prelude::*;

use crate::event::{self, LOST_RECORDS, WRAP_BUFFER};
use crate::{directory, Added, Mask, Record, Ring, RingMemory, HEADER_BYTES};

/// A ring's memory, and the reader's side of it.
struct Memory(RefCell<Vec<u32>>);

impl Memory {
    fn new(bytes: u32) -> Self {
        Self(RefCell::new(vec![0xdead_beef; bytes as usize / 4]))
    }

    fn size(&self) -> u32 {
        self.0.borrow().len() as u32 * 4 - HEADER_BYTES
    }

    /// Takes what is there: the records' words.
    fn read(&self) -> Vec<Vec<u32>> {
        let (mut consumed, produced) = (self.load(0), self.load(4));
        let mut found = Vec::new();
        while consumed != produced {
            let at = |word: u32| self.load(HEADER_BYTES + (consumed % self.size()) + 4 * word);
            let first = at(0);
            let words = 1 + (first >> 31) * 2 + (first >> 28 & 7);
            let room = self.size() - consumed % self.size();
            assert!(words * 4 <= room, "a record lies across the ring's end");
            if first & 0x0fff_ffff != WRAP_BUFFER {
                found.push((0..words).map(at).collect());
            }
            consumed = (consumed + words * 4) % (2 * self.size());
        }
        self.store(0, consumed);
        found
    }
}

impl RingMemory for Memory {
    fn load(&self, offset: u32) -> u32 {
        self.0.borrow()[offset as usize / 4]
    }
    fn store(&self, offset: u32, value: u32) {
        self.0.borrow_mut()[offset as usize / 4] = value;
    }
}

#[test]
fn a_record_is_laid_out_as_the_format_says() {
    let record = Record::new(event::WAKE, &[1, 2]).at(0x5_0000_0007);
    let words: Vec<u32> = record.encoded().collect();
    assert_eq!(words, [0xa002_8004, 7, 5, 1, 2]);
    assert_eq!(record.bytes(), 20);
    assert_eq!(event::runstate_change(2, 0), 0x0002_1201);
    assert_eq!(event::vcpu(3, 1), 0x0003_0001);
    let extent = event::extent(0x5_0000_0007, 3, 9);
    assert_eq!(extent, [7, 5, 0x0009_0003, 0]);
}

#[test]
fn masks_go_by_class_and_subclass() {
    assert!(Mask::ALL.has(event::WAKE));
    assert!(Mask(0x0002_8000).has(event::WAKE));
    assert!(!Mask(0x0002_1000).has(event::WAKE), "another subclass");
    assert!(!Mask(0x0020_f000).has(event::WAKE), "another class");
    assert!(Mask(0x0002_f000).has(event::runstate_change(1, 2)));
    assert!(!Mask(0).has(event::WAKE));
}

#[test]
fn a_ring_needs_room() {
    assert!(Ring::new(&Memory::new(64), 64).is_none());
    assert!(Ring::new(&Memory::new(4096), 4).is_none());
}

#[test]
fn a_full_ring_tells_what_it_lost() {
    let memory = Memory::new(4096);
    let mut ring = Ring::new(&memory, 4096).unwrap();
    let record = Record::new(event::SWITCH, &[1, 2, 3, 4]).at(9);
    let mut halves = 0;
    let mut kept = 0;
    loop {
        match ring.add(&memory, &record, 9, 5) {
            Added::Lost => break,
            Added::HalfFull => halves += 1,
            Added::Kept => {}
        }
        kept += 1;
    }
    assert_eq!(halves, 1);
    assert_eq!(kept, (4096 - 8) / 28);
    for _ in 0..9 {
        assert_eq!(ring.add(&memory, &record, 10, 6), Added::Lost);
    }
    assert_eq!(memory.read().len(), kept);
    assert_eq!(ring.add(&memory, &record, 11, 7), Added::Kept);
    let found = memory.read();
    assert_eq!(found[0], [0xc000_0000 | LOST_RECORDS, 11, 0, 10, 5, 9, 0]);
    assert_eq!(found[1].len(), 7);
    assert_eq!(found.len(), 2);
}

#[test]
fn a_reader_that_lies_gets_nothing_else() {
    let memory = Memory::new(4096);
    let mut ring = Ring::new(&memory, 4096).unwrap();
    let record = Record::new(event::WAKE, &[0; 7]).at(1);
    for position in [u32::MAX, 2 * memory.size(), 1, memory.size() + 3, 4000] {
        memory.store(0, position);
        for _ in 0..400 {
            // The memory's own bounds are the assertion.
            let _ = ring.add(&memory, &record, 1, 0);
        }
    }
}

#[test]
fn the_directory_names_every_frame() {
    assert_eq!(directory::bytes(1, 32), Some(4 + 128));
    assert_eq!(directory::bytes(2, 32), Some(8 + 256));
    assert_eq!(directory::bytes(4, 20000), None);
    let words: Vec<u32> =
        directory::words(2, 3, |processor, number| 100 * (processor + 1) + number).collect();
    // tbuf_size 3, lists at words 2 and 5.
    assert_eq!(words, [2 << 16 | 3, 5, 100, 101, 102, 200, 201, 202]);
    assert_eq!(words.len() as u32 * 4, directory::bytes(2, 3).unwrap());
}

proptest! {
    /// Whatever is written and whenever it is read: what is read is what was kept, in order, and losses are counted.
    #[test]
    fn what_is_kept_is_read(
        steps in prop::collection::vec((0usize..8, any::<bool>(), 0u8..10), 1..600),
        words in 100u32..400,
    ) {
        let memory = Memory::new(words * 4);
        let mut ring = Ring::new(&memory, words * 4).unwrap();
        let mut expected: VecDeque<Vec<u32>> = VecDeque::new();
        let mut lost = 0u32;
        for (number, (count, timed, read)) in steps.into_iter().enumerate() {
            let content: Vec<u32> = (0..count as u32).map(|word| number as u32 * 8 + word).collect();
            let mut record = Record::new(event::SLEEP, &content);
            if timed {
                record = record.at(number as u64);
            }
            match ring.add(&memory, &record, number as u64, 0) {
                Added::Lost => lost += 1,
                Added::Kept | Added::HalfFull => {
                    if lost > 0 {
                        expected.push_back(vec![lost]);
                        lost = 0;
                    }
                    expected.push_back(record.encoded().collect());
                }
            }
            if read == 0 {
                for found in memory.read() {
                    let wanted = expected.pop_front().unwrap();
                    if found[0] & 0x0fff_ffff == LOST_RECORDS {
                        prop_assert_eq!(vec![found[3]], wanted);
                    } else {
                        prop_assert_eq!(found, wanted);
                    }
                }
                prop_assert!(expected.is_empty());
            }
        }
    }
}
