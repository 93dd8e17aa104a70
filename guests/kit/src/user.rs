//! Guest user mode: a small address space of its own, code put into it, and entering it.

use crate::hypercall::stack_switch;
use crate::mmu::{self, ext};
use crate::pages::Page;
use crate::trap::{Frame, FLAT_CS64, FLAT_SS};
use crate::trap_entry::kit_enter;
use crate::vcpu::{area, area_address, BOUNCE_STACK};

/// Where user code lies in every user address space of the kit.
pub const CODE: u64 = 0x40_0000;
/// Where its one page of stack lies.
pub const STACK: u64 = 0x40_1000;
/// Where its one page of read-only data lies.
pub const DATA: u64 = 0x40_2000;

/// A user address space in use (`NEW_USER_BASEPTR`), with one page each of code, stack and data.
pub struct UserSpace {
    /// Its tables: index 0 the L1, index 3 the L4.
    pub tables: [Page; 4],
    /// The page of code, writable for the kernel.
    pub code: Page,
    /// The page of stack.
    pub stack: Page,
    /// The page of data, which user mode only reads.
    pub data: Page,
}

impl UserSpace {
    /// Builds the space, pins its L4 and makes it the one that user mode runs in.
    pub fn new() -> UserSpace {
        let [code, stack, data]: [Page; 3] = core::array::from_fn(|_| Page::take());
        let tables = core::array::from_fn(|_| Page::take());
        mmu::link_tables(&tables, CODE);
        for (va, entry) in [
            (CODE, code.entry(mmu::READ_ONLY)),
            (STACK, stack.entry(mmu::WRITABLE)),
            (DATA, data.entry(mmu::READ_ONLY)),
        ] {
            tables[0].words()[mmu::index(va, 1) as usize] = entry;
        }
        for table in &tables {
            table.make_readonly();
        }
        assert_eq!(mmu::pin(4, tables[3].mfn()), 0);
        let space = UserSpace {
            tables,
            code,
            stack,
            data,
        };
        space.activate();
        space
    }

    /// Makes this space the one that user mode runs in.
    pub fn activate(&self) {
        let l4 = self.tables[3].mfn();
        assert_eq!(mmu::mmuext_one(ext::NEW_USER_BASEPTR, l4, 0), 0);
    }

    /// Puts code at [`CODE`].
    pub fn load(&self, code: &[u8]) {
        self.code.bytes()[..code.len()].copy_from_slice(code);
    }

    /// Loads code and runs it from its start until it bounces back.
    pub fn run_code(&self, code: &[u8]) -> Frame {
        self.load(code);
        run(&start_frame())
    }
}

impl Default for UserSpace {
    fn default() -> Self {
        Self::new()
    }
}

/// The frame that starts user code at [`CODE`] with its stack at the end of its page, events masked.
pub fn start_frame() -> Frame {
    Frame {
        rip: CODE,
        cs_and_mask: FLAT_CS64,
        rflags: 0x2,
        rsp: STACK + 4096,
        ss: FLAT_SS,
        ..Frame::default()
    }
}

/// Enters user mode by the iret hypercall, `frame.error` being the call's flags; the frame of
/// whatever bounced back is the answer.
pub fn run(frame: &Frame) -> Frame {
    let bounce = area_address(area().id as usize) + BOUNCE_STACK as u64;
    run_on_stack(frame, bounce)
}

/// The same with another kernel stack for the bounce frame.
pub fn run_on_stack(frame: &Frame, bounce: u64) -> Frame {
    let area = area();
    assert_eq!(stack_switch(FLAT_SS, bounce), 0);
    let outer = area.resume;
    unsafe { kit_enter(frame, &raw mut area.resume) };
    area.resume = outer;
    crate::events::vcpu_info().mask = 1;
    area.frame
}

/// Defines a function that gives the bytes of a few instructions, assembled to run anywhere.
#[macro_export]
macro_rules! user_code {
    ($name:ident, $($line:literal),+ $(,)?) => {
        core::arch::global_asm!(
            ".pushsection .rodata, \"a\"",
            concat!(".globl ", stringify!($name), "_begin"),
            concat!(".globl ", stringify!($name), "_end"),
            concat!(stringify!($name), "_begin:"),
            $($line,)+
            concat!(stringify!($name), "_end:"),
            ".popsection",
        );
        fn $name() -> &'static [u8] {
            let (begin, end): (u64, u64);
            unsafe {
                core::arch::asm!(
                    concat!("lea {0}, [rip + ", stringify!($name), "_begin]"),
                    concat!("lea {1}, [rip + ", stringify!($name), "_end]"),
                    out(reg) begin,
                    out(reg) end,
                    options(nomem, nostack, preserves_flags),
                );
                core::slice::from_raw_parts(begin as *const u8, (end - begin) as usize)
            }
        }
    };
}
