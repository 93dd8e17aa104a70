//! Grant tables: setting ours up, writing entries, and the operations on them.

use crate::hypercall::{at_mut, call, nr};
use crate::mmu;
use crate::pages::Page;

/// Operations of `grant_table_op` (public/grant_table.h).
#[allow(missing_docs)]
pub mod op {
    pub const MAP: u64 = 0;
    pub const UNMAP: u64 = 1;
    pub const SETUP: u64 = 2;
    pub const TRANSFER: u64 = 4;
    pub const COPY: u64 = 5;
    pub const QUERY_SIZE: u64 = 6;
    pub const UNMAP_AND_REPLACE: u64 = 7;
    pub const SET_VERSION: u64 = 8;
    pub const GET_STATUS_FRAMES: u64 = 9;
    pub const GET_VERSION: u64 = 10;
    pub const SWAP: u64 = 11;
    pub const CACHE_FLUSH: u64 = 12;
}

/// Answers of single operations (GNTST_*).
#[allow(missing_docs)]
pub mod status {
    pub const OKAY: i16 = 0;
    pub const GENERAL_ERROR: i16 = -1;
    pub const BAD_DOMAIN: i16 = -2;
    pub const BAD_GNTREF: i16 = -3;
    pub const BAD_HANDLE: i16 = -4;
    pub const BAD_VIRT_ADDR: i16 = -5;
    pub const BAD_DEV_ADDR: i16 = -6;
    pub const PERMISSION_DENIED: i16 = -8;
    pub const BAD_PAGE: i16 = -9;
    pub const BAD_COPY_ARG: i16 = -10;
    pub const ADDRESS_TOO_BIG: i16 = -11;
}

/// Entry flags: a page anybody named may map.
pub const PERMIT_ACCESS: u16 = 1;
/// Entry flag: read only.
pub const READ_ONLY: u16 = 4;
/// Entry flag: somebody reads it.
pub const READING: u16 = 8;
/// Entry flag: somebody writes it.
pub const WRITING: u16 = 16;
/// Entry flag of version 2: only part of the page, for copies.
pub const SUB_PAGE: u16 = 1 << 8;

/// Map flag: for the host's own page tables.
pub const MAP_HOST: u32 = 2;
/// Map flag: read-only.
pub const MAP_READ_ONLY: u32 = 4;
/// Map flag: the address given is that of a table entry, not of the page.
pub const MAP_CONTAINS_PTE: u32 = 16;

/// `grant_table_op(cmd, pointer, count)`.
pub fn table_op(command: u64, pointer: u64, count: u64) -> i64 {
    call(nr::GRANT_TABLE_OP, [command, pointer, count, 0, 0, 0])
}

/// Our grant table as mapped by [`setup`].
pub struct Table {
    /// Its first frame, mapped writable.
    pub frame: Page,
}

/// Sets one frame of the table up and maps it over a page of the pool.
pub fn setup() -> Table {
    let mut frames = [0u64; 1];
    // dom, pad, nr_frames, status, pad, frame_list
    let mut argument = [0x7ff0u64 | 1 << 32, 0, frames.as_mut_ptr() as u64];
    assert_eq!(table_op(op::SETUP, at_mut(&mut argument), 1), 0);
    assert_eq!(argument[1] as i16, status::OKAY);
    let frame = Page::take();
    let entry = frames[0] << 12 | mmu::WRITABLE;
    assert_eq!(mmu::update_va_mapping(frame.va, entry, mmu::INVLPG), 0);
    Table { frame }
}

impl Table {
    /// Writes a version-1 entry: the frame first, then flags and domain together.
    pub fn grant(&self, reference: u32, flags: u16, domain: u16, mfn: u64) {
        let entry = (self.frame.va + 8 * reference as u64) as *mut u32;
        unsafe {
            entry.add(1).write_volatile(mfn as u32);
            entry.write_volatile(flags as u32 | (domain as u32) << 16);
        }
    }

    /// The flags of a version-1 entry.
    pub fn flags(&self, reference: u32) -> u16 {
        unsafe { ((self.frame.va + 8 * reference as u64) as *const u16).read_volatile() }
    }
}

/// `struct gnttab_map_grant_ref`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs)]
pub struct Map {
    pub host_address: u64,
    pub flags: u32,
    pub reference: u32,
    pub domain: u16,
    pub status: i16,
    pub handle: u32,
    pub device_address: u64,
}

/// Maps one grant; the answer is in `status` and `handle`.
pub fn map(host_address: u64, flags: u32, reference: u32, domain: u16) -> Map {
    let mut map = Map {
        host_address,
        flags,
        reference,
        domain,
        ..Map::default()
    };
    assert_eq!(table_op(op::MAP, at_mut(&mut map), 1), 0);
    map
}

/// Unmaps one grant; the answer is its status.
pub fn unmap(host_address: u64, handle: u32) -> i16 {
    // host_addr, dev_bus_addr, handle, status
    let mut argument = [host_address, 0, handle as u64];
    assert_eq!(table_op(op::UNMAP, at_mut(&mut argument), 1), 0);
    (argument[2] >> 32) as i16
}

/// One side of a copy (`gnttab_copy_ptr`): a frame or a grant reference, its domain, an offset.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs)]
pub struct CopyEnd {
    pub frame_or_reference: u64,
    pub domain: u16,
    pub offset: u16,
    pub pad: u32,
}

/// `struct gnttab_copy`; flag 1 says the source is a reference, flag 2 the destination.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs)]
pub struct Copy {
    pub source: CopyEnd,
    pub destination: CopyEnd,
    pub length: u16,
    pub flags: u16,
    pub status: i16,
    pub pad: u16,
}

/// Copies once; the answer is its status.
pub fn copy(source: CopyEnd, destination: CopyEnd, length: u16, flags: u16) -> i16 {
    let mut copy = Copy {
        source,
        destination,
        length,
        flags,
        ..Copy::default()
    };
    assert_eq!(table_op(op::COPY, at_mut(&mut copy), 1), 0);
    copy.status
}
