//! The way in: `start.S` and the first Rust function.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use firmware::boot::BootError;
use vocabulary::{MachineAddr, VirtAddr};

use super::{BootInfo, LowMemory};
use crate::{console, layout};

core::arch::global_asm!(
    include_str!("start.S"),
    boot_start = sym boot_start,
    image_delta = const layout::IMAGE_BASE - layout::IMAGE_MACHINE_BASE,
);

extern "Rust" {
    /// What [`entry!`](crate::entry!) defines.
    fn hypervisor_main(boot: &'static BootInfo) -> !;
}

extern "C" {
    /// The byte after the image (a symbol of `image.ld`).
    static image_end: u8;
    /// Machine address and length of the names that xtask appended behind the image (`start.S`); zeroes without them.
    static boot_symbol_table: [u64; 2];
}

/// The table of function names behind the image, if one was appended: machine address and bytes.
pub(crate) fn symbol_table() -> Option<(MachineAddr, usize)> {
    let linked = VirtAddr(&raw const boot_symbol_table as u64);
    let place = layout::direct(MachineAddr(linked.0)).0 as *const [u64; 2];
    // SAFETY: the boot part is linked at its machine address, and the direct map covers it; it is written by nobody
    // after loading, and aligned to 8 by start.S.
    let [address, length] = unsafe { place.read() };
    (address != 0 && length != 0).then_some((MachineAddr(address), length as usize))
}

/// Room for the one boot information there is.
struct Storage(UnsafeCell<MaybeUninit<BootInfo>>);

// SAFETY: written once in `boot_start`, when one processor runs and before anyone else can hold a reference.
unsafe impl Sync for Storage {}

static STORAGE: Storage = Storage(UnsafeCell::new(MaybeUninit::uninit()));

/// The first Rust code to run: `start.S` calls it once with what the loader left in eax and ebx.
extern "C" fn boot_start(magic: u32, information: u32) -> ! {
    // SAFETY: the boot page tables are in use (start.S just loaded them), and nothing writes to the loader's memory
    // before the information has been copied into STORAGE.
    let memory = unsafe { LowMemory::new() };
    // SAFETY: this function runs once, on the only running processor (start.S is entered once), so nothing else
    // refers to the storage. It is filled in place because it is too large for the stack.
    let boot: &'static mut BootInfo = unsafe { (*STORAGE.0.get()).write(BootInfo::new()) };
    let address = u64::from(information);
    match firmware::boot::parse(&memory, magic, address, boot) {
        Ok(()) => {}
        Err(BootError::UnknownProtocol) => console::fatal(format_args!(
            "Xenolith was entered by an unknown boot protocol (eax = {magic:#x}); \
             multiboot 1, multiboot 2 or PVH is needed"
        )),
        Err(BootError::Unreadable) => console::fatal(format_args!(
            "the boot loader's information at {address:#x} cannot be read: it must be whole and below 4 GiB"
        )),
    }
    let end = VirtAddr(&raw const image_end as u64);
    let names_end =
        symbol_table().map_or(0, |(start, length)| start.0.saturating_add(length as u64));
    boot.image_end = MachineAddr(layout::image_machine_address(end).0.max(names_end));
    // SAFETY: the image defines this function with exactly this signature through `entry!`.
    unsafe { hypervisor_main(boot) }
}
