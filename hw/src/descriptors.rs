//! Descriptor windows: each vCPU's view of its GDT and LDT at a fixed place of the hypervisor's space.
//!
//! A window is 32 pages: up to 14 guest frames of GDT entries, one frame of reserved descriptors that all
//! windows share (the ring-0 segments every interrupt needs), one page that only processors' own windows
//! use, and 16 pages of LDT. The processor's GDTR points into the window of the vCPU it runs.

extern crate alloc;

use alloc::vec::Vec;
use core::arch::asm;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use arrayvec::ArrayVec;
use vocabulary::Mfn;

use crate::entry::{self, TaskState};
use crate::paging::{self, OutOfFrames};
use crate::percpu::{PerCpu, MAX_CPUS};
use crate::registers::selector;
use crate::sync::SpinLock;
use crate::window::Window;

/// Bytes of a window.
const SIZE: u64 = 32 * 4096;
/// Page of the window that holds the reserved descriptors (`FIRST_RESERVED_GDT_PAGE`).
const RESERVED_PAGE: u64 = 14;
/// Page of a processor's own window that holds its task state and LDT descriptors.
const OWN_PAGE: u64 = 15;
/// First page of the LDT.
const LDT_PAGE: u64 = 16;
/// Windows that one table maps, which is 2 MiB.
const GROUP: u32 = ((2 << 20) / SIZE) as u32;
const _: () = assert!(MAX_CPUS as u32 % GROUP == 0);
/// Tables that one call of [`spare_tables`] finds at most.
pub const SPARE: usize = 32;
/// Guest frames a GDT can have.
pub const GDT_FRAMES: usize = 14;
/// Guest frames an LDT can have.
pub const LDT_FRAMES: usize = 16;

static RESERVED: AtomicU64 = AtomicU64::new(0);
static NUMBERS: SpinLock<Numbers, 29> = SpinLock::new(Numbers {
    next: MAX_CPUS as u32,
    free: Vec::new(),
});

/// Which windows are in use. The first ones are the processors' own.
struct Numbers {
    /// The lowest number that never was used.
    next: u32,
    /// Numbers given back, with room for every one that is in use.
    free: Vec<u32>,
}

impl Numbers {
    fn take(&mut self) -> Result<u32, OutOfFrames> {
        if let Some(number) = self.free.pop() {
            return Ok(number);
        }
        let in_use = self.next as usize - MAX_CPUS;
        let room = in_use + 1 - self.free.len();
        self.free.try_reserve(room).map_err(|_| OutOfFrames)?;
        let number = self.next;
        self.next += 1;
        Ok(number)
    }

    fn give_back(&mut self, number: u32) {
        self.free.push(number);
    }
}

fn base(window: u32) -> u64 {
    paging::WINDOWS + u64::from(window) * SIZE
}

/// Takes tables out of use that map no window of a vCPU any more, at most [`SPARE`] a call, and gives their frames. The
/// caller flushes every processor before it uses these for anything.
pub fn spare_tables() -> ArrayVec<Mfn, SPARE> {
    let mut spare = ArrayVec::new();
    let numbers = NUMBERS.lock();
    for group in MAX_CPUS as u32 / GROUP..numbers.next.div_ceil(GROUP) {
        let of_group = group * GROUP..numbers.next.min((group + 1) * GROUP);
        let free = numbers
            .free
            .iter()
            .filter(|number| of_group.contains(number));
        if free.count() == of_group.len() && !spare.is_full() {
            spare.extend(paging::remove_leaf_table(base(group * GROUP)));
        }
    }
    spare
}

/// Leaves the window of the vCPU that this processor ran, for the processor's own.
pub fn leave() {
    load_ldt(0, 0);
    load_gdt(PerCpu::current().index() as u32);
}

/// A vCPU's window. Its place is used again after it, and so is the table that maps it, unless it is given back.
#[derive(Debug)]
pub struct DescriptorWindow {
    number: u32,
}

impl DescriptorWindow {
    /// Makes a window, empty but for the reserved descriptors.
    pub fn new(take: paging::FrameSource<'_>) -> Result<Self, OutOfFrames> {
        let mut numbers = NUMBERS.lock();
        let number = numbers.take()?;
        // Under the lock, since windows share tables.
        let mapped = paging::map_constant(base(number) + RESERVED_PAGE * 4096, reserved(), take);
        if let Err(error) = mapped {
            numbers.give_back(number);
            return Err(error);
        }
        Ok(Self { number })
    }

    /// The window's number, for the vCPU's context.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Shows `frames` as the GDT, nothing behind them. The caller holds a descriptor-page reference to each,
    /// flushes the processor that runs the vCPU, and loads the table anew there.
    pub fn set_gdt(&self, frames: &[Mfn]) {
        self.set(0, GDT_FRAMES, frames);
    }

    /// Shows `frames` as the LDT; `Mfn::INVALID` leaves a page out.
    pub fn set_ldt(&self, frames: &[Mfn]) {
        self.set(LDT_PAGE, LDT_FRAMES, frames);
    }

