//! A page that a guest shares: it holds what the input says, and changes when the input says so.

use shared_page::SharedPage;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::Arc;

/// Words of a page.
pub const WORDS: usize = 1024;

/// A page. Clones are the same page. Between any two accesses the guest may have written to it:
/// each `changes` accesses it does.
#[derive(Clone)]
pub struct Page(Arc<Inside>);

struct Inside {
    words: Vec<AtomicU32>,
    /// A lie is told each so many accesses; 0 for never.
    every: u32,
    accesses: AtomicU32,
    state: AtomicU32,
}

impl Page {
    /// An empty page that lies each `every` accesses, 0 for never.
    pub fn new(every: u32, seed: u32) -> Self {
        Self(Arc::new(Inside {
            words: (0..WORDS).map(|_| AtomicU32::new(0)).collect(),
            every,
            accesses: AtomicU32::new(0),
            state: AtomicU32::new(seed),
        }))
    }

    /// Writes a word as the guest does.
    pub fn write(&self, index: usize, value: u32) {
        self.0.words[index % WORDS].store(value, SeqCst);
    }

    /// How often the hypervisor looked.
    pub fn accesses(&self) -> u32 {
        self.0.accesses.load(SeqCst)
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset < 4 * WORDS && offset % 4 == 0, "outside the page");
        let count = self.0.accesses.fetch_add(1, SeqCst);
        let word = &self.0.words[offset / 4];
        if self.0.every != 0 && count % self.0.every == 0 {
            let state = self.0.state.load(SeqCst);
            let next = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            self.0.state.store(next, SeqCst);
            word.store(next.rotate_left(16), SeqCst);
        }
        word
    }
}

impl SharedPage for Page {
    type Relax = spin::Spin;

    fn load(&self, offset: usize) -> u32 {
        self.word(offset).load(SeqCst)
    }

    fn store(&self, offset: usize, value: u32) {
        self.word(offset).store(value, SeqCst);
    }

    fn compare_exchange(&self, offset: usize, current: u32, new: u32) -> Result<u32, u32> {
        self.word(offset)
            .compare_exchange(current, new, SeqCst, SeqCst)
    }

    fn fetch_or(&self, offset: usize, bits: u32) -> u32 {
        self.word(offset).fetch_or(bits, SeqCst)
    }

    fn fetch_and(&self, offset: usize, bits: u32) -> u32 {
        self.word(offset).fetch_and(bits, SeqCst)
    }
}
