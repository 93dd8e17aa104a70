//! Page tables: entry flags, the calls that change them, and walking the tables in use.

use crate::hypercall::{call, call3, nr, DOMID_SELF};
use crate::pages::{va_of, Page, PAGE};
use core::arch::asm;

/// Present.
pub const P: u64 = 1;
/// Writable.
pub const RW: u64 = 2;
/// User. Both guest modes run in ring 3, so the hypervisor sets it on kernel entries anyway.
pub const US: u64 = 4;
/// Accessed.
pub const A: u64 = 0x20;
/// Dirty.
pub const D: u64 = 0x40;
/// Page size: a superpage in L2 and L3, PAT in L1.
pub const PS: u64 = 0x80;
/// Global.
pub const G: u64 = 0x100;
/// No-execute.
pub const NX: u64 = 1 << 63;
/// The frame part of an entry.
pub const FRAME: u64 = 0x000f_ffff_ffff_f000;
/// Flags of a page the guest may write.
pub const WRITABLE: u64 = P | RW | US | A | D;
/// Flags of a page the guest may read.
pub const READ_ONLY: u64 = P | US | A | D;
/// Flags of an entry that points to a table.
pub const TABLE: u64 = P | RW | US | A | D;

/// `update_va_mapping` flag: no flush.
pub const NO_FLUSH: u64 = 0;
/// `update_va_mapping` flag: flush all.
pub const TLB_FLUSH: u64 = 1;
/// `update_va_mapping` flag: flush one entry.
pub const INVLPG: u64 = 2;
/// `update_va_mapping` flag: on all CPUs.
pub const ALL: u64 = 4;

/// `mmu_update` commands, in the low two bits of the pointer.
#[allow(missing_docs)]
pub mod update {
    pub const NORMAL: u64 = 0;
    pub const MACHPHYS: u64 = 1;
    pub const PRESERVE_AD: u64 = 2;
    pub const NO_TRANSLATE: u64 = 3;
}

/// `mmuext_op` commands (public/xen.h).
#[allow(missing_docs)]
pub mod ext {
    pub const PIN_L1: u32 = 0;
    pub const PIN_L2: u32 = 1;
    pub const PIN_L3: u32 = 2;
    pub const PIN_L4: u32 = 3;
    pub const UNPIN: u32 = 4;
    pub const NEW_BASEPTR: u32 = 5;
    pub const TLB_FLUSH_LOCAL: u32 = 6;
    pub const INVLPG_LOCAL: u32 = 7;
    pub const TLB_FLUSH_MULTI: u32 = 8;
    pub const INVLPG_MULTI: u32 = 9;
    pub const TLB_FLUSH_ALL: u32 = 10;
    pub const INVLPG_ALL: u32 = 11;
    pub const FLUSH_CACHE: u32 = 12;
    pub const SET_LDT: u32 = 13;
    pub const NEW_USER_BASEPTR: u32 = 15;
    pub const CLEAR_PAGE: u32 = 16;
    pub const COPY_PAGE: u32 = 17;
    pub const FLUSH_CACHE_GLOBAL: u32 = 18;
    pub const MARK_SUPER: u32 = 19;
    pub const UNMARK_SUPER: u32 = 20;
}

/// One `struct mmuext_op`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct ExtOp {
    pub command: u32,
    pub pad: u32,
    pub first: u64,
    pub second: u64,
}

impl ExtOp {
    /// A request: the command and its two arguments.
    pub const fn new(command: u32, first: u64, second: u64) -> Self {
        Self {
            command,
            pad: 0,
            first,
            second,
        }
    }
}

/// `update_va_mapping(va, entry, flags)`.
pub fn update_va_mapping(va: u64, entry: u64, flags: u64) -> i64 {
    call3(nr::UPDATE_VA_MAPPING, va, entry, flags)
}

/// `mmu_update` of a list of (pointer with command, value); also gives how many were done.
pub fn mmu_update(requests: &[[u64; 2]]) -> (i64, u32) {
    let mut done = 0u32;
    let args = [
        requests.as_ptr() as u64,
        requests.len() as u64,
        &raw mut done as u64,
        DOMID_SELF,
        0,
        0,
    ];
    (call(nr::MMU_UPDATE, args), done)
}

/// `mmu_update` of one entry.
pub fn set_entry(pointer: u64, value: u64) -> i64 {
    mmu_update(&[[pointer, value]]).0
}

/// `mmuext_op` of a list; also gives how many were done.
pub fn mmuext(operations: &[ExtOp]) -> (i64, u32) {
    let mut done = 0u32;
    let args = [
        operations.as_ptr() as u64,
        operations.len() as u64,
        &raw mut done as u64,
        DOMID_SELF,
        0,
        0,
    ];
    (call(nr::MMUEXT_OP, args), done)
}

/// `mmuext_op` of one operation.
pub fn mmuext_one(command: u32, first: u64, second: u64) -> i64 {
    let operation = ExtOp::new(command, first, second);
    mmuext(&[operation]).0
}

/// Pins a frame as a table of level 1 to 4.
pub fn pin(level: u32, mfn: u64) -> i64 {
    mmuext_one(ext::PIN_L1 + level - 1, mfn, 0)
}

/// Unpins a table.
pub fn unpin(mfn: u64) -> i64 {
    mmuext_one(ext::UNPIN, mfn, 0)
}

/// The machine frame of the kernel's L4 in use: MOV from CR3 is emulated.
pub fn current_l4() -> u64 {
    let cr3: u64;
    unsafe { asm!("mov {}, cr3", out(reg) cr3) };
    cr3 / PAGE
}

/// The index of an address into the table of a level.
pub fn index(va: u64, level: u32) -> u64 {
    va >> (12 + 9 * (level - 1)) & 511
}

/// The machine address of the entry of `level` that maps `va`, by walking the tables in use.
/// Every table above it must be present and inside the initial mapping.
pub fn entry_address(va: u64, level: u32) -> u64 {
    let mut table = current_l4();
    let mut depth = 4;
    while depth > level {
        let entry = unsafe { *((va_of(table) + 8 * index(va, depth)) as *const u64) };
        assert!(
            entry & P != 0,
            "no table of level {} for {:#x}",
            depth - 1,
            va
        );
        table = (entry & FRAME) / PAGE;
        depth -= 1;
    }
    table * PAGE + 8 * index(va, level)
}

/// The value of the entry of `level` that maps `va`.
pub fn entry_of(va: u64, level: u32) -> u64 {
    let address = entry_address(va, level);
    unsafe { *((va_of(address / PAGE) + address % PAGE) as *const u64) }
}

/// Fresh tables of levels 4 to 1 that lead to `va`: read-only where the kit maps them, linked, the
/// L1 empty. Index 0 is the L1, index 3 the L4. Nothing is pinned.
pub fn build_tables(va: u64) -> [Page; 4] {
    let tables = core::array::from_fn(|_| Page::take());
    link_tables(&tables, va);
    for table in &tables {
        table.make_readonly();
    }
    tables
}

/// Writes the entries that chain four tables (still writable) towards `va`.
pub fn link_tables(tables: &[Page; 4], va: u64) {
    for level in 2..=4 {
        let below: Page = tables[level - 2];
        tables[level - 1].words()[index(va, level as u32) as usize] = below.entry(TABLE);
    }
}
