//! The hypervisor's own page tables: one set of slots 256–271 that every address space shares.
//!
//! Built once at boot over the boot loader's map of memory. All top-level slots are filled then, so copies of
//! them in guests' tables never go stale; later mappings only fill lower levels.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use memory::PageInfo;
use vocabulary::{MachineAddr, Mfn, VirtAddr};

use crate::boot::{MemoryKind, MemoryMap};
use crate::cpu::{self, control, msr};
use crate::descriptors;
use crate::layout::{self, DIRECT_MAP_BASE};
use crate::mmio;
use crate::percpu::area;
use crate::window::Window;

/// Start of the machine-to-physical table as guests read it.
pub const M2P_GUEST: u64 = 0xffff_8000_0000_0000;
/// Start of the same table as the hypervisor writes it.
pub(crate) const M2P_OWN: u64 = 0xffff_8180_0000_0000;
/// Start of the frame table.
const FRAME_TABLE: u64 = 0xffff_8100_0000_0000;
/// Start of device mappings: a register at machine address `a` is at `MMIO + a`.
const MMIO: u64 = 0xffff_8200_0000_0000;
/// Start of the descriptor windows, 128 KiB each.
pub(crate) const WINDOWS: u64 = 0xffff_80c0_0000_0000;
/// The value in the machine-to-physical table where there is no RAM (`INVALID_M2P_ENTRY`).
pub const NO_FRAME: u64 = u64::MAX;

/// Bits of a page-table entry.
pub(crate) mod bits {
    pub const PRESENT: u64 = 1;
    pub const WRITE: u64 = 1 << 1;
    pub const USER: u64 = 1 << 2;
    pub const THROUGH: u64 = 1 << 3;
    pub const UNCACHED: u64 = 1 << 4;
    pub const ACCESSED: u64 = 1 << 5;
    pub const DIRTY: u64 = 1 << 6;
    pub const LARGE: u64 = 1 << 7;
    pub const GLOBAL: u64 = 1 << 8;
    pub const NO_EXECUTE: u64 = 1 << 63;
    pub const FRAME: u64 = 0x000f_ffff_ffff_f000;
}
use bits::{
    ACCESSED, DIRTY, FRAME, GLOBAL, LARGE, NO_EXECUTE, PRESENT, THROUGH, UNCACHED, USER, WRITE,
};

const TABLE: u64 = PRESENT | WRITE | ACCESSED | DIRTY;
const DATA: u64 = PRESENT | WRITE | ACCESSED | DIRTY | GLOBAL | NO_EXECUTE;
const CODE: u64 = PRESENT | ACCESSED | GLOBAL;
const CONSTANT: u64 = PRESENT | ACCESSED | GLOBAL | NO_EXECUTE;

static ROOT: AtomicU64 = AtomicU64::new(0);
static BOOT_ROOT: AtomicU64 = AtomicU64::new(0);
static FRAMES: AtomicU64 = AtomicU64::new(0);
pub(crate) static M2P_FRAMES: AtomicU64 = AtomicU64::new(0);

/// Where frames for tables come from: 2^order frames, aligned to that, below 4 GiB while booting.
pub type FrameSource<'a> = &'a mut dyn FnMut(u32) -> Option<Mfn>;

/// There was not enough memory for the hypervisor's own tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfFrames;

/// Maps one frame, or 2 MiB or 1 GiB where `level` is 2 or 3, at `address`.
fn map_at(address: u64, value: u64, level: u32, take: FrameSource<'_>) -> Result<(), OutOfFrames> {
    let user = value & USER;
    let mut table = root();
    let mut current = 4;
    while current > level {
        let window = Window::open(table);
        let Some(entry) = window.words().get(index(address, current)) else {
            return Err(OutOfFrames);
        };
        let mut found = entry.load(Acquire);
        if found & PRESENT == 0 {
            let fresh = take(0).ok_or(OutOfFrames)?;
            Window::open(fresh).clear();
            found = fresh.address().0 | TABLE | user;
            entry.store(found, Release);
        }
        table = MachineAddr(found & FRAME).frame();
        current -= 1;
    }
    let window = Window::open(table);
    let Some(entry) = window.words().get(index(address, level)) else {
        return Err(OutOfFrames);
    };
    entry.store(value, Release);
    Ok(())
}

pub(crate) fn index(address: u64, level: u32) -> usize {
    (address >> (12 + 9 * (level - 1)) & 0x1ff) as usize
}

/// Maps one frame of the hypervisor's data; replaces what was there (the caller flushes).
pub(crate) fn map_data(address: u64, frame: Mfn, take: FrameSource<'_>) -> Result<(), OutOfFrames> {
    map_at(address, frame.address().0 | DATA & !GLOBAL, 1, take)
}

