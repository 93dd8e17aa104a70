//! Device registers in memory: [`Mmio`] maps them and reads and writes them.

use core::sync::atomic::{AtomicPtr, Ordering};

use vocabulary::{MachineAddr, VirtAddr};

use crate::layout;

/// What maps device registers: gives the virtual address of `length` bytes at a machine address, uncached, for good.
pub type Mapper = fn(MachineAddr, usize) -> Option<VirtAddr>;

/// The [`Mapper`] in use, or null for the boot page tables' direct map.
static MAPPER: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Has device registers mapped by `mapper` from now on. What was mapped before keeps its address, so the direct map's
/// first 4 GiB must stay until the devices mapped so far have been mapped anew.
pub fn set_mapper(mapper: Mapper) {
    MAPPER.store(mapper as *mut (), Ordering::Release);
}

/// Maps `length` bytes of device registers at `address`, or says `None` where they are out of reach.
fn map(address: MachineAddr, length: usize) -> Option<VirtAddr> {
    let mapper = MAPPER.load(Ordering::Acquire);
    if mapper.is_null() {
        let end = address.0.checked_add(length as u64)?;
        return (end <= layout::EARLY_MAP_BYTES).then(|| layout::direct(address));
    }
    // SAFETY: only `set_mapper` stores here, always a `Mapper`, and function pointers and data pointers have one size
    // on x86.
    let mapper: Mapper = unsafe { core::mem::transmute(mapper) };
    mapper(address, length)
}

/// A device's registers, mapped for as long as the hypervisor runs.
#[derive(Clone, Copy, Debug)]
pub struct Mmio {
    base: VirtAddr,
    length: usize,
}

impl Mmio {
    /// Maps the registers of a device.
    ///
    /// # Safety
    /// The range holds device registers (or firmware data that nobody writes), not RAM that Rust objects live in, and
    /// the caller answers for what writing to them makes the device do.
    pub unsafe fn map(address: MachineAddr, length: usize) -> Option<Self> {
        let base = map(address, length)?;
        Some(Self { base, length })
    }

    /// Virtual address of the first register.
    pub(crate) const fn address(&self) -> VirtAddr {
        self.base
    }

    /// Reads the 32-bit register at `offset`; all ones outside the range, as a bus answers where no device is.
    pub fn read_u32(&self, offset: usize) -> u32 {
        match self.at::<u32>(offset) {
            // SAFETY: `at` checked range and alignment; the mapping lives for ever (`map`'s contract).
            Some(pointer) => unsafe { pointer.read_volatile() },
            None => u32::MAX,
        }
    }

    /// Writes the 32-bit register at `offset`; nothing outside the range.
    pub fn write_u32(&self, offset: usize, value: u32) {
        if let Some(pointer) = self.at::<u32>(offset) {
            // SAFETY: as in `read_u32`; `map`'s caller answers for the effect.
            unsafe { pointer.write_volatile(value) }
        }
    }

    /// Reads the 64-bit register at `offset`; all ones outside the range.
    pub fn read_u64(&self, offset: usize) -> u64 {
        match self.at::<u64>(offset) {
            // SAFETY: as in `read_u32`.
            Some(pointer) => unsafe { pointer.read_volatile() },
            None => u64::MAX,
        }
    }

    /// Writes the 64-bit register at `offset`; nothing outside the range.
    pub fn write_u64(&self, offset: usize, value: u64) {
        if let Some(pointer) = self.at::<u64>(offset) {
            // SAFETY: as in `write_u32`.
            unsafe { pointer.write_volatile(value) }
        }
    }

    /// The register's address if it lies in the range and is aligned.
    fn at<T>(&self, offset: usize) -> Option<*mut T> {
        let end = offset.checked_add(size_of::<T>())?;
        let pointer = self.base.0.wrapping_add(offset as u64) as *mut T;
        (end <= self.length && pointer.is_aligned()).then_some(pointer)
    }
}
