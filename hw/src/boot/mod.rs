//! From the loader's jump to the hypervisor's main function.
//!
//! `start.S` takes the processor to 64-bit mode on the boot stack and calls [`boot_start`], which copies what the
//! loader told into a [`BootInfo`] and calls the function that [`entry!`](crate::entry) named.

mod bytes;
mod info;
mod memory_map;
mod multiboot1;
mod pvh;

pub use info::{
    AcpiRoot, BootInfo, Efi, Framebuffer, Module, Protocol, Video, COMMAND_LINE, MODULES,
    MODULE_STRING,
};
pub use memory_map::{MemoryKind, MemoryMap, MemoryRegion, REGIONS};

pub(crate) use bytes::LowMemory;

/// Names the function the boot code calls: `fn(&'static BootInfo) -> !`, on the boot stack, interrupts off, on the boot
/// page tables. To be used once, in the crate that is linked into the image.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        extern "Rust" fn hypervisor_main(boot: &'static $crate::boot::BootInfo) -> ! {
            let main: fn(&'static $crate::boot::BootInfo) -> ! = $main;
            main(boot)
        }
    };
}

#[cfg(target_os = "none")]
mod start;