/// Maps one frame read-only; replaces what was there (the caller flushes).
pub(crate) fn map_constant(
    address: u64,
    frame: Mfn,
    take: FrameSource<'_>,
) -> Result<(), OutOfFrames> {
    map_at(address, frame.address().0 | CONSTANT & !GLOBAL, 1, take)
}

/// Maps the page of stubs, executable, below a processor's data.
pub(crate) fn map_stub(address: u64, take: FrameSource<'_>) -> Result<(), OutOfFrames> {
    let stub = layout::image_machine_address(VirtAddr(crate::entry::stub_page()));
    map_at(address, stub.0 & FRAME | CODE, 1, take)
}

/// What the hypervisor's own tables say of an address: the entry at level `lowest`, or that of the large page before
/// it, with its level. `None` where an entry on the way is not present.
pub(crate) fn walk(address: u64, lowest: u32) -> Option<(u64, u32)> {
    let mut table = root();
    for level in (lowest..=4).rev() {
        let window = Window::open(table);
        let found = window.words().get(index(address, level))?.load(Acquire);
        if found & PRESENT == 0 {
            return None;
        }
        if level == lowest || found & LARGE != 0 {
            return Some((found, level));
        }
        table = MachineAddr(found & FRAME).frame();
    }
    None
}

/// The table of a level, 1 to 3, on the way to an address. `None` without one.
fn table_of(address: u64, level: u32) -> Option<Mfn> {
    let (found, at) = walk(address, level + 1)?;
    (at == level + 1 && found & LARGE == 0).then(|| MachineAddr(found & FRAME).frame())
}

/// Takes the leaf table of the 2 MiB at `address` out of use and gives its frame. The caller flushes every processor
/// before the frame is used again. `None` where there is no such table.
pub(crate) fn remove_leaf_table(address: u64) -> Option<Mfn> {
    let table = table_of(address, 2)?;
    let window = Window::open(table);
    let place = window.words().get(index(address, 2))?;
    let found = place.load(Acquire);
    if found & PRESENT == 0 || found & LARGE != 0 {
        return None;
    }
    place.store(0, Release);
    Some(Mfn((found & FRAME) >> 12))
}

/// Changes the leaf entries of adjacent pages from `address` on, all in one leaf table, in a region that was
/// mapped before. The pages whose translations were present before are flushed here. `None` without the table.
pub(crate) fn change_leaves(address: u64, values: impl Iterator<Item = u64>) -> Option<()> {
    let table = table_of(address, 1)?;
    let window = Window::open(table);
    let entries = window.words().get(index(address, 1)..)?;
    for ((entry, value), page) in entries.iter().zip(values).zip(0..) {
        let old = entry.load(Acquire);
        if old == value {
            continue;
        }
        entry.store(value, Release);
        if old & PRESENT != 0 {
            crate::tlb::flush_page_local(address + page * 4096);
        }
    }
    Some(())
}

/// The value of a leaf entry for writable hypervisor data, not global.
pub(crate) fn data_leaf(frame: Mfn) -> u64 {
    frame.address().0 | DATA & !GLOBAL
}

/// Builds the final tables and switches to them. `take` must answer frames below 4 GiB, which the boot
/// tables show. Boot processor only, once.
pub fn build(map: &MemoryMap, take: FrameSource<'_>) -> Result<(), OutOfFrames> {
    let root = take(0).ok_or(OutOfFrames)?;
    Window::open(root).clear();
    ROOT.store(root.0, Release);
    for slot in 256u64..272 {
        let table = take(0).ok_or(OutOfFrames)?;
        Window::open(table).clear();
        let user = if slot == 256 { USER } else { 0 };
        if let Some(entry) = Window::open(root).words().get(slot as usize) {
            entry.store(table.address().0 | TABLE | user, Release);
        }
    }
    map_image(take)?;
    for region in map.regions() {
        if is_shown(region.kind, region.end - region.start) {
            map_direct(region.start, region.end, take)?;
        }
    }
    map_direct(0, 0x10_0000, take)?;
    let end = map
        .regions()
        .iter()
        .filter(|region| region.kind == MemoryKind::Usable)
        .map(|region| region.end)
        .max();
    let frames = end.unwrap_or(0) >> 12;
    back_table(
        FRAME_TABLE,
        frames,
        core::mem::size_of::<PageInfo>() as u64,
        0,
        DATA,
        None,
        map,
        take,
    )?;
    back_table(
        M2P_OWN,
        frames,
        8,
        NO_FRAME,
        DATA,
        Some(M2P_GUEST),
        map,
        take,
    )?;
    FRAMES.store(frames, Release);
    descriptors::make_reserved(take)?;
    M2P_FRAMES.store(frames, Release);
    BOOT_ROOT.store(cpu::read_cr3(), Release);
    enable_no_execute();
    load_root();
    Ok(())
}

