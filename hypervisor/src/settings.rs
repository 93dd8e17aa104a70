//! What the toolstack set for a domain that is not part of any other subject: grants of devices, nodes, time of day,
//! virtual nodes.

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32};

use hw::sync::SpinLock;
use ranges::RangeSet;

use crate::levels;
use crate::placement::Placement;
use crate::time_stamps::TimeStamps;
use crate::virtual_nodes::VirtualNodes;

/// A domain's settings.
pub struct Settings {
    /// Devices it may use. Means nothing for the first domain, which may use what the hypervisor does not keep.
    pub access: SpinLock<Access, { levels::VCPU }>,
    /// Seconds that its time of day is ahead of the machine's.
    pub time_offset: AtomicI64,
    /// Where its memory comes from.
    pub placement: Placement,
    /// How it reads the time-stamp counter.
    pub time_stamps: TimeStamps,
    /// The toolstack let it run: what it is built of is settled.
    pub has_run: AtomicBool,
    /// Its own event channel that is sent when it suspends; 0 for none.
    pub suspend_port: AtomicU32,
    /// Its virtual nodes; `None` for one that it is not told of.
    pub virtual_nodes: SpinLock<Option<VirtualNodes>, { levels::VCPU }>,
}

impl Settings {
    /// What a new domain has.
    pub const fn new() -> Self {
        Self {
            access: SpinLock::new(Access::new()),
            time_offset: AtomicI64::new(0),
            placement: Placement::new(),
            time_stamps: TimeStamps::new(),
            has_run: AtomicBool::new(false),
            suspend_port: AtomicU32::new(0),
            virtual_nodes: SpinLock::new(None),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// Ports, frames and interrupts that a domain was granted.
#[derive(Default)]
pub struct Access {
    /// I/O ports.
    pub ports: RangeSet,
    /// Machine frames that are no RAM.
    pub frames: RangeSet,
    /// Interrupts, by the first domain's numbers.
    pub interrupts: RangeSet,
}

impl Access {
    const fn new() -> Self {
        Self {
            ports: RangeSet::new(),
            frames: RangeSet::new(),
            interrupts: RangeSet::new(),
        }
    }
}
