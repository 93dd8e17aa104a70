//! Each processor's own area: where its entry stub, its data and its stacks are, and how code finds them.

extern crate alloc;

use alloc::sync::Arc;
use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{
    AtomicPtr, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::boot::MemoryMap;
use crate::entry::{self, TaskState};
use crate::paging::{self, FrameSource, OutOfFrames};
use crate::vcpu::VcpuContext;
use crate::{descriptors, fpu, modes, smp, tlb};

/// The most processors there can be.
pub const MAX_CPUS: usize = 256;

/// Layout of one processor's area of 64 KiB, which is aligned to its size so that masking `rsp` finds it.
pub mod area {
    /// First area.
    pub const BASE: u64 = 0xffff_8080_0000_0000;
    /// Distance between two processors' areas.
    pub const SIZE: u64 = 0x1_0000;
    /// The page of `syscall` stubs, one physical page for all.
    pub const STUB: u64 = 0;
    /// The page of `PerCpu`.
    pub const DATA: u64 = 0x1000;
    /// Top of the stack for non-maskable interrupts. The page at 0x2000 is a guard.
    pub const NMI_STACK_TOP: u64 = 0x4000;
    /// Top of the stack for debug exceptions.
    pub const DEBUG_STACK_TOP: u64 = 0x5000;
    /// Top of the stack for machine checks.
    pub const MACHINE_CHECK_STACK_TOP: u64 = 0x6000;
    /// Top of the stack for double faults. The page at 0x7000 is a guard.
    pub const DOUBLE_FAULT_STACK_TOP: u64 = 0x7000;
    /// Top of the ordinary stack of 32 KiB.
    pub const STACK_TOP: u64 = 0x1_0000;

    /// Start of processor `index`'s area.
    pub const fn base(index: usize) -> u64 {
        BASE + index as u64 * SIZE
    }

    /// Offsets of the pages that must be backed by frames of the processor's own.
    pub const BACKED: [u64; 13] = [
        DATA, 0x3000, 0x4000, 0x5000, 0x6000, 0x8000, 0x9000, 0xa000, 0xb000, 0xc000, 0xd000,
        0xe000, 0xf000,
    ];
}

/// Distance from the stack's top down to `PerCpu`.
pub const PERCPU_BELOW_TOP: u64 = area::STACK_TOP - area::DATA;

/// What assembly and the hypervisor keep for each processor.
#[repr(C)]
pub struct PerCpu {
    /// The guest's `rsp` during the first instructions of a system call.
    pub scratch_rsp: AtomicU64,
    /// The vCPU that runs here, always set (the idle vCPU otherwise).
    pub vcpu: AtomicPtr<VcpuContext>,
    /// Where the stubs jump to.
    pub syscall_target: AtomicU64,
    /// Where the 32-bit stub jumps to.
    pub syscall32_target: AtomicU64,
    /// Bits of work to do before a guest runs again; their meaning is the hypervisor crate's.
    pub work: AtomicU32,
    /// This processor's index.
    pub index: AtomicU32,
    /// Its local APIC identifier.
    pub apic_id: AtomicU32,
    /// Vector of the last guarded fault, its error code and address.
    pub fault_vector: AtomicU32,
    /// Error code of the last guarded fault.
    pub fault_code: AtomicU32,
    /// Address of the last guarded page fault.
    pub fault_address: AtomicU64,
    /// Value of `tlb::clock` at the last full flush here.
    pub flushed_at: AtomicU32,
    /// Requests for a flush here that are not answered yet.
    pub flush_wanted: AtomicU32,
    /// Levels of the locks held here, a bit each (debug builds check their order).
    pub locks_held: AtomicU32,
    /// XCR0 as loaded.
    pub loaded_xcr0: AtomicU64,
    task_state: UnsafeCell<TaskState>,
}

// SAFETY: all fields but the task state are atomic; that one is written only while its processor is
// brought up, before anything else can reach it, and then only the processor itself reads it.
unsafe impl Sync for PerCpu {}

impl PerCpu {
    /// This processor's own data.
    #[inline(always)]
    pub fn current() -> &'static Self {
        let stack: u64;
        // SAFETY: reads a register only.
        unsafe { asm!("mov {}, rsp", out(reg) stack, options(nomem, nostack, preserves_flags)) }
        let data = (stack & !(area::SIZE - 1)) + area::DATA;
        // SAFETY: hypervisor code runs on a stack of some processor's area from `percpu::enter` on, every
        // area's data page is mapped before that and for ever, and all its fields are valid as zeroes.
        unsafe { &*(data as *const Self) }
    }

    /// The local APIC identifier of a processor that was given an area.
    pub fn apic_id_of(index: usize) -> Option<u32> {
        (index < MAX_CPUS).then(|| Self::of(index).apic_id.load(Relaxed))
    }

    /// Data of processor `index`, which must have been given an area.
    pub(crate) fn of(index: usize) -> &'static Self {
        // SAFETY: `prepare` mapped the page for ever before the index became known to any caller.
        unsafe { &*((area::base(index) + area::DATA) as *const Self) }
    }

    /// Sets bits of the work of processor `index`, which must have been prepared, and says whether they were
    /// all set before. The caller interrupts that processor, so that it looks.
    pub fn set_work(index: usize, bits: u32) -> bool {
        Self::of(index).work.fetch_or(bits, AcqRel) & bits == bits
    }

    /// This processor's index.
    #[inline(always)]
    pub fn index(&self) -> usize {
        self.index.load(Relaxed) as usize
    }

    pub(crate) fn note_fault(&self, vector: u32, code: u32, address: u64) {
        self.fault_vector.store(vector, Relaxed);
        self.fault_code.store(code, Relaxed);
        self.fault_address.store(address, Relaxed);
    }

    /// Fills the data of a processor whose area was just mapped (all zeroes).
    pub(crate) fn initialise(&self, index: usize, apic_id: u32, idle: Arc<VcpuContext>) {
        let (target, target32) = crate::entry::syscall_targets();
        self.index.store(index as u32, Relaxed);
        self.apic_id.store(apic_id, Relaxed);
        self.syscall_target.store(target, Relaxed);
        self.syscall32_target.store(target32, Relaxed);
        self.vcpu.store(Arc::into_raw(idle).cast_mut(), Relaxed);
        // SAFETY: the processor is not running yet and nobody else touches its task state.
        unsafe {
            self.task_state
                .get()
                .write(TaskState::new(area::base(index)))
        }
    }

    /// Makes `vcpu` the one that runs here. The processor keeps it alive for as long as it points to it.
    pub(crate) fn set_vcpu(&self, vcpu: Arc<VcpuContext>) {
        let old = self.vcpu.swap(Arc::into_raw(vcpu).cast_mut(), Relaxed);
        if !old.is_null() {
            // SAFETY: every pointer stored here came from `Arc::into_raw`, and the swap took it out.
            drop(unsafe { Arc::from_raw(old) });
        }
    }

    /// Address of the task state segment, for its descriptor.
    pub(crate) fn task_state_address(&self) -> u64 {
        self.task_state.get() as u64
    }
}

