//! The trampoline and what it hands to a processor.

extern crate alloc;

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

use vocabulary::Mfn;

use super::{Absent, Handover};
use crate::{apic, layout, time};

#[cfg(target_os = "none")]
core::arch::global_asm!(
    include_str!("trampoline.S"),
    handover = sym HANDOVER,
    taken = sym TAKEN,
    options(att_syntax)
);

extern "C" {
    /// First byte of the trampoline as it lies in the image.
    static trampoline_start: u8;
    /// The byte after it.
    static trampoline_end: u8;
    /// Its descriptor table's address, within it: to be set to where it was copied.
    static trampoline_gdt_base: u8;
    /// The address of its 64-bit part, within it: likewise.
    static trampoline_long_mode: u8;
}

/// What `trampoline.S` reads; the offsets are known there.
#[repr(C)]
struct Block {
    page_table: u64,
    stack_top: u64,
    entry: u64,
    index: u64,
}

struct Shared(UnsafeCell<Block>);

// SAFETY: written by the starting processor only while no started one is on its way (`Starter` is one of a kind by the
// caller's promise and waits for TAKEN), read by the one that was started.
unsafe impl Sync for Shared {}

static HANDOVER: Shared = Shared(UnsafeCell::new(Block {
    page_table: 0,
    stack_top: 0,
    entry: 0,
    index: 0,
}));

/// Set by the started processor once it has read all of HANDOVER.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// Between INIT and startup, in fractions of a second (Intel SDM volume 3, section 9.4.4: 10 ms).
const INIT_FRACTION: u64 = 100;
/// After the first startup command before it is repeated: 1 ms (the manual asks for 200 µs at least).
const STARTUP_FRACTION: u64 = 1_000;

/// Starts processors; for the boot processor, one at a time.
pub struct Starter {
    page: u8,
    tsc_hz: u64,
    /// What lay where the trampoline lies (a small boot module may); put back in the end.
    covered: Vec<u8>,
}

impl Starter {
    /// Puts the trampoline into `page` (see [`super::trampoline_page`]) and resets the processors with these APIC
    /// numbers, which takes 10 ms. `tsc_hz` is the time-stamp counter's frequency.
    ///
    /// # Safety
    /// The page is RAM below 1 MiB that nothing else uses until the `Starter` is dropped, the boot page tables are as
    /// they were, and there is no other `Starter`.
    pub unsafe fn prepare(page: Mfn, tsc_hz: u64, apic_ids: impl Iterator<Item = u32>) -> Self {
        let base = page.address();
        let start = &raw const trampoline_start;
        let offset = |symbol: *const u8| (symbol as usize).wrapping_sub(start as usize);
        let length = offset(&raw const trampoline_end);
        let target = layout::direct(base).0 as *mut u8;
        let mut covered = Vec::with_capacity(length);
        // SAFETY: the trampoline is `length` bytes of the image and fits a page (asserted in image.ld); the caller
        // gave the page up. The two patched words lie inside it; they may be unaligned.
        unsafe {
            covered.extend_from_slice(core::slice::from_raw_parts(target, length));
            core::ptr::copy_nonoverlapping(start, target, length);
            for symbol in [
                &raw const trampoline_gdt_base,
                &raw const trampoline_long_mode,
            ] {
                let word = target.add(offset(symbol)).cast::<u32>();
                let value = word.read_unaligned();
                word.write_unaligned(value.wrapping_add(base.0 as u32));
            }
        }
        for apic_id in apic_ids {
            apic::send_init(apic_id);
        }
        time::wait_ticks(tsc_hz / INIT_FRACTION);
        Self {
            page: page.0 as u8,
            tsc_hz,
            covered,
        }
    }

    /// Starts one of those processors and returns once it took the handover over; its entry function runs then.
    /// After `Absent` the processor is reset again, so that it cannot come later.
    ///
    /// # Safety
    /// What the handover says is true, and the stack is the processor's own.
    pub unsafe fn start(&mut self, apic_id: u32, handover: Handover) -> Result<(), Absent> {
        TAKEN.store(0, Ordering::Relaxed);
        // SAFETY: no started processor reads the block now: the last one set TAKEN or was reset.
        unsafe {
            HANDOVER.0.get().write(Block {
                page_table: handover.page_table.0,
                stack_top: handover.stack_top.0,
                entry: handover.entry as usize as u64,
                index: u64::from(handover.index),
            });
        }
        core::sync::atomic::fence(Ordering::SeqCst);
        apic::send_startup(apic_id, self.page);
        if self.came_within(self.tsc_hz / STARTUP_FRACTION) {
            return Ok(());
        }
        // One that runs already ignores the second command.
        apic::send_startup(apic_id, self.page);
        if self.came_within(self.tsc_hz) {
            return Ok(());
        }
        apic::send_init(apic_id);
        Err(Absent)
    }

    fn came_within(&self, ticks: u64) -> bool {
        let start = crate::cpu::time_stamp();
        loop {
            if TAKEN.load(Ordering::Acquire) != 0 {
                return true;
            }
            if crate::cpu::time_stamp().wrapping_sub(start) > ticks {
                return false;
            }
            core::hint::spin_loop();
        }
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        let base = Mfn(u64::from(self.page)).address();
        let target = layout::direct(base).0 as *mut u8;
        // SAFETY: `prepare`'s caller gave the page up until now. No processor runs in it any more: each that came left
        // it before it set TAKEN, each other was reset.
        unsafe { core::ptr::copy_nonoverlapping(self.covered.as_ptr(), target, self.covered.len()) }
    }
}
