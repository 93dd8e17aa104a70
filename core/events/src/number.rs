//! Limits of the interface (public `event_channel.h`, `xen.h`).

/// Ports the two-level ABI can express on x86-64.
pub const TWO_LEVEL_PORTS: u32 = 4096;
/// Ports the FIFO ABI can express.
pub const FIFO_PORTS: u32 = 1 << LINK_BITS;
/// Bits of an event word that hold the next port of a queue.
pub const LINK_BITS: u8 = 17;
/// Queues, one a priority.
pub const PRIORITIES: usize = 16;
/// The priority of a port that asked for none.
pub const DEFAULT_PRIORITY: u8 = 7;
/// Virtual interrupts (`NR_VIRQS`).
pub const VIRQS: usize = 24;
/// Event words in a page of the event array.
pub const WORDS_PER_PAGE: u32 = 1024;
/// Bytes of a control block.
pub const CONTROL_BLOCK_BYTES: usize = 72;
/// Ports that one `SCHEDOP_poll` may name.
pub const POLL_PORTS: usize = 128;
