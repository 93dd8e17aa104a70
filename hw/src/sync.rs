//! The spin lock: fair, polling for shoot-downs while it waits, and with a level that orders locks.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::percpu::PerCpu;

/// A ticket lock. `LEVEL` (0 to 31) is its place in the order in which locks are taken: a processor may
/// take a lock only above all levels it holds. Debug builds check that.
///
/// All hypervisor code runs with interrupts off, so a holder is never interrupted; and a waiter answers
/// shoot-down requests while it spins, so a holder may wait for one.
pub struct SpinLock<T, const LEVEL: u32> {
    next: AtomicU32,
    serving: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the ticket protocol gives one processor at a time the only reference to the value.
unsafe impl<T: Send, const LEVEL: u32> Sync for SpinLock<T, LEVEL> {}
// SAFETY: moving the lock moves the value it owns.
unsafe impl<T: Send, const LEVEL: u32> Send for SpinLock<T, LEVEL> {}

impl<T, const LEVEL: u32> SpinLock<T, LEVEL> {
    /// An open lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            next: AtomicU32::new(0),
            serving: AtomicU32::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T, LEVEL> {
        let ticket = self.next.fetch_add(1, Relaxed);
        if self.serving.load(Acquire) != ticket {
            self.wait(ticket);
        }
        note_taken(LEVEL);
        SpinGuard { lock: self }
    }

    #[cold]
    fn wait(&self, ticket: u32) {
        while self.serving.load(Acquire) != ticket {
            crate::tlb::poll();
            crate::cpu::relax();
        }
    }

    /// Takes the lock if nobody has it.
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T, LEVEL>> {
        let serving = self.serving.load(Acquire);
        self.next
            .compare_exchange(serving, serving.wrapping_add(1), Acquire, Relaxed)
            .ok()?;
        note_taken(LEVEL);
        Some(SpinGuard { lock: self })
    }
}

/// The value of a lock that is held.
pub struct SpinGuard<'a, T, const LEVEL: u32> {
    lock: &'a SpinLock<T, LEVEL>,
}

impl<T, const LEVEL: u32> Deref for SpinGuard<'_, T, LEVEL> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while its ticket is served, so no other reference is live.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T, const LEVEL: u32> DerefMut for SpinGuard<'_, T, LEVEL> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`, and `&mut self` makes this the only use of the guard.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T, const LEVEL: u32> Drop for SpinGuard<'_, T, LEVEL> {
    #[inline]
    fn drop(&mut self) {
        note_released(LEVEL);
        let serving = self.lock.serving.load(Relaxed);
        self.lock.serving.store(serving.wrapping_add(1), Release);
    }
}

#[inline]
fn note_taken(level: u32) {
    if cfg!(debug_assertions) {
        let held = &PerCpu::current().locks_held;
        let before = held.load(Relaxed);
        assert!(
            before >> level == 0,
            "lock of level {level} taken with {before:#x} held"
        );
        held.store(before | 1 << level, Relaxed);
    }
}

#[inline]
fn note_released(level: u32) {
    if cfg!(debug_assertions) {
        let held = &PerCpu::current().locks_held;
        held.store(held.load(Relaxed) & !(1 << level), Relaxed);
    }
}
