//! Making arguments: numbers, frames, pointers, page-table entries, domains, and structures put
//! where the hypervisor finds them, or nearly so.

use crate::arena;
use guest_kit::hypercall::DOMID_SELF;
use guest_kit::pages::{Page, M2P, PAGE};
use guest_kit::random::Random;
use guest_kit::start::start_info;

/// One hypercall to be made.
#[derive(Clone, Copy, Default)]
pub struct Shot {
    /// Its number.
    pub number: u64,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// A shot with these arguments, the rest 0.
pub fn shot(number: u64, given: &[u64]) -> Shot {
    let mut arguments = [0; 6];
    arguments[..given.len()].copy_from_slice(given);
    Shot { number, arguments }
}

/// A source of arguments: one vCPU's numbers and its page for structures.
pub struct Gun {
    /// Where all choices come from.
    pub random: Random,
    /// The vCPU.
    pub vcpu: usize,
    /// Whether what would end the guest is left out.
    pub gentle: bool,
    /// Whether the domain may switch to the FIFO event channels.
    pub fifo: bool,
    /// Whether several shots share the page, so that none may use its end.
    pub nested: bool,
    page: Page,
    used: u64,
}

/// Places of special meaning in an address space, which no guest may use: the hypervisor's part
/// and its edges, what is not canonical, what is not mapped.
const BAD_PLACES: &[u64] = &[
    0,
    1,
    8,
    0xff8,
    0x7fff_ffff_f000,
    0x7fff_ffff_fff8,
    0x8000_0000_0000,
    0x8000_0000_0000_0000,
    0xffff_7fff_ffff_fff8,
    M2P,
    M2P + 0x1000,
    0xffff_8080_0000_0000,
    0xffff_8100_0000_0000,
    0xffff_8140_0000_0000,
    0xffff_82d0_4000_0000,
    0xffff_82d0_8000_0000,
    0xffff_8300_0000_0000,
    0xffff_8300_0020_0000,
    0xffff_87ff_ffff_fff8,
    0xffff_87ff_ffff_ffff,
    0xffff_8800_0000_0000,
    0xffff_ffff_ffff_fff8,
    u64::MAX,
];

/// Counts at the edges; bit 31 says that a call goes on (MMU_UPDATE_PREEMPTED).
const COUNTS: &[u64] = &[
    0,
    1,
    2,
    3,
    16,
    512,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0x1_0000_0000,
    u64::MAX,
];

/// Domains with a number of their own in the interface: self, I/O, Xen, shared, none, idle.
const DOMAINS: &[u64] = &[0x7ff1, 0x7ff2, 0x7ff3, 0x7ff4, 0x7ff5, 0x7fff, 0xffff];

impl Gun {
    /// A gun of a vCPU.
    pub fn new(seed: u64, vcpu: usize, gentle: bool) -> Self {
        Gun {
            random: Random::new(seed ^ (vcpu as u64) << 48),
            vcpu,
            gentle,
            fifo: seed & 1 == 1,
            nested: false,
            page: arena::block(vcpu),
            used: 0,
        }
    }

    /// Forgets the structures of the last shot.
    pub fn reload(&mut self) {
        self.page.words().fill(0);
        self.used = 0;
    }

    /// Any number, more often one at an edge. Never a frame or address of the guest's own.
    pub fn word(&mut self) -> u64 {
        match self.random.below(12) {
            0..=3 => self.random.below(20),
            4 => (1u64 << self.random.below(64)).wrapping_sub(self.random.below(3)),
            5 => self.random.pick(COUNTS),
            6 => self.random.next() & 0xffff_ffff,
            7 => self.domain(),
            8 => self.outside_frame(),
            9 => arena::frame(self.random.next()),
            10 => self.random.next(),
            _ => self.place(),
        }
    }

    /// A count: mostly `usual`.
    pub fn count(&mut self, usual: u64) -> u64 {
        match self.random.once_in(6) {
            true => self.random.pick(COUNTS),
            false => usual,
        }
    }

    /// A domain: mostly the guest itself.
    pub fn domain(&mut self) -> u64 {
        match self.random.below(8) {
            0..=4 => DOMID_SELF,
            5 => self.other_domain(),
            6 => self.random.below(6),
            _ => self.random.next() & 0xffff,
        }
    }

    /// A domain that is not the guest under the name it knows.
    pub fn other_domain(&mut self) -> u64 {
        match self.random.below(3) {
            0 => 0,
            1 => self.random.pick(DOMAINS),
            _ => self.random.below(6),
        }
    }

