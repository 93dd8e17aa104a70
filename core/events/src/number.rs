//! Limits of the interface (public `event_channel.h`, `xen.h`), in the types we count with.

use xen_abi::event_channel as abi;

/// Ports the two-level ABI can express on x86-64.
pub const TWO_LEVEL_PORTS: u32 = abi::EVTCHN_2L_NR_CHANNELS;
/// Bits of an event word that hold the next port of a queue.
pub const LINK_BITS: u8 = abi::EVTCHN_FIFO_LINK_BITS as u8;
/// Ports the FIFO ABI can express.
pub const FIFO_PORTS: u32 = 1 << LINK_BITS;
/// Queues, one a priority.
pub const PRIORITIES: usize = abi::EVTCHN_FIFO_MAX_QUEUES as usize;
/// The priority of a port that asked for none.
pub const DEFAULT_PRIORITY: u8 = abi::EVTCHN_FIFO_PRIORITY_DEFAULT as u8;
/// Virtual interrupts (`NR_VIRQS`).
pub const VIRQS: usize = xen_abi::xen::NR_VIRQS as usize;
/// Event words in a page of the event array.
pub const WORDS_PER_PAGE: u32 = 1024;
/// Bytes of a control block.
pub const CONTROL_BLOCK_BYTES: usize = 72;
/// Ports that one `SCHEDOP_poll` may name.
pub const POLL_PORTS: usize = 128;