/// A value of each processor's own, reachable only by that processor.
pub struct CpuLocal<T> {
    slots: [UnsafeCell<T>; MAX_CPUS],
}

// SAFETY: `with` hands out the current processor's slot only, and shared, so a `T` that is not `Sync` is
// still never seen by two processors. Interrupts are off in all hypervisor code but the idle loop's one
// `hlt`, so no handler runs in the middle of a `with` (NMI and machine check use none).
unsafe impl<T: Send> Sync for CpuLocal<T> {}

impl<T> CpuLocal<T> {
    /// A value for each processor, all given.
    pub const fn new(slots: [UnsafeCell<T>; MAX_CPUS]) -> Self {
        Self { slots }
    }

    /// Uses this processor's value.
    #[inline(always)]
    pub fn with<R>(&self, use_it: impl FnOnce(&T) -> R) -> R {
        let index = PerCpu::current().index();
        // An index beyond the table would mean a corrupt PerCpu; the mask keeps even that in bounds.
        #[allow(
            clippy::indexing_slicing,
            reason = "masked to the table's length, a power of two"
        )]
        let slot = &self.slots[index & (MAX_CPUS - 1)];
        // SAFETY: see the `Sync` implementation: this processor alone reaches its slot, and shares it.
        use_it(unsafe { &*slot.get() })
    }
}

