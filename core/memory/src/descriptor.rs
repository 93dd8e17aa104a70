//! Segment descriptors: which ones a guest may have where the processor reads them.
//!
//! Layout: Intel SDM volume 3, chapter 3.4.5 (segment descriptors) and 3.5 (system descriptors).

use vocabulary::{refuse, Errno, Refused};

/// Frames of a GDT that are the guest's: entries 0 to 7167. The hypervisor's own come after
/// (`FIRST_RESERVED_GDT_PAGE` in the public headers).
pub const GUEST_GDT_FRAMES: usize = 14;

const PRESENT: u64 = 1 << 47;
const PRIVILEGE: u64 = 3 << 45;
/// Set in code and data descriptors, clear in system descriptors and gates.
const CODE_OR_DATA: u64 = 1 << 44;
const TYPE: u64 = 0xf << 40;

/// Checks a descriptor that a guest wants in a GDT or LDT and gives it as it is stored.
///
/// A descriptor that is not present faults when used, so anything goes. Code and data segments are the guest's
/// with privilege level 3, which they are raised to: base and limit protect nothing. A system descriptor of
/// type 0 is the upper half of a 16-byte one, harmless without the lower. Every other system descriptor (call
/// gate, interrupt gate, task state, LDT) leads into or belongs to the hypervisor: EINVAL.
#[inline]
pub const fn check_descriptor(descriptor: u64) -> Refused<u64> {
    if descriptor & PRESENT == 0 {
        return Ok(descriptor);
    }
    if descriptor & CODE_OR_DATA != 0 || descriptor & TYPE == 0 {
        return Ok(descriptor | PRIVILEGE);
    }
    refuse(
        Errno::EINVAL,
        "a guest's descriptor table holds code and data segments only, no gates and no system segments",
    )
}
