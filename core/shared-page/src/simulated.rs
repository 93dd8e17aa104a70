//! Pages for tests of what lives in them: in this program's memory, with a test as the guest.
#![allow(clippy::indexing_slicing)] // A place outside the page is the tested crate's mistake, and ends the test.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::SharedPage;

/// Words of a page.
const WORDS: usize = 1024;

/// A page. Clones are the same page.
#[derive(Clone, Debug)]
pub struct Page(pub Arc<Vec<AtomicU32>>);

impl Page {
    /// A page of zeroes.
    pub fn empty() -> Self {
        Self(Arc::new((0..WORDS).map(|_| AtomicU32::new(0)).collect()))
    }

    /// Holds on the page, the test's own included.
    pub fn holds(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl SharedPage for Page {
    type Relax = spin::Spin;

    fn load(&self, offset: usize) -> u32 {
        self.0[offset / 4].load(SeqCst)
    }
    fn store(&self, offset: usize, value: u32) {
        self.0[offset / 4].store(value, SeqCst);
    }
    fn compare_exchange(&self, offset: usize, current: u32, new: u32) -> Result<u32, u32> {
        self.0[offset / 4].compare_exchange(current, new, SeqCst, SeqCst)
    }
    fn fetch_or(&self, offset: usize, bits: u32) -> u32 {
        self.0[offset / 4].fetch_or(bits, SeqCst)
    }
    fn fetch_and(&self, offset: usize, bits: u32) -> u32 {
        self.0[offset / 4].fetch_and(bits, SeqCst)
    }
}

/// A page whose every word is a fresh lie, and where one exchange in a few succeeds.
#[derive(Debug)]
pub struct Liar {
    state: AtomicU32,
    /// Makes of random bits what may look like something.
    shape: fn(u32) -> u32,
    /// One exchange in so many succeeds.
    agrees: u32,
}

impl Liar {
    /// A page that lies by a seed: random bits by way of `shape`, and exchanges that succeed once in `agrees`.
    pub const fn new(seed: u32, shape: fn(u32) -> u32, agrees: u32) -> Self {
        Self {
            state: AtomicU32::new(seed),
            shape,
            agrees,
        }
    }

    fn lie(&self, offset: usize) -> u32 {
        assert!(offset < 4 * WORDS, "outside the page");
        let next = |state: u32| state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let state = next(self.state.load(SeqCst));
        self.state.store(state, SeqCst);
        (self.shape)(state.rotate_left(16))
    }
}

impl SharedPage for Liar {
    type Relax = spin::Spin;

    fn load(&self, offset: usize) -> u32 {
        self.lie(offset)
    }
    fn store(&self, offset: usize, _: u32) {
        self.lie(offset);
    }
    fn compare_exchange(&self, offset: usize, current: u32, _: u32) -> Result<u32, u32> {
        if self.lie(offset) % self.agrees == 0 {
            Ok(current)
        } else {
            Err(self.lie(offset))
        }
    }
    fn fetch_or(&self, offset: usize, _: u32) -> u32 {
        self.lie(offset)
    }
    fn fetch_and(&self, offset: usize, _: u32) -> u32 {
        self.lie(offset)
    }
}