fn is_shown(kind: MemoryKind, length: u64) -> bool {
    match kind {
        MemoryKind::Usable | MemoryKind::AcpiReclaimable | MemoryKind::AcpiNvs => true,
        // Firmware puts its tables in small reserved regions; large ones are device space.
        MemoryKind::Reserved => length <= 16 << 20,
        MemoryKind::Unusable => false,
    }
}

fn map_image(take: FrameSource<'_>) -> Result<(), OutOfFrames> {
    extern "C" {
        static text_start: u8;
        static text_end: u8;
        static rodata_start: u8;
        static rodata_end: u8;
        static data_start: u8;
        static data_end: u8;
    }
    let parts = [
        (&raw const text_start, &raw const text_end, CODE),
        (&raw const rodata_start, &raw const rodata_end, CONSTANT),
        (&raw const data_start, &raw const data_end, DATA),
    ];
    for (start, end, access) in parts {
        let mut address = start as u64;
        while address < end as u64 {
            let machine = layout::image_machine_address(VirtAddr(address));
            map_at(address, machine.0 | access, 1, take)?;
            address += 0x1000;
        }
    }
    // What xtask appended behind the image (its symbol table) stays readable.
    let tail = layout::image_end();
    for page in 0..256u64 {
        let address = tail + page * 0x1000;
        map_at(
            address,
            layout::image_machine_address(VirtAddr(address)).0 | CONSTANT,
            1,
            take,
        )?;
    }
    Ok(())
}

/// Shows `[start, end)` in the direct map, in the largest pages that fit.
fn map_direct(start: u64, end: u64, take: FrameSource<'_>) -> Result<(), OutOfFrames> {
    const LARGE_SIZES: [(u32, u64); 3] = [(3, 1 << 30), (2, 2 << 20), (1, 4096)];
    let giant = cpu::cpuid(0x8000_0001, 0)[3] & 1 << 26 != 0;
    let mut at = start & !0xfff;
    while at < end {
        for (level, size) in LARGE_SIZES {
            let fits = level == 1 || (at & (size - 1) == 0 && end - at >= size);
            if !fits || (level == 3 && !giant) {
                continue;
            }
            let large = if level == 1 { 0 } else { LARGE };
            map_at(DIRECT_MAP_BASE + at, at | DATA | large, level, take)?;
            at += size;
            break;
        }
    }
    Ok(())
}

/// Backs a table with one entry of `size` bytes a frame: own memory where there is RAM, a shared page
/// filled with `absent` where there is none. `twin` is a second, read-only place that guests see.
#[allow(
    clippy::too_many_arguments,
    reason = "one table's whole description, used twice"
)]
fn back_table(
    base: u64,
    frames: u64,
    size: u64,
    absent: u64,
    access: u64,
    twin: Option<u64>,
    map: &MemoryMap,
    take: FrameSource<'_>,
) -> Result<(), OutOfFrames> {
    let hole = take(0).ok_or(OutOfFrames)?;
    fill(hole, 1, absent);
    let guest = PRESENT | USER | ACCESSED | NO_EXECUTE | GLOBAL;
    let length = (frames * size + 0xfff) & !0xfff;
    let mut offset = 0;
    while offset < length {
        let chunk = if offset & 0x1f_ffff == 0 {
            0x20_0000
        } else {
            0x1000
        };
        let (level, step, frame, large) =
            if chunk == 0x20_0000 && ram_share(map, offset, chunk, size) >= 25 {
                let frame = take(9).ok_or(OutOfFrames)?;
                fill(frame, 512, absent);
                (2, chunk, frame, LARGE)
            } else if ram_share(map, offset, 0x1000, size) > 0 {
                let frame = take(0).ok_or(OutOfFrames)?;
                fill(frame, 1, absent);
                (1, 0x1000, frame, 0)
            } else {
                (1, 0x1000, hole, 0)
            };
        let writable = if frame == hole { CONSTANT } else { access };
        map_at(
            base + offset,
            frame.address().0 | writable | large,
            level,
            take,
        )?;
        if let Some(twin) = twin {
            map_at(
                twin + offset,
                frame.address().0 | guest | large,
                level,
                take,
            )?;
        }
        offset += step;
    }
    Ok(())
}

fn fill(first: Mfn, frames: u64, word: u64) {
    for number in 0..frames {
        for entry in Window::open(first.plus(number)).words() {
            entry.store(word, Relaxed);
        }
    }
}

