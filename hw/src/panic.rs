//! What happens when the hypervisor itself fails: message, backtrace, then the way out that was chosen.

use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::console;

/// What ends a panic (reboot or halt): `None` of the hypervisor's locks may be assumed free.
pub type LastAct = fn() -> !;

/// The [`LastAct`] in use, or null for halting.
static LAST_ACT: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
/// Whether a panic is under way: a second one only halts.
static PANICKING: AtomicBool = AtomicBool::new(false);

/// Chooses what is done after a panic's message; halting, where nothing was chosen.
pub fn set_last_act(act: LastAct) {
    LAST_ACT.store(act as *mut (), Ordering::Release);
}

/// Ends after a panic or another fatal report, by the chosen way.
pub fn last_act() -> ! {
    let act = LAST_ACT.load(Ordering::Acquire);
    if act.is_null() {
        console::halt();
    }
    // SAFETY: only `set_last_act` stores here, always a `LastAct`; function and data pointers have one size on x86.
    let act: LastAct = unsafe { core::mem::transmute(act) };
    act()
}

/// Says whether this is the first fatal report; a later one (on another processor, or while reporting) must halt
/// instead of mixing in or going round in circles.
pub fn begin_report() -> bool {
    !PANICKING.swap(true, Ordering::AcqRel)
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(information: &core::panic::PanicInfo<'_>) -> ! {
    if !begin_report() {
        console::halt();
    }
    console::print(format_args!(
        "\nXenolith has a bug and cannot go on: {information}\n"
    ));
    crate::backtrace::print_here();
    last_act()
}
