//! A virtual processor.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use arrayvec::ArrayVec;
use events::Waiting;
use hw::descriptors::DescriptorWindow;
use hw::fpu::FpuState;
use hw::registers::Registers;
use hw::sync::SpinLock;
use hw::vcpu::VcpuContext;
use sched::VcpuKey;
use vocabulary::{Mfn, VcpuId};

use crate::domain::Domain;
use crate::{counters, levels};

/// `loaded_on` of a vCPU whose state lies in no processor.
pub const NOWHERE: u32 = u32::MAX;

/// A guest's handler of one exception (`trap_info`).
#[derive(Debug, Default)]
pub struct TrapEntry {
    /// The handler; zero for none.
    pub address: AtomicU64,
    /// Its code selector.
    pub selector: AtomicU32,
    /// The lowest privilege that may raise it by `int`, in bits 0 and 1; bit 2: delivery masks events.
    pub flags: AtomicU32,
}

/// Descriptor frames of a vCPU, each held by a descriptor-page reference.
#[derive(Debug, Default)]
pub struct DescriptorFrames {
    /// Frames of the GDT.
    pub gdt: ArrayVec<Mfn, 14>,
    /// Frames of the LDT; `Mfn::INVALID` where a page is not usable.
    pub ldt: ArrayVec<Mfn, 16>,
    /// Where the guest has its LDT.
    pub ldt_address: u64,
}

/// Page-table bases of a vCPU, each held by a base reference. Changed under the domain's paging lock.
#[derive(Debug, Default)]
pub struct Bases {
    /// The kernel's top-level table.
    pub kernel: AtomicU64,
    /// The user programs' top-level table; zero for none.
    pub user: AtomicU64,
}

/// A virtual processor.
pub struct Vcpu {
    /// Its number in its domain.
    pub id: VcpuId,
    /// Its domain.
    pub domain: Arc<Domain>,
    /// What the entry code reads.
    pub context: Arc<VcpuContext>,
    /// Vector state while it does not run.
    pub fpu: FpuState,
    /// Registers while it does not run.
    pub saved: SpinLock<Registers, { levels::VCPU }>,
    /// Handlers of exceptions.
    pub traps: Box<[TrapEntry; 256]>,
    /// Its descriptor window.
    pub window: DescriptorWindow,
    /// What the window shows.
    pub descriptors: SpinLock<DescriptorFrames, { levels::VCPU }>,
    /// Its page tables.
    pub bases: Bases,
    /// Frame of a registered `vcpu_info`, or the shared one's.
    pub info_frame: AtomicU64,
    /// Whether it registered a `vcpu_info` of its own.
    pub info_registered: AtomicBool,
    /// Its name in the scheduler.
    pub key: VcpuKey,
    /// It is up: initialised and started.
    pub is_up: AtomicBool,
    /// `VCPUOP_initialise` (or the domain builder) gave it a context.
    pub is_initialised: AtomicBool,
    /// Its wait for an event (`SCHEDOP_block` or `poll`).
    pub waiting: Waiting,
    /// How many hold it paused.
    pub pauses: AtomicU32,
    /// An NMI waits for it.
    pub nmi_pending: AtomicBool,
    /// Processor it runs on or ran on last.
    pub processor: AtomicU32,
    /// It runs on `processor`. Changed under the scheduler's lock.
    pub is_running: AtomicBool,
    /// The processor in which its state lies, or [`NOWHERE`] where `saved` and its like hold it.
    pub loaded_on: AtomicU32,
    /// Time.
    pub time: crate::vcpu_time::VcpuTime,
    /// What it did, counted.
    pub counters: counters::Counters,
}

impl Vcpu {
    /// Whether nothing but the scheduler's choice keeps it from running.
    pub fn is_runnable(&self) -> bool {
        !self.waiting.is_on() && !self.is_held()
    }

    /// Whether something other than its own waiting keeps it from running.
    #[inline]
    pub fn is_held(&self) -> bool {
        !self.is_up.load(Acquire) || self.pauses.load(Acquire) != 0 || self.domain.is_held()
    }

    /// Its kernel's top-level table.
    #[inline]
    pub fn kernel_base(&self) -> Mfn {
        Mfn(self.bases.kernel.load(Relaxed))
    }

    /// The top-level table in force now.
    #[inline]
    pub fn current_base(&self) -> Mfn {
        if self.context.in_kernel() {
            self.kernel_base()
        } else {
            Mfn(self.bases.user.load(Relaxed))
        }
    }

    /// Points it to another `vcpu_info`; the caller holds a reference to the frame for it.
    pub fn set_info(&self, frame: Mfn, offset: usize) {
        self.info_frame.store(frame.0, Release);
        self.context.set_info(frame, offset);
    }
}