    /// A frame that is not the guest's, or not even memory.
    pub fn outside_frame(&mut self) -> u64 {
        let frame = match self.random.below(8) {
            0..=2 => self.random.below(1 << 20),
            3 => 0x200 + self.random.below(0x800),
            4 => self
                .random
                .pick(&[0, 0xb8, 0xf0, 0xfee00, 0xfec00, (1 << 40) - 1, 1 << 40]),
            5 => start_info().shared_info / PAGE,
            6 => self.random.next() >> 12,
            _ => self.random.next() >> self.random.below(52),
        };
        match arena::is_protected(frame) {
            true => u64::MAX >> 12,
            false => frame,
        }
    }

    /// A frame that a call may do anything to.
    pub fn frame(&mut self) -> u64 {
        match self.random.below(10) {
            0..=7 => arena::frame(self.random.next()),
            _ => self.outside_frame(),
        }
    }

    /// The same, or a page table in use.
    pub fn frame_or_live(&mut self) -> u64 {
        match self.random.below(12) {
            0 => arena::live_l4(),
            1 => arena::live_l1(),
            _ => self.frame(),
        }
    }

    /// A page-table entry.
    pub fn entry(&mut self) -> u64 {
        let flags = match self.random.below(8) {
            0 => 0,
            1 => self.random.next() & 0xfff,
            2 => self.random.next() & 0x7ff0_0000_0000_0fff,
            3..=4 => 0x65,
            _ => 0x67,
        };
        let no_execute = (self.random.below(8) / 7) << 63;
        match self.random.below(16) {
            0 => self.random.next(),
            1..=8 => self.frame_or_live() << 12 | flags | no_execute,
            _ => arena::table_frame(self.random.next()) << 12 | flags,
        }
    }

    /// The machine address of a page-table entry that may be changed.
    pub fn entry_address(&mut self) -> u64 {
        let number = self.random.next();
        match self.random.below(10) {
            0..=2 => arena::slot_entry(number),
            3..=7 => arena::table_frame(number) * PAGE + 8 * self.random.below(512),
            8 => arena::live_l4() * PAGE + 8 * self.random.below(240),
            _ => self.word() & !3,
        }
    }

    /// A virtual address that may be remapped.
    pub fn slot(&mut self) -> u64 {
        match self.random.below(8) {
            0 => self.random.pick(BAD_PLACES),
            1 => arena::slot(self.random.next()).va + self.random.below(PAGE),
            _ => arena::slot(self.random.next()).va,
        }
    }

    /// A pointer that is likely bad.
    pub fn place(&mut self) -> u64 {
        let number = self.random.next();
        match self.random.below(8) {
            0..=2 => self.random.pick(BAD_PLACES),
            3 => arena::slot(number).va + number % PAGE,
            4 => arena::read_only().va + 8 * (number % 512),
            5 => arena::table(number).va + 8 * (number % 512),
            6 => arena::junk().va + number % (2 * PAGE),
            _ => number,
        }
    }

    /// A pointer to somewhere the hypervisor may write to.
    pub fn room(&mut self) -> u64 {
        match self.random.once_in(5) {
            true => self.place(),
            false => arena::junk().va + 8 * self.random.below(512),
        }
    }

    /// Puts a structure into memory; gives its address, or now and then a wrong one. A wrong one
    /// leads nowhere: what lies at a place that can be read is not known to be harmless.
    pub fn put(&mut self, words: &[u64]) -> u64 {
        let size = 8 * words.len() as u64;
        let place = match self.random.below(24) {
            0 | 1 => return self.random.pick(BAD_PLACES),
            // Only a part of it is mapped.
            2 if !self.nested => {
                let mapped = 8 * self.random.below(words.len() as u64 + 1);
                PAGE - mapped
            }
            3 if !self.nested => PAGE - size.min(PAGE),
            4 => self.used + self.random.below(8),
            _ => self.used,
        };
        for (index, word) in words.iter().enumerate() {
            let offset = place + 8 * index as u64;
            if offset + 8 > PAGE {
                break;
            }
            unsafe { ((self.page.va + offset) as *mut u64).write_unaligned(*word) };
        }
        // Pairs stay pairs for a call that reads past the end of its list: what is meant as a value
        // never becomes the address of one.
        self.used = ((self.used + size + 31) & !15).min(PAGE - 1024);
        self.page.va + place
    }

    /// Puts a structure of `N` words, each made by a call.
    pub fn put_words<const N: usize>(&mut self) -> u64 {
        let words: [u64; N] = core::array::from_fn(|_| self.word());
        self.put(&words)
    }

    /// Two 32-bit numbers in one word.
    pub fn pair(low: u64, high: u64) -> u64 {
        (low & 0xffff_ffff) | high << 32
    }
}
