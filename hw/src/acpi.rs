//! ACPI: the tables read from memory.

pub use firmware::acpi::*;

use crate::boot::{AcpiRoot, LowMemory};

/// Finds and reads the tables; `root` is what the loader told. To be called while the boot page tables are in use and
/// after the heap was given memory.
pub fn read_tables(root: Option<AcpiRoot>) -> Acpi {
    // SAFETY: the caller is still booting, on the boot page tables; firmware's tables are written by nobody before
    // dom0 runs, and what is kept of them is copied.
    let memory = unsafe { LowMemory::new() };
    firmware::acpi::read(&memory, root)
}
