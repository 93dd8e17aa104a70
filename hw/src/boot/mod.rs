//! From the loader's jump to the hypervisor's main function.
//!
//! `start.S` takes the processor to 64-bit mode on the boot stack and calls the first Rust function, which copies what
//! the loader told into a [`BootInfo`] and calls the function that [`entry!`](crate::entry!) named.

mod low_memory;
#[cfg(target_os = "none")]
mod start;

pub use firmware::boot::{
    AcpiRoot, BootInfo, Efi, Framebuffer, MemoryKind, MemoryMap, MemoryRegion, Module, Protocol,
    Video,
};

pub(crate) use low_memory::LowMemory;
#[cfg(target_os = "none")]
pub(crate) use start::symbol_table;

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
