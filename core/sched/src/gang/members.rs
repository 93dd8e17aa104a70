//! What a gang scheduler keeps of each vCPU, each unit, each CPU and each core.

use alloc::vec::Vec;
use vocabulary::Nanos;

use crate::CpuId;

/// A vCPU.
#[derive(Debug)]
pub(super) struct Vcpu {
    /// The unit it is of.
    pub unit: u32,
    /// Which thread of a core runs it.
    pub seat: u32,
    pub runnable: bool,
    /// It was taken down, or never up.
    pub is_retired: bool,
    /// The CPU that runs it or still holds its registers.
    pub on_cpu: Option<CpuId>,
}

/// vCPUs of one domain that are scheduled together.
#[derive(Debug)]
pub(super) struct Unit {
    pub domain: u32,
    /// Which of its domain's it is.
    pub number: u32,
    /// Its vCPUs, by seat.
    pub members: Vec<Option<u32>>,
    /// How many of them are runnable.
    pub runnable: u32,
    /// How many of them some CPU runs or holds.
    pub held: u32,
    /// The core that the policy gave it.
    pub core: Option<CpuId>,
}

/// A CPU.
#[derive(Debug)]
pub(super) struct Thread {
    /// The vCPU that it runs.
    pub current: Option<u32>,
}

/// A core, all of whose threads are online.
#[derive(Debug)]
pub(super) struct Core {
    /// Its threads, by seat.
    pub threads: Vec<CpuId>,
    /// The unit that the policy gave it to.
    pub chosen: Option<u32>,
    /// The thread that will look at the latest then, on the policy's behalf.
    pub timer: Option<(CpuId, Nanos)>,
}
