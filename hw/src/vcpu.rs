//! The part of a virtual processor that the entry code and the context switch touch.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicU8, Ordering::Relaxed};

use vocabulary::Mfn;

use crate::registers::{rflags, Registers};
use crate::window::Window;

/// What is guest kernel and what is not, in [`VcpuContext::mode`].
pub mod mode {
    /// The vCPU runs its kernel (else a user program of it).
    pub const KERNEL: u8 = 1 << 0;
    /// No `syscall` callback that the fast path may use.
    pub const NO_SYSCALL: u8 = 1 << 1;
    /// No user base table: the vCPU cannot leave its kernel.
    pub const NO_USER: u8 = 1 << 2;
}

/// DR6 and DR7 of a processor after its reset (Intel SDM volume 3, table 10-1): reserved bits that read as one.
const DR6_RESET: u64 = 0xffff_0ff0;
const DR7_RESET: u64 = 0x400;

/// Where the guest asked for control in one situation, and whether events are masked on the way.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Callback {
    /// Address in the guest kernel; zero where none is registered. Always canonical.
    pub entry: AtomicU64,
    /// One where delivery masks events (`CALLBACKF_mask_events`).
    pub masks_events: AtomicU8,
}

/// The public `vcpu_info`, as memory that the guest shares.
#[derive(Debug)]
#[repr(C)]
pub struct SharedVcpuInfo {
    /// An event is pending.
    pub upcall_pending: AtomicU8,
    /// Events are masked.
    pub upcall_mask: AtomicU8,
    padding: [AtomicU8; 6],
    /// Words of the two-level bitmap that have pending events.
    pub pending_selector: AtomicU64,
    /// The address of the last page fault.
    pub cr2: AtomicU64,
    padding2: AtomicU64,
    /// `vcpu_time_info`, as words.
    pub time: [AtomicU32; 8],
}

/// State of a vCPU that assembly reads by offset. Every field is atomic only so that shared
/// references to it are sound: the vCPU's own processor is the one writer while the vCPU runs.
#[derive(Debug)]
#[repr(C)]
pub struct VcpuContext {
    /// Address, in the direct map, of the guest's `vcpu_info`.
    pub vcpu_info: AtomicU64,
    /// Value of CR3 for the guest kernel.
    pub kernel_cr3: AtomicU64,
    /// Value of CR3 for the guest's user programs.
    pub user_cr3: AtomicU64,
    /// Stack of the guest kernel, aligned down to 16 bytes; a guest address with room below it, or one that is not
    /// canonical.
    pub kernel_sp: AtomicU64,
    /// Stack selector of the guest kernel.
    pub kernel_ss: AtomicU64,
    /// 64-bit `syscall` from a user program.
    pub syscall: Callback,
    /// Event delivery.
    pub event: Callback,
    /// Failed return to the guest.
    pub failsafe: Callback,
    /// 32-bit `syscall` from a user program.
    pub syscall32: Callback,
    /// `sysenter` from a user program.
    pub sysenter: Callback,
    /// Non-maskable interrupt.
    pub nmi: Callback,
    /// Bits of [`mode`].
    pub mode: AtomicU8,
    /// One where `iret` sets the virtual IOPL (`VMASST_TYPE_architectural_iopl`), which its fast path does not. Read
    /// together with `mode`, so it stays the byte above; anybody may set it.
    pub iret_sets_iopl: AtomicU8,
    /// The descriptor window of the vCPU (index; see `window::descriptors`).
    pub window: AtomicU32,
    /// Entries of the guest's GDT that are in use.
    pub gdt_entries: AtomicU32,
    /// Entries of the LDT; zero for none.
    pub ldt_entries: AtomicU32,
    /// Base of `fs`, valid while the vCPU does not run.
    pub fs_base: AtomicU64,
    /// Base of `gs` in guest kernel mode, valid while the vCPU does not run.
    pub gs_base_kernel: AtomicU64,
    /// Base of `gs` in guest user mode, valid while the vCPU does not run.
    pub gs_base_user: AtomicU64,
    /// Selectors `ds`, `es`, `fs`, `gs`, sixteen bits each from the lowest; valid while it does not run.
    pub selectors: AtomicU64,
    /// Debug registers 0–3, 6 and 7 as the guest set them.
    pub debug: [AtomicU64; 6],
    /// The guest's CR0 bits that it may choose (TS), and CR4 bits.
    pub cr0: AtomicU64,
    /// The guest's CR4 bits that it may choose.
    pub cr4: AtomicU64,
    /// CR4.TSD where reads of the time-stamp counter trap whatever the guest chose, or 0.
    pub forced_cr4: AtomicU64,
    /// The guest's XCR0.
    pub xcr0: AtomicU64,
    /// Virtual IOPL, 0 to 3.
    pub iopl: AtomicU8,
}

