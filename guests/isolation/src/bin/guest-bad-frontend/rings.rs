//! Rings full of nonsense: indices, requests, grants that are not, that go, that change.

use crate::device::Kind;
use guest_isolation::lending::{Lending, FIRST};
use guest_kit::events;
use guest_kit::hypercall::sched_op;
use guest_kit::pages::Page;
use guest_kit::random::Random;

/// Pages that can be lent at once.
const PAGES: u32 = 48;
/// Bytes before the first request of a ring: four indices and padding.
const HEADER: usize = 64;
/// References that were never lent, and some that cannot be.
const NEVER: &[u32] = &[0, 1, 400, 511, 512, 0x7fff_ffff, u32::MAX];

/// A connected device: its rings and what it lends.
struct Connected<'a> {
    kind: &'a Kind,
    lending: &'a mut Lending,
    rings: [Page; 2],
    references: [u32; 2],
    port: u32,
}

/// Connects and misbehaves, again and again; gives how often the back end took the bait.
pub fn run(kind: &Kind, random: &mut Random, rounds: u64) -> u64 {
    let mut lending = Lending::new(PAGES);
    let mut taken = 0;
    for round in 0..rounds {
        let ((first, page), (second, other)) = (lending.lend(0, false), lending.lend(0, false));
        page.words().fill(0);
        other.words().fill(0);
        let references = match random.below(10) {
            0 => [random.pick(NEVER), random.pick(NEVER)],
            _ => [first, second],
        };
        let (port, connected) = kind.connect(&references);
        taken += u64::from(connected);
        let mut device = Connected {
            kind,
            lending: &mut lending,
            rings: [page, other],
            references: [first, second],
            port,
        };
        let number = random.below(8);
        guest_kit::say!("FRONTEND round {round} misdeed {number} connected {connected}");
        for _ in 0..8 {
            device.misdeed(number, random);
            sched_op(0, 0);
        }
        kind.disconnect(port);
    }
    taken
}

impl Connected<'_> {
    fn notify(&self) {
        events::send(self.port);
    }

    fn index(&self, ring: usize, which: usize) -> *mut u32 {
        (self.rings[ring].va + 4 * which as u64) as *mut u32
    }

    /// Puts `count` requests of random words, which name references that are lent or were or never
    /// were, and moves the index of what is produced.
    fn submit(&mut self, ring: usize, count: u32, random: &mut Random) {
        let size = self.kind.request[ring];
        let slots = ((4096 - HEADER) / size).next_power_of_two() / 2;
        let produced = self.index(ring, 0);
        for number in 0..count {
            let index = unsafe { produced.read_volatile() }.wrapping_add(number);
            let place = HEADER + (index as usize % slots) * size;
            self.request(ring, place, size, random);
        }
        unsafe { produced.write_volatile(produced.read_volatile().wrapping_add(count)) };
    }

    fn request(&mut self, ring: usize, place: usize, size: usize, random: &mut Random) {
        let bytes = &mut self.rings[ring].bytes()[place..place + size];
        for word in bytes.chunks_mut(4) {
            let value = match random.below(6) {
                0 => random.next() as u32,
                1 => random.pick(NEVER),
                2 => random.below(16) as u32,
                3 => FIRST + random.below(PAGES as u64) as u32,
                _ => self.lending.lend(0, random.once_in(3)).0,
            };
            word.copy_from_slice(&value.to_le_bytes()[..word.len()]);
        }
        if size == 112 {
            // A disk's request: operation, segments, handle; then identity and sector.
            bytes[0] = random.pick(&[0, 0, 1, 2, 3, 5, 6, 200]);
            bytes[1] = random.pick(&[0, 1, 1, 11, 12, 33, 255]);
            bytes[16..24].copy_from_slice(&random.below(100).to_le_bytes());
        }
    }

    fn misdeed(&mut self, number: u64, random: &mut Random) {
        let ring = random.below(self.kind.rings.len() as u64) as usize;
        match number {
            0 => {
                // An index far ahead, or behind.
                unsafe { self.index(ring, 0).write_volatile(random.next() as u32) };
                self.notify();
            }
            1 => {
                let count = random.below(32) as u32;
                self.submit(ring, count, random);
                self.notify();
            }
            2 => {
                self.submit(ring, 8, random);
                self.notify();
                for reference in FIRST..FIRST + PAGES {
                    if !self.references.contains(&reference) {
                        self.lending.revoke(reference);
                    }
                }
            }
            3 => self.change_under_way(ring, random),
            4 => {
                for which in 1..4 {
                    unsafe { self.index(ring, which).write_volatile(random.next() as u32) };
                }
                self.submit(ring, 2, random);
                self.notify();
            }
            5 => {
                for _ in 0..2000 {
                    self.notify();
                }
            }
            6 => {
                self.lending.revoke(self.references[ring]);
                self.submit(ring, 4, random);
                self.notify();
                events::close(self.port);
            }
            _ => {
                self.kind.write("state", random.below(9));
                let key = self.kind.rings[ring];
                self.kind.write(key, random.next() >> random.below(64));
                self.kind.write("event-channel", random.below(5000));
            }
        }
    }

    /// Requests change while the back end reads them.
    fn change_under_way(&mut self, ring: usize, random: &mut Random) {
        self.submit(ring, 8, random);
        self.notify();
        for _ in 0..20_000 {
            let word = HEADER / 8 + random.below(112) as usize;
            let entry = &mut self.rings[ring].words()[word] as *mut u64;
            unsafe { entry.write_volatile(random.next()) };
        }
    }
}
