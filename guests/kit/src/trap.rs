//! Taking traps: the frame, the trap table, the callbacks, and `catch`, which runs a closure and
//! gives back the trap it provoked.

use crate::hypercall::{at, call2, nr};
use crate::trap_entry::*;
use crate::vcpu::area;

/// Flat ring-3 selectors of public/arch-x86/xen-x86_64.h.
pub const FLAT_CS64: u64 = 0xe033;
/// The flat stack selector.
pub const FLAT_SS: u64 = 0xe02b;
/// The flat 32-bit code selector.
pub const FLAT_CS32: u64 = 0xe023;

/// What `handle` calls an event upcall; the callbacks follow the architecture's 256 vectors.
pub const EVENT: u64 = 0x100;
/// The failsafe callback: an iret to a bad selector or address.
pub const FAILSAFE: u64 = 0x101;
/// `syscall` from user mode.
pub const SYSCALL: u64 = 0x102;
/// `sysenter` from user mode.
pub const SYSENTER: u64 = 0x103;

/// A trap's registers, lowest address first as the entry code pushed them.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub vector: u64,
    pub rcx: u64,
    pub r11: u64,
    pub error: u64,
    pub rip: u64,
    pub cs_and_mask: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl Frame {
    /// The code selector: RPL 0 says guest kernel, RPL 3 guest user.
    pub fn cs(&self) -> u64 {
        self.cs_and_mask & 0xffff
    }

    /// The upcall mask as it was before the trap.
    pub fn saved_mask(&self) -> u8 {
        (self.cs_and_mask >> 32) as u8
    }

    /// Whether guest user mode was running.
    pub fn from_user(&self) -> bool {
        self.cs() & 3 == 3
    }
}

/// One row of `set_trap_table` (`struct trap_info`): flags hold the DPL in bits 0-1, bit 2 asks for
/// events to be masked on entry.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[allow(missing_docs)]
pub struct TrapInfo {
    pub vector: u8,
    pub flags: u8,
    pub cs: u16,
    pub pad: u32,
    pub address: u64,
}

impl TrapInfo {
    /// The kit's own gate for a vector: flat code, its stub, events masked.
    pub fn own(vector: u8) -> Self {
        let user_callable = matches!(vector, 3 | 4 | 0x80);
        TrapInfo {
            vector,
            flags: 4 | if user_callable { 3 } else { 0 },
            cs: FLAT_CS64 as u16,
            pad: 0,
            address: stub(vector),
        }
    }
}

/// `set_trap_table(rows)`; the last row must have address 0.
pub fn set_trap_table(rows: &[TrapInfo]) -> i64 {
    call2(nr::SET_TRAP_TABLE, rows.as_ptr() as u64, 0)
}

/// Sends every vector this kit knows to its stub: the exceptions and int 80h.
pub fn install() {
    let mut rows = [TrapInfo::default(); 24];
    let vectors = (0..22u8).filter(|v| *v != 2).chain([0x80]);
    for (row, vector) in rows.iter_mut().zip(vectors) {
        *row = TrapInfo::own(vector);
    }
    assert_eq!(set_trap_table(&rows), 0);
}

/// `callback_op(register)`: type, flags and address (`struct callback_register`).
pub fn register_callback(kind: u16, flags: u16, address: u64) -> i64 {
    let argument = [kind as u64 | (flags as u64) << 16, address];
    call2(nr::CALLBACK_OP, 0, at(&argument))
}

/// Registers the kit's callbacks: event 0, failsafe 1, syscall 2, sysenter 5, syscall32 7, each
/// with events masked on entry.
pub fn install_callbacks() {
    for (kind, entry) in callback_entries() {
        assert_eq!(register_callback(kind, 1, entry), 0);
    }
}

/// The kit's callbacks: type and entry.
pub fn callback_entries() -> [(u16, u64); 5] {
    [
        (0, kit_event_entry as *const () as u64),
        (1, kit_failsafe_entry as *const () as u64),
        (2, kit_syscall_entry as *const () as u64),
        (5, kit_sysenter_entry as *const () as u64),
        (7, kit_syscall_entry as *const () as u64),
    ]
}

pub(crate) extern "C" fn handle(frame: &mut Frame) {
    let area = area();
    if frame.vector == EVENT {
        area.upcalls += 1;
    }
    let cr2 = crate::events::vcpu_info().cr2;
    if let Some(hook) = area.hook {
        if hook(frame) {
            return;
        }
    }
    if frame.vector == EVENT && !frame.from_user() {
        crate::events::vcpu_info().pending = 0;
        return;
    }
    area.frame = *frame;
    area.cr2 = cr2;
    let resume = core::mem::take(&mut area.resume);
    if resume == 0 {
        unexpected(frame, cr2);
    }
    unsafe { kit_resume(resume, 1) }
}

fn unexpected(frame: &Frame, cr2: u64) -> ! {
    panic!(
        "unexpected trap {:#x} error {:#x} at {:#x} rsp {:#x} cs {:#x} cr2 {:#x}",
        frame.vector, frame.error, frame.rip, frame.rsp, frame.cs_and_mask, cr2
    )
}

extern "C" fn run_closure<F: FnMut()>(closure: *mut u8) {
    unsafe { (*(closure as *mut F))() }
}

/// Runs a closure; a trap inside it ends it, and its frame is the answer. The upcall mask is put
/// back as it was.
pub fn catch<F: FnMut()>(mut closure: F) -> Option<Frame> {
    let area = area();
    let outer = area.resume;
    let mask = crate::events::vcpu_info().mask;
    let trapped = unsafe {
        kit_try(
            run_closure::<F>,
            &raw mut closure as *mut u8,
            &raw mut area.resume,
        )
    };
    area.resume = outer;
    if trapped == 0 {
        return None;
    }
    crate::events::vcpu_info().mask = mask;
    Some(area.frame)
}

/// Runs a closure that must trap; gives the frame.
#[track_caller]
pub fn expect_fault<F: FnMut()>(closure: F) -> Frame {
    match catch(closure) {
        Some(frame) => frame,
        None => panic!("no trap where one was due"),
    }
}

/// Runs a closure with a hook on every trap; the hook says whether it handled the trap.
pub fn with_hook<R>(hook: fn(&mut Frame) -> bool, closure: impl FnOnce() -> R) -> R {
    area().hook = Some(hook);
    let result = closure();
    area().hook = None;
    result
}
