//! The hypervisor's own heap: the global allocator, fed with regions of memory.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use talc::{source::Manual, TalcLock};
use vocabulary::{Mfn, VirtAddr};

/// A lock that spins. Nobody sends TLB shoot-downs or waits for another processor while holding it, so a waiter need
/// not answer any; the critical sections are the allocator's few hundred instructions.
pub struct SpinLock(AtomicBool);

// SAFETY: `try_lock` succeeds for one caller until `unlock`: the swap is atomic, acquire and release order what the
// holder does.
unsafe impl lock_api::RawMutex for SpinLock {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "lock_api wants the initial value as a constant; each use makes a lock of its own"
    )]
    const INIT: Self = Self(AtomicBool::new(false));
    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {
        while !self.try_lock() {
            while self.0.load(Ordering::Relaxed) {
                core::hint::spin_loop();
            }
        }
    }

    fn try_lock(&self) -> bool {
        !self.0.swap(true, Ordering::Acquire)
    }

    unsafe fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg_attr(target_os = "none", global_allocator)]
static HEAP: TalcLock<SpinLock, Manual> = TalcLock::new(Manual);

/// Bytes given to the heap so far.
static SIZE: AtomicUsize = AtomicUsize::new(0);

/// Gives the heap the memory from `start` on, `length` bytes, for good. Says whether there was enough of it to use (the
/// first region must hold the allocator's own tables: give it 64 KiB at least).
///
/// # Safety
/// The memory is mapped writable for as long as the hypervisor runs, and nobody else uses it.
pub unsafe fn add(start: VirtAddr, length: usize) -> bool {
    // SAFETY: the caller gives the memory up to the allocator, and `Manual` allows regions to be claimed by hand.
    let claimed = unsafe { HEAP.lock().claim(start.0 as *mut u8, length) };
    if claimed.is_some() {
        SIZE.fetch_add(length, Ordering::Relaxed);
    }
    claimed.is_some()
}

/// Frames that the heap uses for as long as anything lies in them.
#[derive(Debug)]
pub struct Lent {
    first: Mfn,
    order: u32,
    /// Where the allocator ends in them.
    end: NonNull<u8>,
}

// SAFETY: the pointer is only a mark for the allocator, which is used under its own lock.
unsafe impl Send for Lent {}

/// Gives the heap 2^`order` frames from `first` until [`take_back`] succeeds. The frames must be the hypervisor's own.
pub fn lend(first: Mfn, order: u32) -> Option<Lent> {
    let start = crate::window::Window::open(first).address() as *mut u8;
    let length = 4096usize << order;
    // SAFETY: the direct map shows all RAM writable for ever; the caller's frames are nobody else's until the
    // allocator has let go of them.
    let end = unsafe { HEAP.lock().claim(start, length) }?;
    SIZE.fetch_add(length, Ordering::Relaxed);
    Some(Lent { first, order, end })
}

/// Takes frames back in which nothing lies any more: the first, and the order of how many. Otherwise the loan goes on.
pub fn take_back(lent: Lent) -> Result<(Mfn, u32), Lent> {
    let mut heap = HEAP.lock();
    // SAFETY: the end is that of a region claimed by `lend`, which nothing but the deletion below changes.
    if unsafe { heap.reserved(lent.end) }.any {
        return Err(lent);
    }
    // SAFETY: as above. Nothing lies in the region, so all of it is given up.
    if unsafe { heap.truncate(lent.end, core::ptr::null_mut()) }.is_some() {
        return Err(lent);
    }
    SIZE.fetch_sub(4096usize << lent.order, Ordering::Relaxed);
    Ok((lent.first, lent.order))
}

/// Bytes given to the heap so far.
pub fn size() -> usize {
    SIZE.load(Ordering::Relaxed)
}

/// Gives the heap 2^`order` frames from `first`, for good. The frames must be the hypervisor's own.
pub fn give(first: Mfn, order: u32) -> bool {
    let start = VirtAddr(crate::window::Window::open(first).address());
    // SAFETY: the direct map shows all RAM writable for ever, and the caller's frames are nobody else's.
    unsafe { add(start, 4096usize << order) }
}
