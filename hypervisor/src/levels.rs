//! The order in which locks are taken: a processor takes a lock only above all it holds.

/// The control plane: one toolstack operation on domains at a time.
pub const CONTROL: u32 = 1;
/// The directory of trace buffers.
pub const TRACE_DIRECTORY: u32 = 2;
/// What the hypervisor's heap has grown by.
pub const HEAP_PARTS: u32 = 3;
/// Changing the shape of a domain's grant table.
pub const GRANT_SHAPE: u32 = 4;
/// Giving vCPUs their first context.
pub const INITIALISING: u32 = 6;
/// A domain's page tables.
pub const PAGING: u32 = 8;
/// A domain's list of pages.
pub const PAGE_LIST: u32 = 12;
/// A domain's physical interrupts, by its own numbers.
pub const PIRQS: u32 = 13;
/// One interrupt line of the machine.
pub const INTERRUPTS: u32 = 14;
/// Processors' vector tables.
pub const VECTORS: u32 = 15;
/// A vCPU's small state: saved registers, descriptor frames.
pub const VCPU: u32 = 16;
/// The scheduler.
pub const SCHEDULER: u32 = 18;
/// A vCPU's time state.
pub const VCPU_TIME: u32 = 19;
/// A processor's timers.
pub const TIMERS: u32 = 20;
/// The machine's clock.
pub const CLOCK: u32 = 22;
/// Board devices reached through index registers (clock chip, PCI configuration).
pub const BOARD: u32 = 24;
/// The console.
pub const CONSOLE: u32 = 28;
/// A processor's trace buffer: anything may be recorded, under almost any lock.
pub const TRACE: u32 = 29;
/// The table of domains, which is looked at under any lock; nothing is taken under it.
pub const DOMAINS: u32 = 30;
/// What is set aside for a domain.
pub const CLAIM: u32 = 30;
/// The free frames. Nothing is above but what `hw` keeps to itself.
pub const FRAMES: u32 = 31;