/// Makes a `CpuLocal` whose slots all start as the same constant expression.
#[macro_export]
macro_rules! cpu_local {
    ($value:expr) => {
        $crate::percpu::CpuLocal::new(
            [const { ::core::cell::UnsafeCell::new($value) }; $crate::percpu::MAX_CPUS],
        )
    };
}

/// Gives processor `index` its area and its own descriptor window. Before it starts, once.
pub fn prepare(
    index: usize,
    apic_id: u32,
    idle: Arc<VcpuContext>,
    take: FrameSource<'_>,
) -> Result<(), OutOfFrames> {
    paging::map_area(index, take)?;
    PerCpu::of(index).initialise(index, apic_id, idle);
    descriptors::map_own(index, take)
}

/// Moves the calling processor into its area: own stack, descriptor tables, modes, vector state; then runs
/// `then`, which never returns. What lies on the old stack is gone.
pub fn enter(index: usize, then: extern "C" fn() -> !) -> ! {
    paging::enable_no_execute();
    paging::load_root();
    let top = area::base(index) + area::STACK_TOP;
    // SAFETY: `prepare` mapped the stack; nothing of the old stack is used again.
    unsafe {
        asm!(
            "mov rsp, {top}",
            "xor ebp, ebp",
            "push 0",
            "push 0",
            "call {arrived}",
            top = in(reg) top,
            in("rdi") then,
            arrived = sym arrived,
            options(noreturn)
        )
    }
}

extern "C" fn arrived(then: extern "C" fn() -> !) -> ! {
    let processor = PerCpu::current();
    let index = processor.index();
    entry::load_interrupt_table();
    descriptors::load_own();
    modes::set(area::base(index) + area::STUB);
    fpu::initialise(index == 0);
    processor.loaded_xcr0.store(fpu::enabled(), Relaxed);
    tlb::flush_all_local();
    then()
}

/// Leaves for whatever this processor's work says, from an empty frame at the stack's top: the end of its
/// start-up. `PerCpu::work` must not be zero, so that the work handler fills the frame before a guest runs.
pub fn serve() -> ! {
    let top = area::base(PerCpu::current().index()) + area::STACK_TOP;
    // SAFETY: nothing of this stack is used any more from the first instruction on, so the pushes may go over
    // this very function's frame.
    unsafe {
        asm!("mov rsp, {top}", ".rept 21", "push 0", ".endr", "jmp exit_to_guest", top = in(reg) top, options(noreturn))
    }
}

/// One processor to be started.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Its index, for which [`prepare`] was called.
    pub index: usize,
    /// Its local APIC identifier.
    pub apic_id: u32,
}

/// What the started processors run, once they are in their areas.
static THEN: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Starts processors one after the other; each then runs `then` in its area. Says by index which did not come.
/// Once, on the boot processor, after it is in its own area.
pub fn start_others(
    map: &MemoryMap,
    tsc_hz: u64,
    others: &[Start],
    then: extern "C" fn() -> !,
    mut absent: impl FnMut(usize),
) {
    THEN.store(then as *mut (), Release);
    let Some(page) = smp::trampoline_page(map) else {
        others.iter().for_each(|other| absent(other.index));
        return;
    };
    paging::show_identity(true);
    let ids = others.iter().map(|other| other.apic_id);
    // SAFETY: the page is free RAM below 1 MiB, which the allocator never gets; the identity map is shown; this
    // runs once.
    let mut starter = unsafe { smp::Starter::prepare(page, tsc_hz, ids) };
    for other in others {
        let handover = smp::Handover {
            page_table: vocabulary::MachineAddr(paging::root_base()),
            stack_top: vocabulary::VirtAddr(area::base(other.index) + area::STACK_TOP),
            index: other.index as u32,
            entry: started,
        };
        // SAFETY: the tables map the trampoline, the image and the processor's own stack.
        if unsafe { starter.start(other.apic_id, handover) }.is_err() {
            absent(other.index);
        }
    }
    paging::show_identity(false);
}

extern "C" fn started(_: u32) -> ! {
    let then = THEN.load(Acquire);
    // SAFETY: `start_others` stored a function of exactly this type before it started any processor.
    arrived(unsafe { core::mem::transmute::<*mut (), extern "C" fn() -> !>(then) })
}