impl VcpuContext {
    /// A vCPU that has nothing yet and would run its kernel.
    pub const fn new() -> Self {
        #[allow(
            clippy::declare_interior_mutable_const,
            reason = "each use makes a callback of its own"
        )]
        const CALLBACK: Callback = Callback {
            entry: AtomicU64::new(0),
            masks_events: AtomicU8::new(0),
        };
        Self {
            vcpu_info: AtomicU64::new(0),
            kernel_cr3: AtomicU64::new(0),
            user_cr3: AtomicU64::new(0),
            kernel_sp: AtomicU64::new(0),
            kernel_ss: AtomicU64::new(0),
            syscall: CALLBACK,
            event: CALLBACK,
            failsafe: CALLBACK,
            syscall32: CALLBACK,
            sysenter: CALLBACK,
            nmi: CALLBACK,
            mode: AtomicU8::new(mode::KERNEL | mode::NO_SYSCALL | mode::NO_USER),
            iret_sets_iopl: AtomicU8::new(0),
            window: AtomicU32::new(0),
            gdt_entries: AtomicU32::new(0),
            ldt_entries: AtomicU32::new(0),
            fs_base: AtomicU64::new(0),
            gs_base_kernel: AtomicU64::new(0),
            gs_base_user: AtomicU64::new(0),
            selectors: AtomicU64::new(0),
            debug: [
                AtomicU64::new(0),
                AtomicU64::new(0),
                AtomicU64::new(0),
                AtomicU64::new(0),
                AtomicU64::new(DR6_RESET),
                AtomicU64::new(DR7_RESET),
            ],
            cr0: AtomicU64::new(0),
            cr4: AtomicU64::new(0),
            forced_cr4: AtomicU64::new(0),
            xcr0: AtomicU64::new(3),
            iopl: AtomicU8::new(0),
        }
    }

    /// Points the vCPU to its `vcpu_info`, `offset` bytes into a frame. The frame must hold the whole structure
    /// (64 bytes) and stay referenced for as long as the vCPU points there.
    pub fn set_info(&self, frame: Mfn, offset: usize) {
        let address = Window::open(frame).address() + (offset & 0xff8) as u64;
        self.vcpu_info.store(address, Relaxed);
    }

    /// The vCPU's `vcpu_info`, shared with the guest. `set_info` must have been called.
    #[inline]
    pub fn info(&self) -> &SharedVcpuInfo {
        let address = self.vcpu_info.load(Relaxed);
        // SAFETY: `set_info` made it an address of the direct map inside a frame that is kept, aligned to eight;
        // everything in it is atomic, for the guest changes it at any time.
        unsafe { &*(address as *const SharedVcpuInfo) }
    }

    /// Whether the vCPU is in its kernel.
    #[inline]
    pub fn in_kernel(&self) -> bool {
        self.mode.load(Relaxed) & mode::KERNEL != 0
    }

    /// Sets or clears bits of [`mode`]. Only the vCPU's own processor may, or anybody while it is paused.
    #[inline]
    pub fn change_mode(&self, set: u8, clear: u8) {
        let old = self.mode.load(Relaxed);
        self.mode.store((old | set) & !clear, Relaxed);
    }
}

impl Default for VcpuContext {
    fn default() -> Self {
        Self::new()
    }
}

/// The flags a guest may have while it runs: interrupts on for the real machine, no real I/O privilege.
#[inline]
pub fn guest_rflags(wanted: u64) -> u64 {
    const KEEP: u64 = 0xcd5 | rflags::TF | rflags::NT | rflags::RF | rflags::AC | 1 << 21;
    (wanted & KEEP) | rflags::IF | rflags::FIXED
}

/// Size of what the entry code pushes, checked against the assembly's offsets.
pub const REGISTERS_SIZE: usize = core::mem::size_of::<Registers>();
const _: () = assert!(REGISTERS_SIZE == 168);
const _: () = assert!(offset_of!(VcpuContext, iret_sets_iopl) == offset_of!(VcpuContext, mode) + 1);
