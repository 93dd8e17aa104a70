//! Pages of words that a guest and the hypervisor share: the one way by which event channels and grant tables reach
//! them, whatever keeps the frame in place.

use core::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire, Release},
};

use hw::window::Window;
use memory::WritableRef;
use shared_page::{RelaxStrategy, SharedPage};
use vocabulary::Mfn;

use crate::machine::Machine;

/// Waits for a lock and answers other processors' requests for flushes meanwhile.
#[derive(Debug)]
pub struct AnswerFlushes;

impl RelaxStrategy for AnswerFlushes {
    #[inline]
    fn relax() {
        hw::tlb::poll();
        hw::cpu::relax();
    }
}

/// What keeps a frame where it is for as long as it lives.
pub trait Hold {
    /// The frame.
    fn frame(&self) -> Mfn;
}

impl Hold for WritableRef<'static, Machine> {
    #[inline]
    fn frame(&self) -> Mfn {
        self.mfn()
    }
}

/// The words of the frame that `H` holds.
#[derive(Debug)]
pub struct Words<H>(pub H);

impl<H: Hold> Words<H> {
    #[inline]
    fn word<R>(&self, offset: usize, work: impl FnOnce(&AtomicU32) -> R) -> Option<R> {
        let window = Window::open(self.0.frame());
        window.half_words().get(offset / 4).map(work)
    }
}

impl<H: Hold> SharedPage for Words<H> {
    type Relax = AnswerFlushes;

    #[inline]
    fn load(&self, offset: usize) -> u32 {
        self.word(offset, |word| word.load(Acquire)).unwrap_or(0)
    }

    #[inline]
    fn store(&self, offset: usize, value: u32) {
        self.word(offset, |word| word.store(value, Release));
    }

    #[inline]
    fn compare_exchange(&self, offset: usize, current: u32, new: u32) -> Result<u32, u32> {
        self.word(offset, |word| {
            word.compare_exchange(current, new, AcqRel, Acquire)
        })
        .unwrap_or(Err(0))
    }

    #[inline]
    fn fetch_or(&self, offset: usize, bits: u32) -> u32 {
        self.word(offset, |word| word.fetch_or(bits, AcqRel))
            .unwrap_or(0)
    }

    #[inline]
    fn fetch_and(&self, offset: usize, bits: u32) -> u32 {
        self.word(offset, |word| word.fetch_and(bits, AcqRel))
            .unwrap_or(0)
    }
}
