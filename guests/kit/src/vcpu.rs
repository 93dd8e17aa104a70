//! What each vCPU of the guest owns: its stack, its resume point, the last trap it took.
//!
//! A vCPU finds its area by masking its stack pointer, so neither a segment base nor a hypercall is
//! needed, and tests may play with both.

use crate::trap::Frame;
use core::arch::asm;

/// Bytes, and the alignment, of one vCPU's area.
pub const AREA_SIZE: usize = 0x10000;
/// The most vCPUs a guest of this kit uses.
pub const MAX_VCPUS: usize = 4;
/// Where, inside an area, frames land that bounce out of user mode: below the stack in use.
pub const BOUNCE_STACK: usize = AREA_SIZE / 2;

/// One vCPU's area; its stack grows down from its end.
#[repr(C, align(65536))]
pub struct Area {
    /// The vCPU's number.
    pub id: u64,
    /// Stack pointer to go back to from a trap that a `catch` waits for; 0 when none waits.
    pub resume: u64,
    /// The last trap taken.
    pub frame: Frame,
    /// `arch.cr2` of `vcpu_info` as it was at the last trap.
    pub cr2: u64,
    /// Called on a trap before anything else; true means handled: go back to where it came from.
    pub hook: Option<fn(&mut Frame) -> bool>,
    /// Event upcalls taken so far.
    pub upcalls: u64,
    /// Where `vcpu_info` lives now (it moves when a case registers another place).
    pub info: u64,
}

#[repr(C, align(65536))]
pub(crate) struct Slot([u8; AREA_SIZE]);

pub(crate) static mut AREAS: [Slot; MAX_VCPUS] = [const { Slot([0; AREA_SIZE]) }; MAX_VCPUS];

/// The address of the area of vCPU `id`.
pub fn area_address(id: usize) -> u64 {
    assert!(id < MAX_VCPUS);
    &raw const AREAS as u64 + (id * AREA_SIZE) as u64
}

/// The area of vCPU `id`. One vCPU writes its own; another may peek.
pub fn area_of(id: usize) -> &'static mut Area {
    unsafe { &mut *(area_address(id) as *mut Area) }
}

/// The area of the vCPU that asks.
pub fn area() -> &'static mut Area {
    let rsp: u64;
    unsafe { asm!("mov {}, rsp", out(reg) rsp, options(nomem, nostack, preserves_flags)) };
    unsafe { &mut *((rsp & !(AREA_SIZE as u64 - 1)) as *mut Area) }
}

pub(crate) fn name_areas() {
    for id in 0..MAX_VCPUS {
        area_of(id).id = id as u64;
    }
}
