//! Windows on machine memory: the one way to a frame's bytes.
//!
//! Today every window is a place in the direct map. Callers hold a window only as long as they use it,
//! so that the direct map can leave the tables guests run on without touching them.

use core::sync::atomic::{AtomicU32, AtomicU64};

use vocabulary::{Mfn, PAGE_SIZE};

use crate::layout::DIRECT_MAP_BASE as DIRECT_MAP;

/// Bytes of machine memory the direct map can show.
pub const DIRECT_MAP_SIZE: u64 = 10 << 39;

/// A frame made accessible.
pub struct Window {
    address: u64,
}

impl Window {
    /// Opens a window on a frame of RAM. The caller must hold a reference to the frame (or own it), since
    /// a window does not keep the frame from being freed.
    #[inline(always)]
    pub fn open(frame: Mfn) -> Self {
        debug_assert!(frame.0 < DIRECT_MAP_SIZE >> 12);
        Self {
            address: DIRECT_MAP + (frame.0 << 12),
        }
    }

    /// The frame as 512 words. Atomic, since a guest or another processor may change any of them.
    #[inline(always)]
    pub fn words(&self) -> &[AtomicU64; 512] {
        // SAFETY: the direct map shows all RAM for ever, page aligned; atomics allow concurrent change.
        unsafe { &*(self.address as *const [AtomicU64; 512]) }
    }

    /// The frame as 1024 half words, likewise.
    #[inline(always)]
    pub fn half_words(&self) -> &[AtomicU32; 1024] {
        // SAFETY: as for `words`; x86 orders overlapping atomic accesses of different width by the cache line.
        unsafe { &*(self.address as *const [AtomicU32; 1024]) }
    }

    /// Address of the frame's first byte in the hypervisor's space.
    #[inline(always)]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Fills the frame with zeroes.
    #[inline]
    pub fn clear(&self) {
        // SAFETY: writes the 4096 bytes of the frame, which its owner asked to be overwritten.
        unsafe {
            core::arch::asm!("rep stosq", inout("rcx") 512u64 => _, inout("rdi") self.address => _,
                in("rax") 0u64, options(nostack, preserves_flags))
        }
    }

    /// Copies another frame's bytes into this one.
    pub fn copy_from(&self, other: &Self) {
        // SAFETY: both windows are 4096 readable and writable bytes; equal frames copy onto themselves.
        unsafe {
            core::arch::asm!("rep movsq", inout("rcx") 512u64 => _, inout("rdi") self.address => _,
                inout("rsi") other.address => _, options(nostack, preserves_flags))
        }
    }

    /// Copies `length` bytes from offset `from` of another frame to offset `to` of this one; what would pass
    /// the end of either is left out. Parts of one frame that overlap are copied in some order.
    pub fn copy_part(&self, to: usize, other: &Self, from: usize, length: usize) {
        let (to, from) = (to.min(PAGE_SIZE), from.min(PAGE_SIZE));
        let count = length.min(PAGE_SIZE - to.max(from));
        // SAFETY: both ranges lie in their frames, which are readable and writable; no Rust object lives in a
        // guest's frame, and the processor may meet any bytes there.
        unsafe {
            core::arch::asm!(
                "rep movsq", "mov ecx, {tail:e}", "rep movsb",
                tail = in(reg) count & 7, inout("rcx") count / 8 => _,
                inout("rdi") self.address + to as u64 => _, inout("rsi") other.address + from as u64 => _,
                options(nostack, preserves_flags))
        }
    }

    /// Writes the cache lines of `length` bytes from `offset` back to memory.
    pub fn write_back(&self, offset: usize, length: usize) {
        let end = offset.saturating_add(length).min(PAGE_SIZE);
        // Lines have 64 bytes on every x86-64 processor.
        for line in (offset & !63..end).step_by(64) {
            // SAFETY: the line lies in the frame; memory holds the same afterwards.
            unsafe {
                core::arch::asm!("clflush [{}]", in(reg) self.address + line as u64, options(nostack, preserves_flags))
            }
        }
    }

    /// Copies bytes into the frame from `offset`; what would pass its end is left out.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        let offset = offset.min(PAGE_SIZE);
        let count = bytes.len().min(PAGE_SIZE - offset);
        // SAFETY: the range lies in the frame; the source is an ordinary slice that cannot overlap it,
        // since no Rust object lives in a guest's or a free frame.
        unsafe {
            core::ptr::copy(bytes.as_ptr(), (self.address as *mut u8).add(offset), count);
        }
    }

    /// Copies bytes out of the frame from `offset`; returns how many there were.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let offset = offset.min(PAGE_SIZE);
        let count = bytes.len().min(PAGE_SIZE - offset);
        // SAFETY: the range lies in the frame; the bytes may change meanwhile, and any value is a byte.
        unsafe {
            core::ptr::copy(
                (self.address as *const u8).add(offset),
                bytes.as_mut_ptr(),
                count,
            );
        }
        count
    }
}

/// The frame that a direct-map address shows.
pub fn frame_of(address: u64) -> Mfn {
    Mfn(address.wrapping_sub(DIRECT_MAP) >> 12)
}

/// Shows `length` bytes of machine memory from `start`, as a boot module lies there. They must be RAM that
/// nobody changes meanwhile.
pub fn with_bytes<R>(start: u64, length: usize, use_them: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: the direct map shows all RAM; the caller's range is RAM that is reserved for what it holds.
    use_them(unsafe { core::slice::from_raw_parts((DIRECT_MAP + start) as *const u8, length) })
}

/// Shows `length` bytes of machine memory from `start` for writing: frames of the hypervisor's own.
pub fn with_bytes_mut<R>(start: u64, length: usize, use_them: impl FnOnce(&mut [u8]) -> R) -> R {
    // SAFETY: as for `with_bytes`, and the frames were just taken from the allocator for this use alone.
    use_them(unsafe { core::slice::from_raw_parts_mut((DIRECT_MAP + start) as *mut u8, length) })
}