/// How many percent (rounded up) of the frames whose entries lie in a piece of a table are RAM.
fn ram_share(map: &MemoryMap, offset: u64, length: u64, size: u64) -> u64 {
    let (first, last) = (offset / size, (offset + length).div_ceil(size));
    let (start, end) = (first << 12, last << 12);
    let covered: u64 = map
        .regions()
        .iter()
        .filter(|region| region.kind == MemoryKind::Usable)
        .map(|region| region.end.min(end).saturating_sub(region.start.max(start)))
        .sum();
    (covered * 100).div_ceil(end - start)
}

/// Shows the boot tables' identity map in the hypervisor's own tables while other processors are started: their
/// first instructions run at low addresses. Guests' tables never have it.
pub(crate) fn show_identity(shown: bool) {
    let boot = Window::open(MachineAddr(BOOT_ROOT.load(Acquire) & FRAME).frame());
    let own = Window::open(root());
    if let (Some(from), Some(to)) = (boot.words().first(), own.words().first()) {
        to.store(if shown { from.load(Relaxed) } else { 0 }, Release);
    }
    crate::tlb::flush_all_local();
}

/// Gives bit 63 of entries its meaning; must come before tables that use it.
pub(crate) fn enable_no_execute() {
    // SAFETY: the boot code refused processors without the feature; entries in use have the bit clear or mean it.
    unsafe { cpu::write_msr(msr::EFER, cpu::read_msr(msr::EFER) | control::EFER_NXE) }
}

/// Loads the hypervisor's own tables, without any guest's part.
pub fn load_root() {
    // SAFETY: the tables hold everything the hypervisor uses: image, direct map, processor areas.
    unsafe { cpu::write_cr3(ROOT.load(Acquire) << 12) }
}

/// The hypervisor's own value of CR3.
pub fn root_base() -> u64 {
    ROOT.load(Acquire) << 12
}

/// The sixteen top-level entries that every guest's top-level table holds at slots 256–271.
pub fn hypervisor_slots() -> [u64; 16] {
    let window = Window::open(root());
    let mut slots = [0; 16];
    for (slot, entry) in slots.iter_mut().zip(window.words().iter().skip(256)) {
        *slot = entry.load(Relaxed);
    }
    slots
}

/// The frame table's entries, for `memory::FrameTable`.
pub fn frame_table() -> &'static [PageInfo] {
    let count = FRAMES.load(Acquire) as usize;
    // SAFETY: `build` backed the range for ever, all-zero entries are valid `PageInfo`s, and those of holes,
    // which are read-only, are never written (`memory::FrameTable` writes to RAM's only).
    unsafe { core::slice::from_raw_parts(FRAME_TABLE as *const PageInfo, count) }
}

/// Maps the stub page, the data and the stacks of processor `index`.
pub(crate) fn map_area(index: usize, take: FrameSource<'_>) -> Result<(), OutOfFrames> {
    let base = area::base(index);
    map_stub(base + area::STUB, take)?;
    for page in area::BACKED {
        let frame = take(0).ok_or(OutOfFrames)?;
        Window::open(frame).clear();
        map_at(base + page, frame.address().0 | DATA, 1, take)?;
    }
    Ok(())
}

/// Where tables for device mappings come from: 2^order frames.
pub type Tables = fn(u32) -> Option<Mfn>;

static DEVICE_TABLES: crate::sync::SpinLock<Option<Tables>, 30> = crate::sync::SpinLock::new(None);

/// From now on, maps device registers by `mmio` uncached and outside the direct map; `take` gives tables.
pub fn take_over_devices(take: Tables) {
    *DEVICE_TABLES.lock() = Some(take);
    mmio::set_mapper(map_device);
}

fn map_device(address: MachineAddr, length: usize) -> Option<VirtAddr> {
    let end = address
        .0
        .checked_add(length as u64)
        .filter(|&end| end <= 1 << 39)?;
    let tables = DEVICE_TABLES.lock();
    let take = (*tables)?;
    let mut at = address.0 & !0xfff;
    while at < end {
        let value = at | DATA | UNCACHED | THROUGH;
        map_at(MMIO + at, value, 1, &mut |order| take(order)).ok()?;
        at += 0x1000;
    }
    Some(VirtAddr(MMIO + address.0))
}

/// The hypervisor's own top-level table.
pub(crate) fn root() -> Mfn {
    Mfn(ROOT.load(Acquire))
}

/// Whether the direct map shows a machine address: all RAM is there, devices are not.
pub(crate) fn is_in_direct_map(address: MachineAddr) -> bool {
    walk(DIRECT_MAP_BASE.wrapping_add(address.0), 1).is_some()
}
