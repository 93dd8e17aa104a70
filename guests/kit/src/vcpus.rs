//! More vCPUs: bringing one up and giving it a job.

use crate::hypercall::{at_mut, vcpu_op};
use crate::mmu;
use crate::pages::Page;
use crate::trap::{callback_entries, TrapInfo, FLAT_CS64, FLAT_SS};
use crate::vcpu::{area, area_address, AREA_SIZE, MAX_VCPUS};
use core::sync::atomic::{AtomicU64, Ordering};

/// Operations of `vcpu_op` (public/vcpu.h).
#[allow(missing_docs)]
pub mod op {
    pub const INITIALISE: u64 = 0;
    pub const UP: u64 = 1;
    pub const DOWN: u64 = 2;
    pub const IS_UP: u64 = 3;
    pub const GET_RUNSTATE: u64 = 4;
    pub const REGISTER_RUNSTATE: u64 = 5;
    pub const SET_PERIODIC: u64 = 6;
    pub const STOP_PERIODIC: u64 = 7;
    pub const SET_SINGLESHOT: u64 = 8;
    pub const STOP_SINGLESHOT: u64 = 9;
    pub const REGISTER_INFO: u64 = 10;
    pub const SEND_NMI: u64 = 11;
    pub const GET_PHYSID: u64 = 12;
    pub const REGISTER_TIME: u64 = 13;
}

/// `struct vcpu_guest_context` of public/arch-x86/xen.h, 5168 bytes.
#[repr(C, align(16))]
#[allow(missing_docs)]
pub struct Context {
    pub fpu: [u8; 512],
    pub flags: u64,
    pub general: [u64; 15],
    pub error_and_vector: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
    pub data_selectors: [u64; 4],
    pub traps: [TrapInfo; 256],
    pub ldt_base: u64,
    pub ldt_entries: u64,
    pub gdt_frames: [u64; 16],
    pub gdt_entries: u64,
    pub kernel_ss: u64,
    pub kernel_sp: u64,
    pub control: [u64; 8],
    pub debug: [u64; 8],
    pub event_entry: u64,
    pub failsafe_entry: u64,
    pub syscall_entry: u64,
    pub vm_assist: u64,
    pub fs_base: u64,
    pub gs_base_kernel: u64,
    pub gs_base_user: u64,
}

static JOBS: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
static INITIALISED: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];

/// A context that starts the kit's loop on vCPU `id`, in our tables.
pub fn context(id: usize) -> &'static mut Context {
    let pages = Page::take_run(2);
    let context = unsafe { &mut *(pages.va as *mut Context) };
    // VGCF_in_kernel
    context.flags = 1 << 2;
    context.rip = begin as *const () as u64;
    context.cs = FLAT_CS64;
    context.ss = FLAT_SS;
    context.rflags = 0x2;
    // As after a call: the stack is 8 below a multiple of 16 on entry to a function.
    context.rsp = area_address(id) + AREA_SIZE as u64 - 8;
    context.kernel_ss = FLAT_SS;
    context.kernel_sp = area_address(id) + AREA_SIZE as u64 / 2;
    for vector in (0..22u8).filter(|v| *v != 2).chain([0x80]) {
        context.traps[vector as usize] = TrapInfo::own(vector);
    }
    let entries = callback_entries();
    context.event_entry = entries[0].1;
    context.failsafe_entry = entries[1].1;
    context.syscall_entry = entries[2].1;
    context.control[3] = mmu::current_l4() << 12;
    context
}

extern "C" fn begin() -> ! {
    let id = area().id as usize;
    loop {
        let job = JOBS[id].swap(0, Ordering::SeqCst);
        if job != 0 {
            let job: fn() = unsafe { core::mem::transmute(job as usize) };
            job();
        }
        vcpu_op(op::DOWN, id as u64, 0);
    }
}

/// Runs a job on vCPU `id`, bringing it up; it goes down again when the job returns.
pub fn start(id: usize, job: fn()) {
    JOBS[id].store(job as usize as u64, Ordering::SeqCst);
    if INITIALISED[id].swap(1, Ordering::SeqCst) == 0 {
        let result = vcpu_op(
            op::INITIALISE,
            id as u64,
            context(id) as *const Context as u64,
        );
        assert_eq!(result, 0, "initialise vCPU {id}");
    }
    assert_eq!(vcpu_op(op::UP, id as u64, 0), 0);
}

/// Whether vCPU `id` is up: 1 or 0, or an errno.
pub fn is_up(id: usize) -> i64 {
    vcpu_op(op::IS_UP, id as u64, 0)
}

/// `struct vcpu_runstate_info` of public/vcpu.h: what a vCPU did with its time, in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Runstate {
    /// Its state now: 0 runs, 1 could run, 2 waits, 3 is held.
    pub state: u32,
    /// Nothing.
    pub pad: u32,
    /// Since when.
    pub since: u64,
    /// Time in each state.
    pub times: [u64; 4],
}

/// The runstate of vCPU `id` now.
pub fn runstate(id: usize) -> Runstate {
    let mut found = Runstate::default();
    let result = vcpu_op(op::GET_RUNSTATE, id as u64, at_mut(&mut found));
    assert_eq!(result, 0, "runstate of vCPU {id}");
    found
}
