//! The first instruction, the ELF notes that tell the hypervisor how to load us, and `start_info`.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// Virtual address of guest-physical address 0: the note VIRT_BASE and `BASE` of `guest.ld`.
pub const VIRT_BASE: u64 = 0xffff_ffff_8000_0000;

// Notes: name "Xen", types from public/elfnote.h. SUPPORTED_FEATURES sets bit 11, XENFEAT_dom0.
global_asm!(
    ".macro xen_note kind, payload:vararg",
    ".pushsection .note.Xen, \"a\", @note",
    ".balign 4",
    ".long 4, 7771f - 7770f, \\kind",
    ".asciz \"Xen\"",
    "7770: \\payload",
    "7771: .balign 4",
    ".popsection",
    ".endm",
    "xen_note 6, .asciz \"xenolith-guest\"",
    "xen_note 7, .asciz \"1\"",
    "xen_note 8, .asciz \"generic\"",
    "xen_note 5, .asciz \"xen-3.0\"",
    "xen_note 3, .quad {base}",
    "xen_note 4, .quad 0",
    "xen_note 1, .quad _start",
    "xen_note 9, .asciz \"yes\"",
    "xen_note 10, .asciz \"!writable_page_tables|pae_pgdir_above_4gb\"",
    "xen_note 17, .long 0x800",
    ".pushsection .text.entry, \"ax\"",
    ".globl _start",
    "_start:",
    "cld",
    "mov rdi, rsi",
    "lea rsp, [rip + {areas} + {area_size}]",
    "xor ebp, ebp",
    "call {begin}",
    "ud2",
    ".popsection",
    base = const VIRT_BASE,
    areas = sym crate::vcpu::AREAS,
    area_size = const crate::vcpu::AREA_SIZE,
    begin = sym begin,
);

/// `start_info` of public/xen.h as a guest sees it; a field's meaning is documented there.
#[repr(C)]
#[allow(missing_docs)]
pub struct StartInfo {
    pub magic: [u8; 32],
    pub nr_pages: u64,
    pub shared_info: u64,
    pub flags: u32,
    pub store_mfn: u64,
    pub store_evtchn: u32,
    pub pad: u32,
    /// For dom0 instead: offset and size of what it is told of the video console.
    pub console_mfn: u64,
    pub console_evtchn: u32,
    pub console_pad: u32,
    pub pt_base: u64,
    pub nr_pt_frames: u64,
    pub mfn_list: u64,
    pub mod_start: u64,
    pub mod_len: u64,
    pub cmd_line: [u8; 1024],
    pub first_p2m_pfn: u64,
    pub nr_p2m_frames: u64,
}

static START_INFO: AtomicU64 = AtomicU64::new(0);

/// The page the hypervisor handed over in RSI.
pub fn start_info() -> &'static StartInfo {
    unsafe { &*(START_INFO.load(Ordering::Relaxed) as *const StartInfo) }
}

/// Whether this is the first domain (SIF_INITDOMAIN).
pub fn is_dom0() -> bool {
    start_info().flags & 2 != 0
}

/// The domain's number: XenStore tells a guest its own.
pub fn own_domain() -> u16 {
    match is_dom0() {
        true => 0,
        false => crate::xenstore::read_number("domid").unwrap_or(0) as u16,
    }
}

extern "Rust" {
    fn kit_guest_main();
}

extern "C" fn begin(info: u64) -> ! {
    START_INFO.store(info, Ordering::Relaxed);
    crate::vcpu::name_areas();
    crate::pages::map_shared_info();
    // Writes to page tables are done for us (VMASST_TYPE_writable_pagetables): dom0 has it from the
    // start, another guest has to ask.
    crate::hypercall::call2(crate::hypercall::nr::VM_ASSIST, 0, 2);
    crate::trap::install();
    crate::trap::install_callbacks();
    unsafe { kit_guest_main() };
    // Dom0 reboots: for a power-off Xen only halts the machine, and QEMU, told not to reboot, ends
    // at a reboot. Any other guest is done with a power-off.
    crate::hypercall::shutdown(u32::from(is_dom0()))
}

/// Names the function that the kit calls once everything is set up; when it returns, the guest
/// reboots the machine if it is dom0 and powers off otherwise.
#[macro_export]
macro_rules! guest_main {
    ($main:path) => {
        #[no_mangle]
        extern "Rust" fn kit_guest_main() {
            $main()
        }
    };
}
