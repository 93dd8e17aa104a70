//! The ways into the hypervisor: system calls, exceptions, interrupts; and the tables that lead there.

mod descriptors;
mod exception_table;
mod syscall;
mod traps;

pub use descriptors::{load_boot_tables, reserved_descriptors, system_descriptor, TaskState};
pub(crate) use descriptors::{load_interrupt_table, table_pointer};
pub use exception_table::patch_smap_sites;
pub use syscall::STUB32_OFFSET;

use crate::registers::Registers;

/// What assembly calls, installed once at boot by the hypervisor crate. Each runs with interrupts off, on
/// the processor's stack, with the guest's registers; what it leaves there is what the guest resumes with.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Handlers {
    /// A hypercall from a guest kernel.
    pub hypercall: extern "C" fn(&mut Registers),
    /// `syscall` from a user program that the fast path did not take.
    pub user_syscall: extern "C" fn(&mut Registers),
    /// `syscall` from a 32-bit user program.
    pub user_syscall32: extern "C" fn(&mut Registers),
    /// The guest kernel's stack could not take the bounce frame of a system call.
    pub bounce_fault: extern "C" fn(&mut Registers),
    /// Returning to the guest with these registers faulted.
    pub iret_fault: extern "C" fn(&mut Registers),
    /// `PerCpu::work` is not zero.
    pub work: extern "C" fn(&mut Registers),
    /// The guest has a pending event and takes events.
    pub events: extern "C" fn(&mut Registers),
    /// A page fault of a guest, at an address.
    pub page_fault: extern "C" fn(&mut Registers, u64),
    /// Any other exception of a guest; `vector` says which.
    pub trap: extern "C" fn(&mut Registers),
    /// An interrupt, from a guest or from the idle loop.
    pub interrupt: extern "C" fn(&mut Registers),
    /// A non-maskable interrupt.
    pub nmi: fn(&mut Registers),
    /// A machine check.
    pub machine_check: fn(&mut Registers),
    /// The hypervisor itself faulted where it may not: never returns.
    pub fatal: fn(&Registers, u64) -> !,
}

extern "C" fn too_early(_: &mut Registers) {}
extern "C" fn too_early_at(_: &mut Registers, _: u64) {}
fn nothing(_: &mut Registers) {}
fn stop(_: &Registers, _: u64) -> ! {
    crate::cpu::halt_forever()
}

/// The installed handlers, read by assembly.
pub(crate) static mut HANDLERS: Handlers = Handlers {
    hypercall: too_early,
    user_syscall: too_early,
    user_syscall32: too_early,
    bounce_fault: too_early,
    iret_fault: too_early,
    work: too_early,
    events: too_early,
    page_fault: too_early_at,
    trap: too_early,
    interrupt: too_early,
    nmi: nothing,
    machine_check: nothing,
    fatal: stop,
};

/// Installs the handlers. Call once, on the boot processor, before any guest or other processor runs.
pub fn install(handlers: Handlers) {
    // SAFETY: called before another processor or a guest exists (documented), so nobody reads meanwhile;
    // the write is of a plain table.
    unsafe { core::ptr::addr_of_mut!(HANDLERS).write(handlers) }
}

/// A copy of the installed handlers.
pub(crate) fn handlers() -> Handlers {
    // SAFETY: written only by `install`, before any concurrent reader exists.
    unsafe { core::ptr::addr_of!(HANDLERS).read() }
}

/// Addresses of the entry points that the processor's registers and the stub page need.
pub fn syscall_targets() -> (u64, u64) {
    extern "C" {
        fn syscall_entry();
        fn syscall32_entry();
    }
    (
        syscall_entry as *const () as u64,
        syscall32_entry as *const () as u64,
    )
}

/// Address of the page of stubs in the image, to be mapped below each processor's data.
pub fn stub_page() -> u64 {
    extern "C" {
        fn cpu_stub();
    }
    cpu_stub as *const () as u64
}
