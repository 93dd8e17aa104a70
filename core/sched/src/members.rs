//! What the fair scheduler keeps of each vCPU and each physical CPU.

use alloc::vec::Vec;

use indexed_heap::{IndexedHeap, Places};
use vocabulary::Nanos;

use crate::virtual_time::{VirtualTime, Weight};
use crate::{CpuId, CpuSet};

/// A vCPU. It is in at most one of these: some CPU's queue (`place`), some CPU's hands (`on_cpu`).
#[derive(Debug)]
pub(crate) struct Vcpu {
    pub weight: Weight,
    pub hard: CpuSet,
    pub soft: CpuSet,
    pub runnable: bool,
    /// The CPU that runs it or still holds its registers.
    pub on_cpu: Option<CpuId>,
    /// The CPU whose queue it is in, or was on last, and by whose clock `reached` counts.
    pub home: CpuId,
    /// Its place in its home's queue.
    pub place: Option<u32>,
    /// How far it has come on its home's virtual clock.
    pub reached: VirtualTime,
    /// When it came to its home.
    pub arrived: Nanos,
}

/// The vCPUs by key; `None` where a key is free.
#[derive(Debug)]
pub(crate) struct Vcpus(pub Vec<Option<Vcpu>>);

impl Vcpus {
    pub fn get(&self, key: u32) -> Option<&Vcpu> {
        self.0.get(key as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, key: u32) -> Option<&mut Vcpu> {
        self.0.get_mut(key as usize)?.as_mut()
    }
}

impl Places for Vcpus {
    fn set_place(&mut self, id: u32, place: Option<u32>) {
        if let Some(vcpu) = self.get_mut(id) {
            vcpu.place = place;
        }
    }
}

/// A physical CPU.
#[derive(Debug)]
pub(crate) struct Cpu {
    /// What it runs.
    pub current: Option<u32>,
    /// Since when, without interruption.
    pub since: Nanos,
    /// Up to when the current vCPU's time has been counted.
    pub counted: Nanos,
    /// Runnable vCPUs that wait here, by how far they have come.
    pub queue: IndexedHeap<VirtualTime>,
    /// The least that any vCPU here has come to; never goes back.
    pub clock: VirtualTime,
    /// The sum of weights of the current vCPU, if runnable when last looked at, and those in the queue.
    pub load: u64,
    /// When it will call `schedule` at the latest.
    pub until: Option<Nanos>,
    /// The current vCPU asked to let others go first.
    pub yielded: bool,
    /// When a vCPU may be moved away again merely so that all get their turn alone.
    pub next_rotation: Nanos,
}

impl Cpu {
    pub const fn new(now: Nanos) -> Self {
        Self {
            current: None,
            since: now,
            counted: now,
            queue: IndexedHeap::new(),
            clock: VirtualTime::START,
            load: 0,
            until: None,
            yielded: false,
            next_rotation: now,
        }
    }
}
