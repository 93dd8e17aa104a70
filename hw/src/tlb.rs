//! Translation look-aside buffers: local flushes, shoot-down of other processors, and the clock that
//! tells which flushes are still owed.

use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::cpu::{self, control};
use crate::percpu::{PerCpu, MAX_CPUS};

/// A set of processors.
#[derive(Debug)]
pub struct CpuSet {
    words: [AtomicU64; MAX_CPUS / 64],
}

impl CpuSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self {
            words: [const { AtomicU64::new(0) }; MAX_CPUS / 64],
        }
    }

    #[inline]
    fn word(&self, index: usize) -> Option<(&AtomicU64, u64)> {
        Some((self.words.get(index / 64)?, 1 << (index % 64)))
    }

    /// Adds a processor.
    #[inline]
    pub fn insert(&self, index: usize) {
        if let Some((word, bit)) = self.word(index) {
            if word.load(Relaxed) & bit == 0 {
                word.fetch_or(bit, AcqRel);
            }
        }
    }

    /// Removes a processor.
    #[inline]
    pub fn remove(&self, index: usize) {
        if let Some((word, bit)) = self.word(index) {
            word.fetch_and(!bit, AcqRel);
        }
    }

    /// Whether a processor is in the set.
    #[inline]
    pub fn contains(&self, index: usize) -> bool {
        self.word(index)
            .is_some_and(|(word, bit)| word.load(Acquire) & bit != 0)
    }

    /// Adds all of another set.
    pub fn insert_all(&self, other: &Self) {
        for (mine, theirs) in self.words.iter().zip(&other.words) {
            mine.fetch_or(theirs.load(Acquire), AcqRel);
        }
    }

    /// The processors of the set, lowest first, as they are when each word is reached.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(number, word)| {
            let mut left = word.load(Acquire);
            core::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (bit < 64).then_some(number * 64 + bit as usize)
            })
        })
    }
}

impl Default for CpuSet {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts flushes, so that "was this processor flushed since?" is a comparison. It advances only when
/// somebody took a stamp since it last did, and stays at its end for good: then every comparison answers
/// "flush", which is slower and still right.
static CLOCK: AtomicU32 = AtomicU32::new(1);
static STAMPED: AtomicBool = AtomicBool::new(false);

/// The stamp of now: a flush that begins later makes everything cached until now harmless.
#[inline]
pub fn stamp() -> u32 {
    if !STAMPED.load(Relaxed) {
        STAMPED.store(true, Release);
    }
    CLOCK.load(Acquire)
}

fn advance() -> u32 {
    if STAMPED.swap(false, AcqRel) {
        let _ = CLOCK.fetch_update(AcqRel, Acquire, |now| now.checked_add(1));
    }
    CLOCK.load(Acquire)
}

/// Whether processor `index` may still hold what was current at `stamp`.
#[inline]
pub fn is_stale(index: usize, stamp: u32) -> bool {
    let flushed = PerCpu::of(index).flushed_at.load(Acquire);
    flushed <= stamp
}

/// Drops all translations this processor holds, global ones too.
pub fn flush_all_local() {
    let cr4 = cpu::read_cr4();
    note_full_flush(|| {
        // SAFETY: the global-pages bit is cleared and set again; nothing else changes.
        unsafe {
            cpu::write_cr4(cr4 & !control::CR4_PGE);
            cpu::write_cr4(cr4);
        }
    });
}

/// Runs `load`, which drops all of this processor's translations, and notes the flush.
#[inline]
pub(crate) fn note_full_flush(load: impl FnOnce()) {
    // The clock is read first: a stamp taken while `load` runs then counts as not flushed.
    let now = advance();
    load();
    PerCpu::current().flushed_at.store(now, Release);
}

/// Drops the translation of one address on this processor.
#[inline]
pub fn flush_page_local(address: u64) {
    // SAFETY: forgetting a translation is always allowed; a non-canonical address is a no-operation.
    unsafe { core::arch::asm!("invlpg [{}]", in(reg) address, options(nostack)) }
}

/// Answers a shoot-down that was asked of this processor. Called by every waiting loop and by the
/// interrupt that announces one.
#[inline]
pub fn poll() {
    if PerCpu::current().flush_wanted.load(Relaxed) != 0 {
        answer();
    }
}

#[cold]
fn answer() {
    let wanted = &PerCpu::current().flush_wanted;
    let mut seen = wanted.load(Acquire);
    while seen != 0 {
        flush_all_local();
        // A request that came after the flush began is not answered by it: then there is another round.
        match wanted.compare_exchange(seen, 0, AcqRel, Acquire) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// The interrupt vector that announces a shoot-down.
pub const SHOOT_DOWN_VECTOR: u8 = 0xfb;

/// Flushes every processor of the set and waits until each has. `notify` sends the interrupt.
pub fn shoot_down(set: &CpuSet, notify: impl Fn(u32)) {
    let own = PerCpu::current().index();
    let mut waiting = false;
    for (number, word) in set.words.iter().enumerate() {
        let mut left = word.load(Acquire);
        if number == own / 64 {
            left &= !(1 << (own % 64));
        }
        while left != 0 {
            ask(number * 64 + left.trailing_zeros() as usize, &notify);
            left &= left.wrapping_sub(1);
            waiting = true;
        }
    }
    if set.contains(own) {
        flush_all_local();
    }
    if waiting {
        wait_for(set, own);
    }
}

/// Asks another processor to flush.
#[cold]
fn ask(index: usize, notify: &impl Fn(u32)) {
    let other = PerCpu::of(index);
    if other.flush_wanted.fetch_add(1, AcqRel) == 0 {
        notify(other.apic_id.load(Relaxed));
    }
}

/// Waits until the others of the set have flushed.
#[cold]
fn wait_for(set: &CpuSet, own: usize) {
    for index in set.iter().filter(|&index| index != own) {
        while PerCpu::of(index).flush_wanted.load(Acquire) != 0 {
            poll();
            cpu::relax();
        }
    }
}
