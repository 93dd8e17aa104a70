//! Numbers of the events that are recorded (`public/trace.h`): a class, a subclass, and a number in it.

/// Records were lost for want of room: words are how many, whose vCPU's the first was (domain above vCPU), and when
/// it would have been written, low word first.
pub const LOST_RECORDS: u32 = 0x0001_f001;
/// Fills the end of a ring where the next record has no room.
pub const WRAP_BUFFER: u32 = 0x0001_f002;

/// A vCPU's runstate changed: words are the vCPU (domain above vCPU) and new state above old, see
/// [`runstate_change`].
const RUNSTATE_CHANGE: u32 = 0x0002_1001;
/// The processor goes on with what it ran: the vCPU.
pub const CONTINUE_RUNNING: u32 = 0x0002_1002;

/// A domain was made: its number.
pub const DOMAIN_ADDED: u32 = 0x0002_8001;
/// A domain was destroyed: its number.
pub const DOMAIN_REMOVED: u32 = 0x0002_8002;
/// A vCPU went to sleep: domain, vCPU.
pub const SLEEP: u32 = 0x0002_8003;
/// A vCPU woke: domain, vCPU.
pub const WAKE: u32 = 0x0002_8004;
/// A vCPU yielded: domain, vCPU.
pub const YIELD: u32 = 0x0002_8005;
/// A vCPU blocked: domain, vCPU.
pub const BLOCK: u32 = 0x0002_8006;
/// A domain shut down: domain, vCPU, reason.
pub const SHUTDOWN: u32 = 0x0002_8007;
/// A processor switches: from domain, vCPU to domain, vCPU.
pub const SWITCH: u32 = 0x0002_800a;

/// A page was mapped by a grant: the lending domain.
pub const GRANT_MAP: u32 = 0x0010_f001;
/// A grant's page was unmapped: the lending domain.
pub const GRANT_UNMAP: u32 = 0x0010_f002;

/// A page was given away by a grant: the receiving domain.
pub const GRANT_TRANSFER: u32 = 0x0010_f003;
/// A domain gave an extent of its memory back: [`extent`].
pub const DECREASE_RESERVATION: u32 = 0x0010_f005;

/// The words of [`DECREASE_RESERVATION`]: the first frame, low word first, the extent's order above the domain, and
/// nothing, which fills the structure up.
pub fn extent(first: u64, domain: u16, order: u32) -> [u32; 4] {
    let whose = u32::from(domain) | order << 16;
    [first as u32, (first >> 32) as u32, whose, 0]
}

/// A PV guest's hypercall: its number (the bits that say which arguments follow are zero).
pub const PV_HYPERCALL: u32 = 0x0020_100d;
/// A PV guest was given an exception: its address, low word first, then [`trap`].
pub const PV_TRAP: u32 = 0x0020_1003 | WIDE;
/// A page fault was given to a PV guest: the instruction's address, the fault's, the error code.
pub const PV_PAGE_FAULT: u32 = 0x0020_1004 | WIDE;
/// A privileged instruction was emulated: its address.
pub const PV_PRIVILEGED: u32 = 0x0020_1006 | WIDE;
/// A write to a page table was emulated: the entry, where it was written, the instruction's address.
pub const PV_TABLE_WRITE: u32 = 0x0020_100b | WIDE;
/// Addresses in the record have 64 bits, low word first.
const WIDE: u32 = 0x100;

/// An exception's word in [`PV_TRAP`]: vector, whether there is an error code, and that.
pub fn trap(vector: u32, code: Option<u32>) -> u32 {
    let has_code = if code.is_some() { 1 << 15 } else { 0 };
    vector & 0x7fff | has_code | code.unwrap_or(0) << 16
}

/// A vCPU's name in a record.
pub fn vcpu(domain: u16, vcpu: u32) -> u32 {
    u32::from(domain) << 16 | vcpu & 0xffff
}

/// The event of a runstate's change from `old` to `new` (`RUNSTATE_*` of `public/vcpu.h`): the states stand in bits 4
/// to 5 and 8 to 9 of the number.
pub fn runstate_change(old: u32, new: u32) -> u32 {
    RUNSTATE_CHANGE | (old & 3) << 8 | (new & 3) << 4
}
