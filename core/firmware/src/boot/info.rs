//! What every boot loader tells, in one shape: [`BootInfo`].

use arrayvec::{ArrayString, ArrayVec};
use vocabulary::MachineAddr;

use super::memory_map::MemoryMap;

/// Most modules that are kept; a loader that passes more is told so by [`BootInfo::modules_dropped`].
pub const MODULES: usize = 16;
/// Longest command line kept, in bytes.
pub const COMMAND_LINE: usize = 4096;
/// Longest module string kept, in bytes (dom0's command line comes this way).
pub const MODULE_STRING: usize = 2048;

/// The protocol that the image was entered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Multiboot 1 (QEMU's `-kernel`, GRUB's `multiboot`).
    Multiboot1,
    /// Multiboot 2 (GRUB's `multiboot2`).
    Multiboot2,
    /// Xen's PVH entry (`hvm_start_info`).
    Pvh,
}

/// One module: a file that the loader put in memory.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Machine address of the first byte.
    pub start: u64,
    /// Machine address after the last byte; never below `start`.
    pub end: u64,
    /// The string that came with it: by multiboot 1 from QEMU and by GRUB 1 this begins with the file's name.
    pub string: ArrayString<MODULE_STRING>,
}

impl Module {
    /// Bytes in the module.
    pub const fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the loader left on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Video {
    /// Nothing known of.
    #[default]
    None,
    /// VGA text mode.
    Text {
        /// Characters in a row.
        columns: u32,
        /// Rows.
        rows: u32,
    },
    /// A linear framebuffer of direct colours.
    Framebuffer(Framebuffer),
}

/// A linear framebuffer; each colour is (position of its lowest bit, number of bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framebuffer {
    /// Machine address of the first pixel.
    pub address: u64,
    /// Bytes from one row to the next.
    pub pitch: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bits of a pixel.
    pub bits_per_pixel: u8,
    /// Red.
    pub red: (u8, u8),
    /// Green.
    pub green: (u8, u8),
    /// Blue.
    pub blue: (u8, u8),
}

/// Where ACPI's tables begin, as the loader said (already past the root pointer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcpiRoot {
    /// The root pointer structure lies at this machine address.
    RootPointer(MachineAddr),
    /// The loader gave a copy of an ACPI 1 root pointer: this is its RSDT.
    Rsdt(MachineAddr),
    /// The loader gave a copy of an ACPI 2 root pointer: this is its XSDT.
    Xsdt(MachineAddr),
}

/// The machine's EFI firmware, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Efi {
    /// Machine address of the system table.
    pub system_table: u64,
    /// Whether the firmware is a 64-bit one.
    pub is_64_bit: bool,
}

/// Everything the loader told, copied out of its memory.
#[derive(Debug)]
pub struct BootInfo {
    /// How the image was entered.
    pub protocol: Protocol,
    /// The loader's name, empty where it gave none.
    pub loader: ArrayString<64>,
    /// The image's own command line (QEMU and GRUB 1 put the image's name first).
    pub command_line: ArrayString<COMMAND_LINE>,
    /// The machine's memory: sorted, without overlaps, neighbours of one kind merged.
    pub memory: MemoryMap,
    /// The modules in the loader's order.
    pub modules: ArrayVec<Module, MODULES>,
    /// Modules beyond [`MODULES`] that were left out.
    pub modules_dropped: usize,
    /// ACPI's tables as the loader told them; `None` means: look for them.
    pub acpi: Option<AcpiRoot>,
    /// The firmware, if it is EFI.
    pub efi: Option<Efi>,
    /// The screen.
    pub video: Video,
    /// Machine address after the image's last byte (its first is 2 MiB).
    pub image_end: MachineAddr,
}

impl Default for BootInfo {
    fn default() -> Self {
        Self::new()
    }
}

impl BootInfo {
    /// An empty one, for [`parse`](super::parse) to fill.
    pub const fn new() -> Self {
        Self {
            protocol: Protocol::Multiboot1,
            loader: ArrayString::new_const(),
            command_line: ArrayString::new_const(),
            memory: MemoryMap::new(),
            modules: ArrayVec::new_const(),
            modules_dropped: 0,
            acpi: None,
            efi: None,
            video: Video::None,
            image_end: MachineAddr(0),
        }
    }

    /// Adds a module unless there is no room; a range that ends before it starts counts as empty.
    pub(crate) fn add_module(&mut self, start: u64, end: u64, string: &[u8]) {
        let module = Module {
            start,
            end: end.max(start),
            string: text(string),
        };
        if self.modules.try_push(module).is_err() {
            self.modules_dropped = self.modules_dropped.saturating_add(1);
        }
    }
}

/// The text before the first zero byte, as far as it fits; bytes that are no ASCII become `?`.
pub(crate) fn text<const N: usize>(bytes: &[u8]) -> ArrayString<N> {
    let mut text = ArrayString::new();
    for &byte in bytes.iter().take_while(|&&byte| byte != 0) {
        let character = if byte.is_ascii() { byte as char } else { '?' };
        if text.try_push(character).is_err() {
            break;
        }
    }
    text
}