    fn set(&self, first: u64, pages: usize, frames: &[Mfn]) {
        let shown = frames.iter().map(|&frame| {
            if frame == Mfn::INVALID {
                0
            } else {
                paging::data_leaf(frame)
            }
        });
        let values = shown.chain(core::iter::repeat(0)).take(pages);
        // The leaf table exists: the reserved page of the window lies in the same one (a window is aligned to
        // its size, which divides what one table maps).
        let _ = paging::change_leaves(base(self.number) + first * 4096, values);
    }
}

impl Drop for DescriptorWindow {
    /// Nothing of the ended vCPU stays visible in it. Its processors have loaded other tables since they ran
    /// the vCPU, so none has translations of it left.
    fn drop(&mut self) {
        self.set(0, GDT_FRAMES, &[]);
        self.set(LDT_PAGE, LDT_FRAMES, &[]);
        NUMBERS.lock().give_back(self.number);
    }
}

/// What the processor did not find when it read a descriptor of a guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingDescriptor {
    /// An entry of the GDT, by its selector with privilege 0.
    Global(u32),
    /// An entry of the LDT, by its distance in bytes from the table's start.
    Local(u64),
}

/// What a fault at `address` means for the vCPU that shows `window`; `None` where it is none of its descriptors.
pub fn missing(window: u32, address: u64) -> Option<MissingDescriptor> {
    let offset = address.checked_sub(base(window))?;
    let local = LDT_PAGE * 4096;
    match offset {
        _ if offset >= SIZE => None,
        _ if offset >= local => Some(MissingDescriptor::Local(offset - local)),
        _ => Some(MissingDescriptor::Global(offset as u32 & !7)),
    }
}

fn reserved() -> Mfn {
    Mfn(RESERVED.load(Acquire))
}

/// Makes the frame of reserved descriptors. Once, at boot.
pub(crate) fn make_reserved(take: paging::FrameSource<'_>) -> Result<(), OutOfFrames> {
    let frame = take(0).ok_or(OutOfFrames)?;
    let window = Window::open(frame);
    window.clear();
    for (slot, descriptor) in entry::reserved_descriptors() {
        if let Some(entry) = window.words().get(slot) {
            entry.store(descriptor, Relaxed);
        }
    }
    RESERVED.store(frame.0, Release);
    Ok(())
}

/// Maps processor `index`'s own window, with its task state's descriptor.
pub(crate) fn map_own(index: usize, take: paging::FrameSource<'_>) -> Result<(), OutOfFrames> {
    let start = base(index as u32);
    let frame = take(0).ok_or(OutOfFrames)?;
    let window = Window::open(frame);
    window.clear();
    let state = TaskState::descriptor(PerCpu::of(index).task_state_address());
    for (entry, value) in window.words().iter().zip(state) {
        entry.store(value, Relaxed);
    }
    paging::map_constant(start + RESERVED_PAGE * 4096, reserved(), take)?;
    paging::map_data(start + OWN_PAGE * 4096, frame, take)
}

fn load_gdt(window: u32) {
    let pointer = entry::table_pointer(0xffff, base(window));
    // SAFETY: every window shows the reserved descriptors that the hypervisor's segments come from.
    unsafe { asm!("lgdt [{}]", in(reg) &pointer, options(nostack, readonly)) }
}

/// Loads this processor's own window, its task register and the hypervisor's segments. Once a processor.
pub(crate) fn load_own() {
    load_gdt(PerCpu::current().index() as u32);
    // SAFETY: the window just loaded holds these descriptors; data segments are unused in 64-bit mode, so
    // null ones serve, and the far return reloads the code segment and continues right behind itself.
    unsafe {
        asm!(
            "push {code}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2:",
            "mov ss, {null:e}",
            "mov ds, {null:e}",
            "mov es, {null:e}",
            "mov fs, {null:e}",
            "mov gs, {null:e}",
            "ltr {task:x}",
            "lldt {null:x}",
            code = in(reg) u64::from(selector::HYPERVISOR_CODE),
            scratch = out(reg) _,
            null = in(reg) 0u64,
            task = in(reg) u64::from(selector::TASK_STATE),
        )
    }
}

/// Points this processor's GDTR at a vCPU's window. Limits stay whole: what is not mapped faults.
pub(crate) fn load_window(number: u32) {
    load_gdt(number);
}

/// Loads a vCPU's LDT of `entries` descriptors (none for zero). The descriptor is written into the
/// processor's own window for the moment of the load, since the processor keeps a copy.
pub(crate) fn load_ldt(window: u32, entries: u32) {
    if entries == 0 {
        // SAFETY: a null LDT selector is always accepted.
        unsafe { asm!("lldt {:x}", in(reg) 0u64, options(nostack)) }
        return;
    }
    let own = PerCpu::current().index() as u32;
    let limit = u64::from(entries) * 8 - 1;
    let words = entry::system_descriptor(base(window) + LDT_PAGE * 4096, limit, 2);
    let place = (base(own) + u64::from(selector::LOCAL_TABLE)) as *mut [u64; 2];
    // SAFETY: the processor's own window maps that page writable, and only this processor uses it.
    unsafe { place.write_volatile(words) }
    load_gdt(own);
    // SAFETY: the descriptor just written is a valid LDT that lies in the hypervisor's space.
    unsafe { asm!("lldt {:x}", in(reg) u64::from(selector::LOCAL_TABLE), options(nostack)) }
    load_gdt(window);
}
